//! Reading and writing `metadata` of objects held as plain JSON.

use serde_json::{Map, Value, json};

pub(crate) fn meta(object: &Value) -> Option<&Map<String, Value>> {
    object.get("metadata").and_then(Value::as_object)
}

/// `metadata` as a map, made if it is missing or something else.
pub(crate) fn meta_mut(object: &mut Value) -> &mut Map<String, Value> {
    map_at(object_mut(object), "metadata")
}

/// The value as a map; anything else is replaced by an empty one.
pub(crate) fn object_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// The map under `key`, made if it is missing or something else.
pub(crate) fn map_at<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    object_mut(map.entry(key).or_insert_with(|| Value::Object(Map::new())))
}

pub(crate) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn meta_text<'a>(object: &'a Value, key: &str) -> &'a str {
    meta(object).and_then(|m| m.get(key)).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn name(object: &Value) -> &str {
    meta_text(object, "name")
}

pub(crate) fn namespace(object: &Value) -> &str {
    meta_text(object, "namespace")
}

pub(crate) fn uid(object: &Value) -> &str {
    meta_text(object, "uid")
}

pub(crate) fn is_terminating(object: &Value) -> bool {
    meta(object).and_then(|m| m.get("deletionTimestamp")).is_some_and(|t| !t.is_null())
}

pub(crate) fn generation(object: &Value) -> i64 {
    meta(object).and_then(|m| m.get("generation")).and_then(Value::as_i64).unwrap_or(0)
}

pub(crate) fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    let list = meta(object).and_then(|m| m.get("finalizers")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// What holds a Namespace besides its own finalizers: `spec.finalizers`.
pub(crate) fn finalizers_of_spec(object: &Value) -> impl Iterator<Item = &str> {
    let list = object.pointer("/spec/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

pub(crate) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    finalizers(object).any(|f| f == finalizer)
}

/// Sets `metadata.finalizers`, or removes the key when there is none left.
pub(crate) fn set_finalizers(object: &mut Value, finalizers: Vec<String>) {
    let meta = meta_mut(object);
    if finalizers.is_empty() {
        meta.shift_remove("finalizers");
    } else {
        meta.insert("finalizers".to_owned(), json!(finalizers));
    }
}

pub(crate) fn owner_references(object: &Value) -> &[Value] {
    let list = meta(object).and_then(|m| m.get("ownerReferences")).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// Group and version of an `apiVersion`.
pub(crate) fn group_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// `group/version`, or the version alone for the core group.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}
