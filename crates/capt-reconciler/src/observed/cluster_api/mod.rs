//! Partial types of Cluster API, readable in contract versions v1beta1 and v1beta2.

mod cluster;
mod ipam;
mod machine;
mod pool;

pub use cluster::*;
pub use ipam::*;
pub use machine::*;
pub use pool::*;

use serde::{Deserialize, Serialize};

pub use capt_api::cluster_api::Served;

/// What Cluster API reads and shows about provisioning (contract v1beta2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterApiInitialization {
    /// The infrastructure provider reported the object as provisioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure_provisioned: Option<bool>,
}

/// A reference of Cluster API: `apiGroup` in v1beta2, `apiVersion` in v1beta1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContractReference {
    /// API group (v1beta2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_group: Option<String>,
    /// Group and version (v1beta1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

impl ContractReference {
    /// Whether this refers to an object of that kind. A group that is missing counts as the right one: where a server
    /// serves both versions without converting them, the other version's field is pruned.
    pub fn is_to(&self, group: &str, kind: &str) -> bool {
        self.kind == kind && (self.group() == group || self.group().is_empty())
    }

    /// The API group, from whichever field holds it.
    pub fn group(&self) -> &str {
        match (&self.api_group, &self.api_version) {
            (Some(group), _) if !group.is_empty() => group,
            (_, Some(version)) => capt_api::meta::group_of(version),
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> ContractReference {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_reference_is_understood_in_both_versions_and_when_its_group_was_pruned() {
        for text in [
            r#"{"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellMachine"}"#,
            r#"{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine"}"#,
            r#"{"kind": "TinkerbellMachine"}"#,
        ] {
            assert!(reference(text).is_to("infrastructure.cluster.x-k8s.io", "TinkerbellMachine"), "{text}");
        }
        let other = reference(r#"{"apiGroup": "example.com", "kind": "TinkerbellMachine"}"#);
        assert!(!other.is_to("infrastructure.cluster.x-k8s.io", "TinkerbellMachine"), "somebody else's kind");
    }
}
