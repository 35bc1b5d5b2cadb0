//! TinkerbellMachineTemplate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::TinkerbellMachineSpec;
use crate::Members;
use crate::contract::{INFRASTRUCTURE_GROUP, INFRASTRUCTURE_VERSION};

crate::kind::kind! {
    /// What Cluster API makes TinkerbellMachines from.
    TinkerbellMachineTemplate, "tinkerbellmachinetemplates", INFRASTRUCTURE_GROUP, (), |_dt| INFRASTRUCTURE_VERSION,
    scope NamespaceResourceScope,
    {
        /// What the user wants.
        spec: TinkerbellMachineTemplateSpec,
    }
}

impl TinkerbellMachineTemplate {
    /// A template of machines with this spec, not yet written anywhere.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, machine: TinkerbellMachineSpec) -> Self {
        let template = TinkerbellMachineTemplateResource { spec: machine, ..Default::default() };
        let spec = TinkerbellMachineTemplateSpec { template, other: Members::new() };
        Self { metadata: crate::meta::named(namespace, name), spec: Some(spec), ..Self::default() }
    }
}

/// Desired state of a TinkerbellMachineTemplate.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TinkerbellMachineTemplateSpec {
    /// The machine to make.
    pub template: TinkerbellMachineTemplateResource,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// The machine to make.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TinkerbellMachineTemplateResource {
    /// Labels and annotations of the machines made from this template; may be changed.
    pub metadata: Option<TemplateMetadata>,
    /// Spec of the machines made from this template; fixed.
    pub spec: TinkerbellMachineSpec,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// Labels and annotations of what is made from a template.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TemplateMetadata {
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations.
    pub annotations: Option<BTreeMap<String, String>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}
