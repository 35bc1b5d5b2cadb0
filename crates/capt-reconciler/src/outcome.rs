//! What a reconcile tells the queue that called it.

use capt_api::conditions::Reason;
use std::net::IpAddr;
use std::time::Duration;

use crate::observed::infra::PoolReference;
use capt_api::kube_core::Selector;
use capt_api::meta::ObjectKey;
use tracing::warn;

use crate::effect::Kind;
use crate::ports::WriteError;

/// How soon what the server refused is tried again; a change of any of its objects wakes it earlier.
pub(crate) const REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// How soon a status is told again after somebody else has written the object; what they wrote is known by then.
const OVERTAKEN_PAUSE: Duration = Duration::from_millis(50);

/// How a reconcile ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All that could be done is done. Run again when one of the object's watches says so, when something of `interest`
    /// changes, or after `requeue`, whichever comes first.
    Settled {
        /// When to look again in any case.
        requeue: Option<Duration>,
        /// What else wakes the object.
        interest: Box<Interest>,
        /// What it waits for, if for anything.
        waiting: Option<Waiting>,
    },
    /// Something went wrong: run again with the object's exponential backoff.
    Retry(WriteError),
}

/// What an object waits for, as its conditions tell as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Why, for programs.
    pub reason: Reason,
    /// Whether it is being deleted.
    pub releases: bool,
}

impl Outcome {
    /// All is done that could be, and nothing is waited for.
    pub fn settled(requeue: Option<Duration>, interest: Interest) -> Self {
        Self::Settled { requeue, interest: Box::new(interest), waiting: None }
    }

    /// The status of this object was not taken.
    pub(crate) fn status_not_written(error: WriteError, key: &ObjectKey, interest: Interest) -> Self {
        match error {
            WriteError::Conflict(_) => Self::settled(Some(OVERTAKEN_PAUSE), interest),
            WriteError::Rejected(message) | WriteError::NamespaceEnds(message) => {
                warn!(object = %key, %message, "status refused by the API server");
                Self::settled(Some(REFUSED_PAUSE), interest)
            }
            WriteError::Transient(_) => Self::Retry(error),
        }
    }

    /// The same outcome, waiting for this.
    #[must_use]
    pub fn waiting_for(self, waiting: Option<Waiting>) -> Self {
        match self {
            Self::Settled { requeue, interest, .. } => Self::Settled { requeue, interest, waiting },
            Self::Retry(error) => Self::Retry(error),
        }
    }
}

/// Objects that an object waits for although nothing in them names it.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// Hardware that becomes free (or fit) and matches one of these selectors.
    pub hardware: Vec<Selector>,
    /// Any change of this pool, or of whether its kind is served. The namespace is the machine's.
    pub pool: Option<PoolReference>,
    /// The IPAM kinds becoming ready or absent.
    pub ipam_kinds: bool,
    /// The BMC kinds becoming ready or absent.
    pub bmc_kinds: bool,
    /// Any change of a Job for this BMC Machine, whoever made the Job.
    pub bmc: Option<ObjectKey>,
    /// This Template.
    pub template: Option<ObjectKey>,
    /// This Hardware or Workflow, whatever happens to it: coming, going, changing.
    pub object: Option<(Kind, ObjectKey)>,
    /// Somebody giving this address up.
    pub address: Option<IpAddr>,
}
