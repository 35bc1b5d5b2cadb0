//! TinkerbellMachineTemplate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::TinkerbellMachineSpec;
use capt_api::contract::{INFRASTRUCTURE_GROUP, INFRASTRUCTURE_VERSION};

crate::observed::decode::kind! {
    /// What Cluster API makes TinkerbellMachines from.
    TinkerbellMachineTemplate, "tinkerbellmachinetemplates", INFRASTRUCTURE_GROUP, (), |_dt| INFRASTRUCTURE_VERSION,
    scope NamespaceResourceScope,
    {
        /// What the user wants.
        #[serde(default)]
        spec: TinkerbellMachineTemplateSpec,
    }
}

/// Desired state of a TinkerbellMachineTemplate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TinkerbellMachineTemplateSpec {
    /// The machine to make.
    pub template: TinkerbellMachineTemplateResource,
}

/// The machine to make.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TinkerbellMachineTemplateResource {
    /// Labels and annotations of the machines made from this template; may be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// Spec of the machines made from this template; fixed.
    pub spec: TinkerbellMachineSpec,
}

/// Labels and annotations of what is made from a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TemplateMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}
