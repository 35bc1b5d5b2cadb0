//! Who leads: one replica works, the others stand by.
//!
//! The algorithm is the one of Kubernetes' Go client, so that our replicas and Go replicas of CAPT can share one Lease:
//! the holder renews it with every retry period; another candidate takes it only after it has watched the same record,
//! by its own monotonic clock, for the whole time that the record promises. Times in the record come from other
//! machines' clocks and are never compared. Every write names the resourceVersion it was decided on, so that of two
//! candidates one only succeeds.
//!
//! In one point we are stricter: the time a leader has is counted from the moment its last successful request was
//! sent, not answered. What another candidate counts begins later in any case, so a slow answer cannot make two leaders.

mod elector;
mod record;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::TokioClock;
use elector::Elector;

/// The Lease's name, which is that of the Go manager's.
pub const NAME: &str = "controller-leader-election-capt";
/// The variables by which a pod's manifest may tell its namespace and its name, as Cluster API's manifests do.
pub const NAMESPACE_VARIABLE: &str = "POD_NAMESPACE";
/// See [`NAMESPACE_VARIABLE`].
pub const NAME_VARIABLE: &str = "POD_NAME";
/// Where a pod finds the name of its namespace, if its manifest does not tell.
pub const POD_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// A candidacy for the lead.
#[derive(Clone, Debug)]
pub struct Election {
    /// The Lease's name.
    pub name: String,
    /// The Lease's namespace.
    pub namespace: String,
    /// The candidate's name, which no other process ever has.
    pub identity: String,
    /// How long nobody else takes over after a renewal.
    pub lease_duration: Duration,
    /// How long after its last renewal a leader gives up.
    pub renew_deadline: Duration,
    /// Time between two attempts.
    pub retry_period: Duration,
}

impl Election {
    /// A candidacy in a namespace, with the usual durations and a new identity.
    pub fn new(namespace: impl Into<String>) -> Self {
        Self {
            name: NAME.to_owned(),
            namespace: namespace.into(),
            identity: new_identity(),
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }

    /// Whether the durations fit each other.
    ///
    /// # Errors
    /// When a leader could not renew in time, or would believe in its lead for longer than others do.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.retry_period.is_zero(), "the leader election's retry period must be more than zero");
        ensure!(self.lease_duration <= Duration::from_secs(3600), "the lease duration must be at most an hour");
        ensure!(self.lease_duration > self.renew_deadline, "the lease duration must exceed the renew deadline");
        ensure!(
            self.renew_deadline > self.retry_period.saturating_mul(6) / 5,
            "the renew deadline must exceed the retry period by more than a fifth"
        );
        Ok(())
    }
}

/// The namespace of the pod that we run in, from [`NAMESPACE_VARIABLE`], else from its file (usually [`POD_NAMESPACE`]).
///
/// # Errors
/// When there is no such file or nothing in it.
pub fn pod_namespace(file: &Path) -> anyhow::Result<String> {
    if let Some(namespace) = variable(NAMESPACE_VARIABLE) {
        return Ok(namespace);
    }
    let text = std::fs::read_to_string(file).with_context(|| {
        format!("no namespace is given for the leader election, and this is no pod: {}", file.display())
    })?;
    let namespace = text.trim();
    ensure!(!namespace.is_empty(), "no namespace is given for the leader election, and {} is empty", file.display());
    Ok(namespace.to_owned())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// `<pod or hostname>_<uuid>`.
fn new_identity() -> String {
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|host| host.trim().to_owned());
    let name = variable(NAME_VARIABLE).or_else(host).filter(|name| !name.is_empty());
    format!("{}_{}", name.as_deref().unwrap_or("capt-manager"), uuid::Uuid::new_v4())
}

/// What a candidate knows of the lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderState {
    /// Whether we lead.
    pub leading: bool,
    /// Who holds the Lease; empty while nobody does, or nobody knows.
    pub holder: String,
}

/// Why a leader leads no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Somebody else holds the Lease.
    #[error("the lead is lost: {0} has it")]
    Taken(String),
    /// The Lease could not be renewed within the renew deadline.
    #[error("the lead is lost: it could not be renewed in time")]
    Expired,
    /// The candidate's task died.
    #[error("the lead is lost: the election died")]
    Died,
}

/// A candidate at work. Leaves the election when dropped, without releasing the Lease.
pub struct Candidate {
    standing: watch::Receiver<LeaderState>,
    release: CancellationToken,
    task: JoinSet<Result<(), Lost>>,
}

impl Candidate {
    /// Enters the election. Needs a tokio runtime. The client must not be one whose requests wait behind others.
    ///
    /// # Errors
    /// See [`Election::check`].
    pub fn start(client: Client, election: Election, clock: TokioClock) -> anyhow::Result<Self> {
        election.check()?;
        let (sender, standing) = watch::channel(LeaderState::default());
        let release = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(Elector::new(client, election, clock, sender).run(release.clone()));
        Ok(Self { standing, release, task })
    }

    /// What the candidate knows, as it changes.
    pub fn standing(&self) -> watch::Receiver<LeaderState> {
        self.standing.clone()
    }

    /// Waits until the lead is lost. From then on the work of a leader must not go on for one step.
    pub async fn lost(&mut self) -> Lost {
        match self.task.join_next().await {
            Some(Ok(Err(lost))) => lost,
            _ => Lost::Died,
        }
    }

    /// Leaves the election; a leader hands the Lease back, so that another can take it at once. The work of a leader
    /// must have ended.
    pub async fn release(mut self) {
        self.release.cancel();
        while self.task.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_that_make_two_leaders_are_refused() {
        let good = Election::new("n");
        good.check().unwrap();
        let secs = Duration::from_secs;
        for bad in [
            Election { renew_deadline: secs(15), ..good.clone() },
            Election { retry_period: Duration::ZERO, ..good.clone() },
            Election { retry_period: secs(9), ..good.clone() },
            Election { lease_duration: secs(4000), ..good.clone() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_two_candidates_have_one_identity() {
        let (a, b) = (new_identity(), new_identity());
        assert_ne!(a, b);
        let (host, id) = a.rsplit_once('_').unwrap();
        assert!(!host.is_empty() && uuid::Uuid::parse_str(id).is_ok(), "{a}");
    }

    #[test]
    fn without_a_namespace_the_error_names_the_file() {
        let file = std::env::temp_dir().join(format!("capt-namespace-{}", std::process::id()));
        let error = format!("{:#}", pod_namespace(&file).unwrap_err());
        assert!(error.contains("no namespace is given") && error.contains("capt-namespace-"), "{error}");
        std::fs::write(&file, " \n").unwrap();
        assert!(pod_namespace(&file).unwrap_err().to_string().contains("is empty"));
        std::fs::write(&file, "capt-system\n").unwrap();
        assert_eq!(pod_namespace(&file).unwrap(), "capt-system");
        std::fs::remove_file(&file).unwrap();
    }
}
