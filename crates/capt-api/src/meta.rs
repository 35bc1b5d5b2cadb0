//! Object keys, and short reads of metadata.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde::{Deserialize, Serialize};

/// Namespace and name of a namespaced object; displayed as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// A key from its two parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object, from its metadata; absent parts are empty.
    pub fn of(meta: &ObjectMeta) -> Self {
        Self::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// Short reads of metadata that every stage needs.
pub trait Meta {
    /// The metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// Namespace and name.
    fn key(&self) -> ObjectKey {
        ObjectKey::of(self.metadata())
    }
    /// The name, empty when absent.
    fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }
    /// The namespace, empty when absent.
    fn namespace(&self) -> &str {
        self.metadata().namespace.as_deref().unwrap_or_default()
    }
    /// The UID, empty when absent.
    fn uid(&self) -> &str {
        self.metadata().uid.as_deref().unwrap_or_default()
    }
    /// The resourceVersion, empty when absent.
    fn resource_version(&self) -> &str {
        self.metadata().resource_version.as_deref().unwrap_or_default()
    }
    /// Whether a deletionTimestamp is set.
    fn is_terminating(&self) -> bool {
        self.metadata().deletion_timestamp.is_some()
    }
    /// The value of a label.
    fn label(&self, key: &str) -> Option<&str> {
        self.metadata().labels.as_ref()?.get(key).map(String::as_str)
    }
    /// The value of an annotation.
    fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata().annotations.as_ref()?.get(key).map(String::as_str)
    }
    /// Whether the object carries this finalizer.
    fn has_finalizer(&self, finalizer: &str) -> bool {
        self.metadata().finalizers.as_ref().is_some_and(|all| all.iter().any(|f| f == finalizer))
    }
    /// The owner reference with `controller: true`.
    fn controller(&self) -> Option<&OwnerReference> {
        self.metadata().owner_references.as_ref()?.iter().find(|owner| owner.controller == Some(true))
    }
    /// The first owner of this kind and API group, in any version.
    fn owner(&self, group: &str, kind: &str) -> Option<&OwnerReference> {
        self.metadata()
            .owner_references
            .as_ref()?
            .iter()
            .find(|owner| owner.kind == kind && group_of(&owner.api_version) == group)
    }
}

impl<K: kube::Resource> Meta for K {
    fn metadata(&self) -> &ObjectMeta {
        self.meta()
    }
}

/// The group part of an `apiVersion`; empty for the core group.
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Metadata of an object that is to be made.
pub(crate) fn named(namespace: impl Into<String>, name: impl Into<String>) -> ObjectMeta {
    ObjectMeta { namespace: Some(namespace.into()), name: Some(name.into()), ..ObjectMeta::default() }
}
