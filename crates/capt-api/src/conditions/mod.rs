//! Condition types, one constant each, and reasons, one value each, stable once released; and the type of a condition.

mod reason;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as kubernetes;
use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::kind::open_enum;
use crate::{Members, Time};
pub use reason::Reason;

open_enum! {
    /// Whether a condition holds.
    ConditionStatus {
        /// It holds.
        True = "True",
        /// It does not hold.
        False = "False",
        /// Nobody can tell.
        Unknown = "Unknown",
    }
}

/// One aspect of an object's state. It reads standard conditions and those of Cluster API's v1beta1, which have a severity
/// and may lack reason and message.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Severity of a condition of Cluster API's v1beta1 that does not hold: `Error`, `Warning` or `Info`.
    pub severity: Option<String>,
    /// Why, for programs.
    pub reason: Option<String>,
    /// Why, for people.
    pub message: Option<String>,
    /// When the status last changed.
    pub last_transition_time: Option<Time>,
    /// Generation of the object that the condition was set for.
    pub observed_generation: Option<i64>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl Condition {
    /// Whether it holds.
    pub fn is_true(&self) -> bool {
        self.status == ConditionStatus::True
    }

    /// The first condition of this type.
    pub fn find<'a>(conditions: Option<&'a Vec<Self>>, type_: &str) -> Option<&'a Self> {
        conditions?.iter().find(|condition| condition.type_ == type_)
    }
}

impl From<kubernetes::Condition> for Condition {
    fn from(condition: kubernetes::Condition) -> Self {
        let moment: jiff::Timestamp = condition.last_transition_time.0;
        Self {
            type_: condition.type_,
            status: condition.status.into(),
            severity: None,
            reason: Some(condition.reason),
            message: Some(condition.message),
            last_transition_time: Some(moment.into()),
            observed_generation: condition.observed_generation,
            other: Members::new(),
        }
    }
}

/// Summary of the machine or cluster; what the owning Machine shows.
pub const READY: &str = "Ready";
/// Whether reconciliation is paused (Cluster API's).
pub const PAUSED: &str = "Paused";
/// Whether Hardware carries our labels.
pub const HARDWARE_RESERVED: &str = "HardwareReserved";
/// Whether the machine's address claims are fulfilled; absent without a pool.
pub const IP_ADDRESS_CLAIMS_FULFILLED: &str = "IPAddressClaimsFulfilled";
/// Whether the machine's Workflow ended well.
pub const WORKFLOW_SUCCEEDED: &str = "WorkflowSucceeded";
/// Present while the machine is being deleted; says what deletion waits for.
pub const DELETING: &str = "Deleting";
