//! Job: a list of actions.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::{API_VERSION, Action};
use crate::conditions::ConditionStatus;
use crate::contract::BMC_GROUP;
use crate::meta::ObjectKey;
use crate::{Members, Time};

crate::kind::kind! {
    /// A list of actions for one BMC.
    Job, "jobs", BMC_GROUP, (), |_dt| API_VERSION, scope NamespaceResourceScope,
    {
        /// What is to be done.
        spec: JobSpec,
        /// How far it is.
        status: JobStatus,
    }
}

crate::kind::constructor!(Job, JobSpec);

/// Desired state of a Job.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    /// The BMC.
    pub machine_ref: BmcMachineReference,
    /// The actions, run one after the other.
    pub tasks: Vec<Action>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl JobSpec {
    /// These actions, on this BMC.
    pub fn new(machine: ObjectKey, tasks: Vec<Action>) -> Self {
        let machine_ref =
            BmcMachineReference { name: machine.name, namespace: machine.namespace, other: Members::new() };
        Self { machine_ref, tasks, other: Members::new() }
    }
}

/// Names a BMC's Machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BmcMachineReference {
    /// Name of the Machine.
    pub name: String,
    /// Namespace of the Machine.
    pub namespace: String,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Observed state of a Job.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Running, Completed, Failed.
    pub conditions: Option<Vec<RunCondition>>,
    /// When its first action began.
    pub start_time: Option<Time>,
    /// When it ended.
    pub completion_time: Option<Time>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// One condition of a Job or a Task.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunCondition {
    /// Running, Completed or Failed.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The BMC's own words.
    pub message: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// How a Job or a Task ended, if it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// Not over yet.
    Pending,
    /// All actions were done.
    Completed,
    /// An action failed; final, nobody retries it. With the BMC's words.
    Failed(String),
}

/// How what has these conditions ended.
pub(super) fn outcome(conditions: Option<&Vec<RunCondition>>) -> JobOutcome {
    let is_true = |type_: &str| {
        let mut all = conditions.into_iter().flatten();
        all.find(|one| one.type_ == type_ && one.status == ConditionStatus::True)
    };
    if let Some(failed) = is_true("Failed") {
        JobOutcome::Failed(failed.message.clone().unwrap_or_default())
    } else if is_true("Completed").is_some() {
        JobOutcome::Completed
    } else {
        JobOutcome::Pending
    }
}

impl Job {
    /// How the Job ended, by its conditions.
    pub fn outcome(&self) -> JobOutcome {
        outcome(self.status.as_ref().and_then(|status| status.conditions.as_ref()))
    }

    /// Whether one of its actions may leave the server switched on.
    pub fn may_switch_on(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.tasks.iter().any(Action::may_switch_on))
    }
}
