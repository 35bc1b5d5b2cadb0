//! Template and Workflow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::observed::decode::lenient;
use crate::observed::infra::CustombootConfig;
use capt_api::contract::TINKERBELL_GROUP;
pub use capt_api::tinkerbell::WorkflowProgress;

crate::observed::decode::kind! {
    /// The text of what a server has to do.
    Template, "templates", TINKERBELL_GROUP, (), |_dt| "v1alpha1", scope NamespaceResourceScope,
    {
        /// The text.
        #[serde(default, deserialize_with = "lenient")]
        spec: TemplateSpec,
    }
}

/// Desired state of a Template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateSpec {
    /// Go template that renders to YAML.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub data: Option<String>,
}

crate::observed::decode::kind! {
    /// One run of a Template on one Hardware.
    Workflow, "workflows", TINKERBELL_GROUP, (), |_dt| "v1alpha1", scope NamespaceResourceScope,
    {
        /// What is to run.
        #[serde(default, deserialize_with = "lenient")]
        spec: WorkflowSpec,
        /// How far it is; never written by us.
        #[serde(default, skip_serializing, deserialize_with = "lenient")]
        status: WorkflowStatus,
    }
}

/// Desired state of a Workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowSpec {
    /// Name of the Template, in the same namespace.
    pub template_ref: String,
    /// Name of the Hardware, in the same namespace.
    pub hardware_ref: String,
    /// Values for the template.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hardware_map: BTreeMap<String, String>,
    /// How the server is booted into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_options: Option<WorkflowBootOptions>,
}

/// How a server is booted into a Workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowBootOptions {
    /// Allow network boot before the Workflow starts and forbid it after it ended.
    #[serde(skip_serializing_if = "is_false")]
    pub toggle_allow_netboot: bool,
    /// URL of the ISO image.
    #[serde(skip_serializing_if = "String::is_empty", rename = "isoURL")]
    pub iso_url: String,
    /// `netboot`, `isoboot`, `iso` or `customboot`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub boot_mode: String,
    /// The user's own BMC actions.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub customboot_config: Option<CustombootConfig>,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// Observed state of a Workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowStatus {
    /// PREPARING, PENDING, RUNNING, POST, SUCCESS, FAILED, TIMEOUT; empty before the first.
    #[serde(deserialize_with = "lenient")]
    pub state: String,
    /// `successful` or `failed`.
    #[serde(deserialize_with = "lenient")]
    pub template_rendering: String,
    /// The action served or reported last.
    #[serde(deserialize_with = "lenient")]
    pub current_state: Option<CurrentState>,
    /// What tink-controller says about rendering and booting.
    #[serde(deserialize_with = "lenient")]
    pub conditions: Vec<WorkflowCondition>,
}

/// The action of a Workflow that was served or reported last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CurrentState {
    /// Name of the action.
    pub action_name: String,
}

/// A condition of a Workflow; not a standard one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkflowCondition {
    /// Type.
    #[serde(rename = "type")]
    pub type_: String,
    /// True or False.
    pub status: String,
    /// Reason.
    pub reason: String,
    /// Tinkerbell's words.
    pub message: String,
}

impl Workflow {
    /// What the state means, the `STATE_*` names of older Tinkerbell releases included.
    pub fn progress(&self) -> WorkflowProgress {
        WorkflowProgress::of(&self.status.state)
    }
}
