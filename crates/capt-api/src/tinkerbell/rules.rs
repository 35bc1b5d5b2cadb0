//! WorkflowRuleSet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::API_VERSION;
use crate::Members;
use crate::contract::TINKERBELL_GROUP;

crate::kind::kind! {
    /// Rules by which Tinkerbell makes Workflows for servers that ask for work.
    WorkflowRuleSet, "workflowrulesets", TINKERBELL_GROUP, (), |_dt| API_VERSION, scope NamespaceResourceScope,
    {
        /// The rules.
        spec: WorkflowRuleSetSpec,
        /// What Tinkerbell reports.
        status: Members,
    }
}

crate::kind::constructor!(WorkflowRuleSet, WorkflowRuleSetSpec);

/// Desired state of a WorkflowRuleSet.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowRuleSetSpec {
    /// Patterns over what the server says of itself.
    pub rules: Option<Vec<String>>,
    /// The Workflow that is made.
    pub workflow: Option<RuleWorkflow>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// The Workflow that rules make.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleWorkflow {
    /// Whether what the server says of itself is put into the Workflow.
    pub add_attributes: Option<bool>,
    /// Whether the Workflow is made disabled.
    pub disabled: Option<bool>,
    /// Namespace of the Workflow.
    pub namespace: Option<String>,
    /// The template of the Workflow.
    pub template: Option<RuleTemplate>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// The template of a Workflow that rules make.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleTemplate {
    /// Name that the server's agent has in the template.
    pub agent_value: Option<String>,
    /// Values for the template.
    pub kvs: Option<BTreeMap<String, String>>,
    /// Name of the Template.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
