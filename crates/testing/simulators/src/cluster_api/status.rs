//! Patches of status that are sent only when they change something.

use serde_json::Value;

use crate::engine::{Error, Object, Store};

/// Whether a merge patch would leave the value as it is.
fn changes_nothing(value: &Value, patch: &Value) -> bool {
    match (value, patch) {
        (Value::Object(value), Value::Object(patch)) => patch.iter().all(|(key, patch)| match value.get(key) {
            Some(value) => changes_nothing(value, patch),
            None => patch.is_null(),
        }),
        (value, patch) => value == patch,
    }
}

/// Merges into the status, unless it says all that already.
pub(super) async fn report(store: &Store, object: &Object, status: Value) -> Result<(), Error> {
    if !changes_nothing(&object.status, &status) {
        let patch = serde_json::json!({ "status": status });
        store.patch_status(&object.key(), &patch).await?;
    }
    Ok(())
}

/// Merges into the spec, unless it says all that already.
pub(super) async fn specify(store: &Store, object: &Object, spec: Value) -> Result<(), Error> {
    if !changes_nothing(&object.spec, &spec) {
        let patch = serde_json::json!({ "spec": spec });
        store.patch(&object.key(), &patch).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_that_says_nothing_new_is_known_as_such() {
        let value = json!({"a": 1, "b": {"c": "x", "d": 2}, "e": [1]});
        for (patch, nothing) in [
            (json!({}), true),
            (json!({"a": 1}), true),
            (json!({"b": {"c": "x"}}), true),
            (json!({"f": null}), true),
            (json!({"a": 2}), false),
            (json!({"b": {"c": null}}), false),
            (json!({"b": {"n": 1}}), false),
            (json!({"e": [1, 2]}), false),
        ] {
            assert_eq!(changes_nothing(&value, &patch), nothing, "{patch}");
        }
    }
}
