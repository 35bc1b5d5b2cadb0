//! Template.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::API_VERSION;
use crate::Members;
use crate::contract::TINKERBELL_GROUP;

crate::kind::kind! {
    /// The text of what a server has to do.
    Template, "templates", TINKERBELL_GROUP, (), |_dt| API_VERSION, scope NamespaceResourceScope,
    {
        /// The text.
        spec: TemplateSpec,
        /// What Tinkerbell reports.
        status: TemplateStatus,
    }
}

crate::kind::constructor!(Template, TemplateSpec);

/// Desired state of a Template.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TemplateSpec {
    /// Go template that renders to YAML.
    pub data: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl TemplateSpec {
    /// This text.
    pub fn new(data: impl Into<String>) -> Self {
        Self { data: Some(data.into()), other: Members::new() }
    }
}

/// Observed state of a Template.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TemplateStatus {
    /// State, in Tinkerbell's words.
    pub state: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
