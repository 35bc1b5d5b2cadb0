//! What happens to machines: addresses, releases, conflicts, Workflows.

use std::sync::Arc;
use std::time::Duration;

use ahash::{AHashMap, AHashSet};
use capt_api::conditions::Reason;
use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::observed::cluster_api::IPAddressClaim;
use capt_reconciler::observed::tinkerbell::{Workflow, WorkflowProgress};
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::labels::{Histograms, Labels};
use crate::owner::owning_machine;
use crate::store::Change;

/// A provider in the cluster answers within a tenth of a second, one that asks an appliance within seconds; what takes
/// a minute is a provider that is down or a pool that is full.
const ADDRESS_SECONDS: [f64; 13] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];
/// A BMC needs seconds to minutes, a claim's release less; hours are a broken BMC.
const RELEASE_SECONDS: [f64; 12] = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 1800.0, 7200.0];
/// Pools that have series of their own; what others do is counted as one.
const MOST_POOLS: usize = 256;

/// What happens to machines.
#[derive(Clone, Debug)]
pub struct Machines {
    claim_to_address: Histograms<Pool>,
    pools: Arc<Mutex<AHashSet<Pool>>>,
    requested: Arc<Mutex<AHashMap<ObjectKey, Instant>>>,
    release_wait: Histograms<Labels<1>>,
    conflicts: Family<Labels<2>, Counter>,
    workflow_outcomes: Family<Labels<1>, Counter>,
}

/// The labels of what belongs to a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Pool {
    /// Namespace and name.
    pub(crate) pool: String,
    /// Its kind.
    pub(crate) pool_kind: String,
}

impl Pool {
    /// The pool that a claim names.
    pub(crate) fn of(claim: &IPAddressClaim) -> Self {
        let pool = &claim.spec.pool_ref;
        Self { pool: format!("{}/{}", claim.namespace(), pool.name), pool_kind: pool.kind.clone() }
    }
}

impl Default for Machines {
    fn default() -> Self {
        let machines = Self {
            claim_to_address: Histograms::new_with_constructor(|| Histogram::new(ADDRESS_SECONDS)),
            pools: Arc::default(),
            requested: Arc::default(),
            release_wait: Histograms::new_with_constructor(|| Histogram::new(RELEASE_SECONDS)),
            conflicts: Family::default(),
            workflow_outcomes: Family::default(),
        };
        for state in ["succeeded", "failed", "timed-out"] {
            drop(machines.workflow_outcomes.get_or_create(&[("state", state)]));
        }
        machines
    }
}

impl Machines {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "capt_ipam_claim_to_address_seconds",
            "From the request for an IPAddressClaim to its address, for claims of this process",
            self.claim_to_address.clone(),
        );
        registry.register(
            "capt_release_wait_seconds",
            "How long a machine that is deleted waits, by what it waits for",
            self.release_wait.clone(),
        );
        registry.register(
            "capt_conflicts",
            "Writes that met another one's, and objects found to be another one's, by reason and stage",
            self.conflicts.clone(),
        );
        let help = "Workflows of machines that ended, by how";
        registry.register("capt_workflow_outcomes", help, self.workflow_outcomes.clone());
    }

    /// A claim is about to be made.
    pub fn claim_requested(&self, key: &ObjectKey) {
        self.requested.lock().insert(key.clone(), Instant::now());
    }

    /// It was not made.
    pub fn claim_refused(&self, key: &ObjectKey) {
        self.requested.lock().remove(key);
    }

    /// A claim changed: perhaps it has its address now.
    pub(crate) fn claim_changed(&self, change: &Change<IPAddressClaim>) {
        let claim = change.new.as_deref();
        if claim.is_some_and(|claim| claim.status.address_name().is_none()) {
            return;
        }
        let Some(since) = self.requested.lock().remove(&*change.key) else {
            return;
        };
        // A claim that went without an address took no time to get one.
        if let Some(claim) = claim {
            let pool = self.known(Pool::of(claim));
            self.claim_to_address.get_or_create(&pool).observe(since.elapsed().as_secs_f64());
        }
    }

    /// The pool, or what stands for all pools too many.
    fn known(&self, pool: Pool) -> Pool {
        let mut pools = self.pools.lock();
        if pools.contains(&pool) {
            return pool;
        }
        if pools.len() >= MOST_POOLS {
            return Pool { pool: "others".to_owned(), pool_kind: String::new() };
        }
        pools.insert(pool.clone());
        pool
    }

    /// A Workflow changed: perhaps it ended.
    pub(crate) fn workflow_changed(&self, change: &Change<Workflow>) {
        // How a Workflow ended that we never saw run was counted by the process that did.
        let (Some(old), Some(new)) = (change.old.as_deref(), change.new.as_deref()) else {
            return;
        };
        if ended(old).is_none()
            && let Some(state) = ended(new)
            && owning_machine(new).is_some()
        {
            self.workflow_outcomes.get_or_create(&[("state", state)]).inc();
        }
    }

    /// A write met another one's, or an object is another one's.
    pub fn conflict(&self, reason: &'static str, stage: &'static str) {
        self.conflicts.get_or_create(&[("reason", reason), ("stage", stage)]).inc();
    }

    /// An event tells of a conflict, if its reason is one.
    pub fn event(&self, reason: Reason) {
        const CONFLICTS: [(Reason, &str); 8] = [
            (Reason::HardwareTaken, "reserve"),
            (Reason::ClaimConflict, "claim"),
            (Reason::ClaimTerminating, "claim"),
            (Reason::AddressDuplicate, "address"),
            (Reason::HardwareAddressConflict, "address"),
            (Reason::AddressReleasedInUse, "address"),
            (Reason::AddressChanged, "address"),
            (Reason::WorkflowConflict, "boot"),
        ];
        if let Some((reason, stage)) = CONFLICTS.iter().find(|(known, _)| *known == reason) {
            self.conflict(reason.as_str(), stage);
        }
    }

    /// What keeps the times of releases.
    pub fn release_waits(&self) -> ReleaseWaits {
        ReleaseWaits { seconds: self.release_wait.clone(), since: Mutex::default() }
    }
}

