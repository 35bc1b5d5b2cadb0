//! Pruning of unknown fields, dropping of nulls where null is not allowed, and defaulting, in one walk.

use super::{Additional, Node};
use serde_json::{Map, Value};

/// The fields of `ObjectMeta`; anything else in `metadata` is dropped.
const META_FIELDS: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Brings `object` into the shape its schema allows. The paths of dropped unknown fields go to `unknown`.
pub(crate) fn normalise(object: &mut Value, schema: &Node, unknown: &mut Vec<String>) {
    walk(object, schema, "", unknown);
}

/// Drops what is no field of `ObjectMeta`, and the nulls and empty values that a typed server would not store.
pub(crate) fn normalise_meta(meta: &mut Map<String, Value>, path: &str, unknown: &mut Vec<String>) {
    meta.retain(|key, value| {
        if !META_FIELDS.contains(&key.as_str()) {
            unknown.push(join(path, key));
            return false;
        }
        match value {
            Value::Null => false,
            Value::Object(map) => !map.is_empty(),
            Value::Array(list) => !list.is_empty() || key == "managedFields",
            Value::String(text) => !text.is_empty(),
            _ => true,
        }
    });
}

fn walk(value: &mut Value, node: &Node, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => object(map, node, path, unknown),
        Value::Array(list) => {
            let Some(items) = &node.items else { return };
            for (index, item) in list.iter_mut().enumerate() {
                if item.is_null()
                    && !items.nullable
                    && let Some(default) = &items.default
                {
                    *item = default.clone();
                }
                if item.is_object() || item.is_array() {
                    walk(item, items, &format!("{path}[{index}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

fn object(map: &mut Map<String, Value>, node: &Node, path: &str, unknown: &mut Vec<String>) {
    let kept_by_embedding = |key: &str| node.embedded && matches!(key, "apiVersion" | "kind" | "metadata");
    map.retain(|key, value| {
        if kept_by_embedding(key) {
            return true;
        }
        match (node.properties.get(key.as_str()), &node.additional) {
            (Some(child), _) => !drops_null(value, child),
            (None, Additional::Schema(child)) => !drops_null(value, child),
            (None, Additional::Any) => true,
            (None, Additional::No) if node.preserve_unknown => true,
            (None, Additional::No) => {
                unknown.push(join(path, key));
                false
            }
        }
    });
    for (key, child) in &node.properties {
        if let Some(default) = &child.default {
            match map.get_mut(key) {
                None => {
                    map.insert(key.clone(), default.clone());
                }
                Some(value) if value.is_null() && !child.nullable => *value = default.clone(),
                Some(_) => {}
            }
        }
    }
    for (key, value) in map.iter_mut() {
        if kept_by_embedding(key) {
            // The metadata of the object itself is normalised by the caller, that of embedded objects here.
            if let ("metadata", Value::Object(meta), false) = (key.as_str(), &mut *value, path.is_empty()) {
                normalise_meta(meta, &join(path, key), unknown);
            }
            continue;
        }
        if let Some(child) = node.child(key) {
            if value.is_null()
                && !child.nullable
                && let Some(default) = &child.default
            {
                *value = default.clone();
            }
            if value.is_object() || value.is_array() {
                walk(value, child, &join(path, key), unknown);
            }
        }
    }
}

/// A null that the schema does not allow disappears, unless a default takes its place.
fn drops_null(value: &Value, node: &Node) -> bool {
    value.is_null() && !node.nullable && node.default.is_none()
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
