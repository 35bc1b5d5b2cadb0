//! JSON merge patch (RFC 7386).

use crate::meta::object_mut;
use serde_json::Value;

/// Merges `patch` into `target`: null removes, objects merge, anything else replaces.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    let target = object_mut(target);
    for (key, change) in changes {
        if change.is_null() {
            target.shift_remove(key);
        } else {
            merge(target.entry(key.as_str()).or_insert(Value::Null), change);
        }
    }
}
