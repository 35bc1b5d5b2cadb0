//! One recorded write, as the observer sees it, and short ways to read objects.

use std::fmt;

use serde_json::Value;

/// Namespace and name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// A key.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// A write that took effect.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Its place in the order of all writes.
    pub sequence: u64,
    /// Who wrote.
    pub user: &'a str,
    /// `create`, `patch`, `delete` and so on.
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Plural resource name.
    pub resource: &'a str,
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// The object before; none for a creation.
    pub old: Option<&'a Value>,
    /// The object after; none when the write removed it.
    pub new: Option<&'a Value>,
}

impl Write<'_> {
    /// Namespace and name of the object.
    pub fn key(&self) -> Key {
        Key::new(self.namespace, self.name)
    }
}

/// A text at a JSON pointer; empty where there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A member of `metadata.labels` or `metadata.annotations`, whose names a pointer would have to escape.
pub fn meta<'a>(object: &'a Value, map: &str, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get(map)?.get(name)?.as_str()
}

/// Whether the object is being deleted.
pub(crate) fn is_terminating(object: &Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

/// UID of the owner that controls the object; empty where there is none.
pub(crate) fn controller_uid(object: &Value) -> &str {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let controls = |owner: &&Value| owner.get("controller") == Some(&Value::Bool(true));
    owners.into_iter().flatten().find(controls).map_or("", |owner| text(owner, "/uid"))
}
