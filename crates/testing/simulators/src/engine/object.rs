use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::core::{ApiResource, DynamicResourceScope};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// Namespace (empty for cluster-scoped objects) and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An object of any kind, decoded without `managedFields`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "lean_metadata")]
    pub(crate) metadata: ObjectMeta,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) spec: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) status: Value,
}

/// The metadata we use; serde skips the rest without allocating.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeanMetadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

fn lean_metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let lean = LeanMetadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: lean.name,
        namespace: lean.namespace,
        uid: lean.uid,
        resource_version: lean.resource_version,
        generation: lean.generation,
        creation_timestamp: lean.creation_timestamp,
        deletion_timestamp: lean.deletion_timestamp,
        labels: lean.labels,
        annotations: lean.annotations,
        finalizers: lean.finalizers,
        owner_references: lean.owner_references,
        ..ObjectMeta::default()
    })
}

impl kube::Resource for Object {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(dt: &ApiResource) -> Cow<'_, str> {
        dt.kind.as_str().into()
    }
    fn group(dt: &ApiResource) -> Cow<'_, str> {
        dt.group.as_str().into()
    }
    fn version(dt: &ApiResource) -> Cow<'_, str> {
        dt.version.as_str().into()
    }
    fn plural(dt: &ApiResource) -> Cow<'_, str> {
        dt.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Object {
    pub(crate) fn key(&self) -> Key {
        Key::new(self.namespace(), self.name())
    }
    pub(crate) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
    pub(crate) fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }
    pub(crate) fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }
    pub(crate) fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }
    /// The resourceVersion as a number (every API server since Kubernetes 1.35 promises that they compare so).
    pub(crate) fn revision(&self) -> u64 {
        self.resource_version().parse().unwrap_or_default()
    }
    pub(crate) fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }
    /// Deleted, and nobody holds it any more: the server has removed it by now.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_terminating() && self.finalizers().is_empty()
    }
    pub(crate) fn finalizers(&self) -> &[String] {
        self.metadata.finalizers.as_deref().unwrap_or_default()
    }
    pub(crate) fn has_finalizer(&self, finalizer: &str) -> bool {
        self.finalizers().iter().any(|f| f == finalizer)
    }
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.metadata.labels.as_ref()?.get(key).map(String::as_str)
    }
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }
    pub(crate) fn owners(&self) -> &[OwnerReference] {
        self.metadata.owner_references.as_deref().unwrap_or_default()
    }
    /// The owner reference with `controller: true`.
    pub(crate) fn controller(&self) -> Option<&OwnerReference> {
        self.owners().iter().find(|owner| owner.controller == Some(true))
    }
    pub(crate) fn is_owned_by(&self, uid: &str) -> bool {
        self.owners().iter().any(|owner| owner.uid == uid)
    }
    /// Text at a JSON pointer into `spec`; empty when absent.
    pub(crate) fn spec_text(&self, pointer: &str) -> &str {
        text(&self.spec, pointer)
    }
    /// Text at a JSON pointer into `status`; empty when absent.
    pub(crate) fn status_text(&self, pointer: &str) -> &str {
        text(&self.status, pointer)
    }
    /// Whether `status.conditions` holds this type with status `True`.
    pub(crate) fn has_condition(&self, condition: &str) -> bool {
        self.condition(condition).is_some_and(|c| c.get("status").and_then(Value::as_str) == Some("True"))
    }
    /// The condition of this type in `status.conditions`.
    pub(crate) fn condition(&self, condition: &str) -> Option<&Value> {
        self.status
            .get("conditions")?
            .as_array()?
            .iter()
            .find(|c| c.get("type").and_then(Value::as_str) == Some(condition))
    }

    /// The merge patch that adds a finalizer; its resourceVersion keeps others' finalizers safe.
    pub(crate) fn add_finalizer(&self, finalizer: &str) -> Value {
        let mut all = self.finalizers().to_vec();
        all.push(finalizer.to_owned());
        self.metadata_patch(json!({ "finalizers": all }))
    }
    /// The merge patch that removes a finalizer; its resourceVersion keeps others' finalizers safe.
    pub(crate) fn remove_finalizer(&self, finalizer: &str) -> Value {
        let rest: Vec<_> = self.finalizers().iter().filter(|f| *f != finalizer).collect();
        self.metadata_patch(json!({ "finalizers": rest }))
    }
    /// The merge patch that adds an owner; its resourceVersion keeps others' owners safe.
    pub(crate) fn add_owner(&self, owner: &OwnerReference) -> Value {
        let mut all = self.owners().to_vec();
        all.push(owner.clone());
        self.metadata_patch(json!({ "ownerReferences": all }))
    }
    fn metadata_patch(&self, mut metadata: Value) -> Value {
        if let Some(map) = metadata.as_object_mut() {
            map.insert("resourceVersion".to_owned(), self.resource_version().into());
        }
        json!({ "metadata": metadata })
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Cluster API's pause: `spec.paused` or the annotation, whatever its value.
pub(crate) fn is_paused(object: &Object) -> bool {
    object.annotation("cluster.x-k8s.io/paused").is_some()
        || object.spec.get("paused").and_then(Value::as_bool) == Some(true)
}

/// A plain owner reference with `blockOwnerDeletion`.
pub(crate) fn owner_reference(owner: &Object, resource: &ApiResource) -> OwnerReference {
    OwnerReference {
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
        name: owner.name().to_owned(),
        uid: owner.uid().to_owned(),
        controller: None,
        block_owner_deletion: Some(true),
    }
}

/// The owner reference of a controller, with `blockOwnerDeletion`.
pub(crate) fn controller_reference(owner: &Object, resource: &ApiResource) -> OwnerReference {
    OwnerReference { controller: Some(true), ..owner_reference(owner, resource) }
}