fn ended(workflow: &Workflow) -> Option<&'static str> {
    match workflow.progress() {
        WorkflowProgress::Pending | WorkflowProgress::Running => None,
        WorkflowProgress::Succeeded => Some("succeeded"),
        WorkflowProgress::Failed => Some("failed"),
        WorkflowProgress::TimedOut => Some("timed-out"),
    }
}

/// Since when which machine's release waits for what.
#[derive(Debug)]
pub struct ReleaseWaits {
    seconds: Histograms<Labels<1>>,
    since: Mutex<AHashMap<ObjectKey, (&'static str, Instant)>>,
}

impl ReleaseWaits {
    /// A machine that is deleted waits for this reason, or waits no longer.
    pub fn told(&self, key: &ObjectKey, reason: Option<Reason>) {
        let stage = reason.map(stage);
        let mut since = self.since.lock();
        if since.get(key).map(|(stage, _)| *stage) == stage {
            return;
        }
        let before = match stage {
            Some(stage) => since.insert(key.clone(), (stage, Instant::now())),
            None => since.remove(key),
        };
        drop(since);
        if let Some((stage, since)) = before {
            self.observe(stage, since.elapsed());
        }
    }

    fn observe(&self, stage: &'static str, waited: Duration) {
        self.seconds.get_or_create(&[("stage", stage)]).observe(waited.as_secs_f64());
    }
}

/// The stage of a release that waits for this reason.
fn stage(reason: Reason) -> &'static str {
    match reason {
        Reason::StoppingWorkflow => "stop",
        Reason::WaitingForPowerOff
        | Reason::PowerOffFailed
        | Reason::PowerOffBlocked
        | Reason::PowerOffOverdue
        | Reason::BmcNotFound
        | Reason::BmcNotContactable => "power-off",
        Reason::WaitingForAddressRelease => "release-claims",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_power_off_that_fails_and_is_tried_again_is_one_wait() {
        let machines = Machines::default();
        let waits = machines.release_waits();
        let key = ObjectKey::new("ns", "m");
        waits.told(&key, None);
        for reason in [Reason::WaitingForPowerOff, Reason::PowerOffFailed, Reason::WaitingForPowerOff] {
            waits.told(&key, Some(reason));
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        waits.told(&key, Some(Reason::WaitingForAddressRelease));
        tokio::time::advance(Duration::from_secs(2)).await;
        waits.told(&key, None);
        let seen = |stage| {
            let histogram = machines.release_wait.get_or_create_owned(&[("stage", stage)]);
            (histogram.count(), histogram.sum())
        };
        assert_eq!((seen("power-off"), seen("release-claims")), ((1, 30.0), (1, 2.0)));
        assert!(waits.since.lock().is_empty());
    }

    #[test]
    fn no_number_of_pools_makes_series_without_end() {
        let machines = Machines::default();
        let pool = |n: usize| Pool { pool: format!("ns/p{n}"), pool_kind: "K".into() };
        for n in 0..MOST_POOLS {
            assert_eq!(machines.known(pool(n)), pool(n));
        }
        assert_eq!(machines.known(pool(MOST_POOLS)).pool, "others");
        assert_eq!(machines.known(pool(0)), pool(0));
    }
}
