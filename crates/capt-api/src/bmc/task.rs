//! Task: one action of a Job.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::{API_VERSION, Action, Connection, JobOutcome, RunCondition};
use crate::contract::BMC_GROUP;
use crate::{Members, Time};

crate::kind::kind! {
    /// One action of a Job, made by rufio.
    Task, "tasks", BMC_GROUP, (), |_dt| API_VERSION, scope NamespaceResourceScope,
    {
        /// What is to be done.
        spec: TaskSpec,
        /// How far it is.
        status: TaskStatus,
    }
}

crate::kind::constructor!(Task, TaskSpec);

impl Task {
    /// How the Task ended, by its conditions.
    pub fn outcome(&self) -> JobOutcome {
        super::job::outcome(self.status.as_ref().and_then(|status| status.conditions.as_ref()))
    }
}

/// Desired state of a Task.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The action.
    pub task: Action,
    /// How the BMC is reached.
    pub connection: Option<Connection>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Observed state of a Task.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// Completed or Failed.
    pub conditions: Option<Vec<RunCondition>>,
    /// When it began.
    pub start_time: Option<Time>,
    /// When it ended.
    pub completion_time: Option<Time>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
