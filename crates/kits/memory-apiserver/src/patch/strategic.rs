//! Strategic merge patch of built-in kinds, approximated: a merge patch in which the lists that the API merges by key
//! (or as sets) are merged so, and the directives for deleting and replacing are honoured.

use crate::meta::object_mut;
use serde_json::{Map, Value};

/// The lists of built-in kinds that merge by a key, by field name.
const KEYED: [(&str, &[&str]); 11] = [
    ("conditions", &["type"]),
    ("ownerReferences", &["uid"]),
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("volumes", &["name"]),
    ("env", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("secrets", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("addresses", &["type"]),
    ("ports", &["containerPort", "port"]),
];

pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if changes.get("$patch").and_then(Value::as_str) == Some("replace") {
        *target = Value::Object(without_directives(changes));
        return;
    }
    let target = object_mut(target);
    for (key, change) in changes {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(list)), Value::Array(gone)) = (target.get_mut(field), change) {
                list.retain(|item| !gone.contains(item));
            }
        } else if key.starts_with('$') {
            // Ordering hints do not change the content.
        } else if change.is_null() {
            target.shift_remove(key);
        } else {
            let slot = target.entry(key.as_str()).or_insert(Value::Null);
            match (slot, change) {
                (Value::Array(list), Value::Array(items)) => merge_list(key, list, items),
                (slot, Value::Array(items)) => {
                    let mut list = Vec::new();
                    merge_list(key, &mut list, items);
                    *slot = Value::Array(list);
                }
                (slot, change) => merge(slot, change),
            }
        }
    }
}

fn merge_list(field: &str, list: &mut Vec<Value>, items: &[Value]) {
    if field == "finalizers" {
        // The patch's come first.
        list.retain(|item| !items.contains(item));
        list.splice(0..0, items.iter().cloned());
        return;
    }
    let keys = KEYED.iter().find(|(name, _)| *name == field).map(|(_, keys)| *keys);
    let key = keys.and_then(|keys| keys.iter().find(|key| items.iter().any(|item| item.get(**key).is_some())));
    let replaces = items.iter().any(|item| directive(item) == Some("replace"));
    let Some(key) = key.filter(|_| !replaces) else {
        *list = items.iter().filter(|item| directive(item).is_none()).cloned().collect();
        return;
    };
    for item in items {
        let found = list.iter().position(|existing| existing.get(key) == item.get(key));
        match (found, directive(item)) {
            (Some(at), Some("delete")) => {
                list.remove(at);
            }
            (None, Some("delete")) => {}
            (Some(at), _) => {
                if let Some(existing) = list.get_mut(at) {
                    merge(existing, item);
                }
            }
            (None, _) => list.push(item.clone()),
        }
    }
}

fn directive(item: &Value) -> Option<&str> {
    item.get("$patch").and_then(Value::as_str)
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter().filter(|(key, _)| !key.starts_with('$')).map(|(k, v)| (k.clone(), v.clone())).collect()
}
