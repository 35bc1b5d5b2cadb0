//! References to other objects.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::Members;

/// A reference of Cluster API: `apiGroup` in v1beta2, `apiVersion` in v1beta1.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractReference {
    /// API group (v1beta2).
    pub api_group: Option<String>,
    /// Group and version (v1beta1).
    pub api_version: Option<String>,
    /// Kind.
    pub kind: Option<String>,
    /// Namespace (v1beta1).
    pub namespace: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// UID (v1beta1).
    pub uid: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl ContractReference {
    /// A reference as v1beta2 has it.
    pub fn new(api_group: impl Into<String>, kind: impl Into<String>, name: impl Into<String>) -> Self {
        let (api_group, kind, name) = (Some(api_group.into()), Some(kind.into()), Some(name.into()));
        Self { api_group, kind, name, ..Self::default() }
    }

    /// Whether this refers to an object of that kind. A group that is missing counts as the right one: where a server
    /// serves both versions without converting them, the other version's field is pruned.
    pub fn is_to(&self, group: &str, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind) && (self.group() == group || self.group().is_empty())
    }

    /// The API group, from whichever field holds it; empty where none does.
    pub fn group(&self) -> &str {
        match (&self.api_group, &self.api_version) {
            (Some(group), _) if !group.is_empty() => group,
            (_, Some(version)) => crate::meta::group_of(version),
            _ => "",
        }
    }
}

/// A reference by name.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NameReference {
    /// The name; may be empty at v1beta1.
    pub name: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
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
