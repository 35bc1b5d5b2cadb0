//! Workflow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::API_VERSION;
use crate::conditions::ConditionStatus;
use crate::contract::TINKERBELL_GROUP;
use crate::infra::{BootMode, CustombootConfig};
use crate::{Members, Time};

crate::kind::kind! {
    /// One run of a Template on one Hardware.
    Workflow, "workflows", TINKERBELL_GROUP, (), |_dt| API_VERSION, scope NamespaceResourceScope,
    {
        /// What is to run.
        spec: WorkflowSpec,
        /// How far it is.
        status: WorkflowStatus,
    }
}

crate::kind::constructor!(Workflow, WorkflowSpec);

impl Workflow {
    /// What its state means.
    pub fn progress(&self) -> WorkflowProgress {
        let state = self.status.as_ref().and_then(|status| status.state.as_deref());
        WorkflowProgress::of(state.unwrap_or_default())
    }
}

/// Desired state of a Workflow.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowSpec {
    /// Name of the Template, in the same namespace.
    pub template_ref: Option<String>,
    /// Name of the Hardware, in the same namespace.
    pub hardware_ref: Option<String>,
    /// Values for the template.
    pub hardware_map: Option<BTreeMap<String, String>>,
    /// How the server is booted into it.
    pub boot_options: Option<WorkflowBootOptions>,
    /// Whether it waits to be enabled.
    pub disabled: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl WorkflowSpec {
    /// A run of this Template on this Hardware.
    pub fn new(template: impl Into<String>, hardware: impl Into<String>) -> Self {
        Self { template_ref: Some(template.into()), hardware_ref: Some(hardware.into()), ..Self::default() }
    }
}

/// How a server is booted into a Workflow.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowBootOptions {
    /// Allow network boot before the Workflow starts and forbid it after it ended.
    pub toggle_allow_netboot: Option<bool>,
    /// URL of the ISO image.
    #[serde(rename = "isoURL")]
    pub iso_url: Option<String>,
    /// The way of booting.
    pub boot_mode: Option<BootMode>,
    /// The user's own BMC actions.
    pub customboot_config: Option<CustombootConfig>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Observed state of a Workflow.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStatus {
    /// Name of the agent that runs it.
    #[serde(rename = "agentID")]
    pub agent_id: Option<String>,
    /// What was done so that the server boots into it.
    pub boot_options: Option<WorkflowBootStatus>,
    /// What tink-controller says about rendering and booting.
    pub conditions: Option<Vec<WorkflowCondition>>,
    /// The action served or reported last.
    pub current_state: Option<CurrentState>,
    /// When it has to be over.
    pub global_execution_stop: Option<Time>,
    /// Seconds that it may take.
    pub global_timeout: Option<i64>,
    /// PREPARING, PENDING, RUNNING, POST, SUCCESS, FAILED, TIMEOUT; older releases put `STATE_` before it.
    pub state: Option<String>,
    /// What the Template renders to.
    pub tasks: Option<Vec<WorkflowTask>>,
    /// `successful` or `failed`.
    pub template_rendering: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// What was done so that a server boots into a Workflow.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowBootStatus {
    /// Whether network boot was allowed and forbidden again.
    pub allow_netboot: Option<AllowNetbootStatus>,
    /// The BMC's Jobs, by name.
    pub jobs: Option<BTreeMap<String, BootJobStatus>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Whether network boot was allowed and forbidden again.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AllowNetbootStatus {
    /// It was allowed.
    pub toggled_true: Option<bool>,
    /// It was forbidden.
    pub toggled_false: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// One Job of a BMC for a Workflow.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootJobStatus {
    /// Whether it is completed.
    pub complete: Option<bool>,
    /// Whether an earlier Job of its name was deleted.
    pub existing_job_deleted: Option<bool>,
    /// Its UID.
    pub uid: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A condition of a Workflow; not a standard one.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowCondition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, for programs.
    pub reason: Option<String>,
    /// Why, in Tinkerbell's words.
    pub message: Option<String>,
    /// When it was set.
    pub time: Option<Time>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// The action of a Workflow that was served or reported last.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentState {
    /// Identifier of the action.
    #[serde(rename = "actionID")]
    pub action_id: Option<String>,
    /// Name of the action.
    pub action_name: Option<String>,
    /// Name of the agent.
    #[serde(rename = "agentID")]
    pub agent_id: Option<String>,
    /// State of the action.
    pub state: Option<String>,
    /// Identifier of the task.
    #[serde(rename = "taskID")]
    pub task_id: Option<String>,
    /// Name of the task.
    pub task_name: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// One task of a Workflow.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowTask {
    /// The actions, run one after the other.
    pub actions: Vec<WorkflowAction>,
    /// Name of the agent that runs it.
    #[serde(rename = "agentID")]
    pub agent_id: String,
    /// Environment of all its actions.
    pub environment: Option<BTreeMap<String, String>>,
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Volumes of all its actions.
    pub volumes: Option<Vec<String>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// One action of a task.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowAction {
    /// Command and arguments, in place of the image's.
    pub command: Option<Vec<String>>,
    /// Environment.
    pub environment: Option<BTreeMap<String, String>>,
    /// How long it took, as Go writes durations.
    pub execution_duration: Option<String>,
    /// When it began.
    pub execution_start: Option<Time>,
    /// When it ended.
    pub execution_stop: Option<Time>,
    /// Identifier.
    pub id: String,
    /// Container image.
    pub image: Option<String>,
    /// The agent's words about the end.
    pub message: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Linux namespaces.
    pub namespaces: Option<ActionNamespaces>,
    /// Linux PID namespace (earlier place).
    pub pid: Option<String>,
    /// State.
    pub state: Option<String>,
    /// Seconds that it may take.
    pub timeout: Option<i64>,
    /// Volumes.
    pub volumes: Option<Vec<String>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Linux namespaces of an action.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ActionNamespaces {
    /// Network namespace.
    pub network: Option<String>,
    /// PID namespace.
    pub pid: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// What a Workflow's state means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkflowProgress {
    /// Not started.
    Pending,
    /// Runs.
    Running,
    /// Ended well.
    Succeeded,
    /// Failed; final.
    Failed,
    /// Timed out; final.
    TimedOut,
}

impl WorkflowProgress {
    /// What a state means, the `STATE_*` names of older Tinkerbell releases included.
    pub fn of(state: &str) -> Self {
        match state.strip_prefix("STATE_").unwrap_or(state) {
            "SUCCESS" => Self::Succeeded,
            "FAILED" => Self::Failed,
            "TIMEOUT" => Self::TimedOut,
            "RUNNING" | "POST" => Self::Running,
            _ => Self::Pending,
        }
    }
}
