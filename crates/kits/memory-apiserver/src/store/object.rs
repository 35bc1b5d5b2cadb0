//! A stored object and its encoded forms.

use crate::convert;
use crate::fields::Managers;
use crate::kind::{Kind, Served};
use crate::meta;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use std::sync::Arc;

/// One state of one object. Immutable: a write makes a new one.
#[derive(Debug)]
pub(crate) struct Object {
    /// At the storage version, without managedFields.
    pub(crate) value: Arc<Value>,
    /// The version of this state; a deleted object has one of its own.
    pub(crate) rv: u64,
    pub(crate) managers: Managers,
    /// JSON by served version, made once and shared by answers, lists and watches.
    encoded: Mutex<Vec<(usize, Bytes)>>,
}

impl Object {
    pub(crate) fn new(value: Arc<Value>, rv: u64, managers: Managers) -> Arc<Self> {
        Arc::new(Self { value, rv, managers, encoded: Mutex::new(Vec::new()) })
    }

    pub(crate) fn namespace(&self) -> &str {
        meta::namespace(&self.value)
    }

    pub(crate) fn name(&self) -> &str {
        meta::name(&self.value)
    }

    /// The object as JSON text at a served version.
    pub(crate) fn json(&self, kind: &Kind, version: usize) -> Bytes {
        let mut encoded = self.encoded.lock();
        if let Some((_, bytes)) = encoded.iter().find(|(v, _)| *v == version) {
            return bytes.clone();
        }
        let Some(served) = kind.version(version) else { return Bytes::new() };
        let bytes = match convert::to_served(&self.value, kind, served) {
            None => encode(&self.value, served, self.rv, &self.managers),
            Some(converted) => encode(&converted, served, self.rv, &self.managers),
        };
        encoded.push((version, bytes.clone()));
        bytes
    }

    /// The object as a value at a served version, with managedFields if `managed`.
    pub(crate) fn value_at(&self, kind: &Kind, version: usize, managed: bool) -> Value {
        let Some(served) = kind.version(version) else { return Value::Null };
        let mut value = convert::to_served(&self.value, kind, served).unwrap_or_else(|| self.value.as_ref().clone());
        if let Value::Object(map) = &mut value {
            map.insert("apiVersion".to_owned(), Value::from(served.api_version.as_str()));
        }
        let meta = meta::meta_mut(&mut value);
        meta.insert("resourceVersion".to_owned(), Value::from(self.rv.to_string()));
        if managed
            && !self.managers.0.is_empty()
            && let Ok(list) = serde_json::to_value(&self.managers)
        {
            meta.insert("managedFields".to_owned(), list);
        }
        value
    }
}

/// The type first, then the rest in the order of the value.
fn encode(value: &Value, served: &Served, rv: u64, managers: &Managers) -> Bytes {
    let mut out = Vec::with_capacity(2048);
    out.extend_from_slice(served.prefix.as_bytes());
    for (key, member) in value.as_object().into_iter().flatten() {
        if key == "apiVersion" || key == "kind" {
            continue;
        }
        out.extend_from_slice(b",");
        // Writing JSON to a Vec cannot fail: all keys are strings.
        let _ = serde_json::to_writer(&mut out, key);
        out.extend_from_slice(b":");
        let _ = match member {
            Value::Object(meta) if key == "metadata" => serde_json::to_writer(&mut out, &Meta { meta, rv, managers }),
            other => serde_json::to_writer(&mut out, other),
        };
    }
    out.extend_from_slice(b"}");
    Bytes::from(out)
}

/// Metadata with the state's own resourceVersion and the managed fields.
struct Meta<'a> {
    meta: &'a Map<String, Value>,
    rv: u64,
    managers: &'a Managers,
}

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.meta {
            if key == "managedFields" || key == "resourceVersion" {
                continue;
            }
            map.serialize_entry(key, value)?;
        }
        // An object that is not stored, the answer to a dry run, has none.
        if self.rv > 0 {
            map.serialize_entry("resourceVersion", &self.rv.to_string())?;
        }
        if !self.managers.0.is_empty() {
            map.serialize_entry("managedFields", self.managers)?;
        }
        map.end()
    }
}

impl Object {
    /// The metadata alone, as JSON text.
    pub(crate) fn metadata_json(&self) -> Vec<u8> {
        let empty = Map::new();
        let meta = meta::meta(&self.value).unwrap_or(&empty);
        // Serialising metadata cannot fail: all keys are strings.
        serde_json::to_vec(&Meta { meta, rv: self.rv, managers: &self.managers }).unwrap_or_default()
    }
}
