//! Who wrote, told by the object alone: where no journal is to be had, as on a real server.

use serde_json::Value;

use crate::text;

/// The field manager that made this write, as far as the object's `metadata.managedFields` tell; empty if they do not.
pub fn writer(old: Option<&Value>, new: &Value) -> String {
    let before = entries(old.unwrap_or(&Value::Null));
    let after = entries(new);
    let identity =
        |entry: &Value| ["/manager", "/operation", "/subresource"].map(|field| text(entry, field).to_owned());
    let earlier = |entry: &Value| before.iter().copied().find(|other| identity(other) == identity(entry));
    // The time of an entry is that of its manager's last write, in seconds.
    let is_newer = |entry: &&&Value| earlier(entry).is_none_or(|other| other.get("time") != entry.get("time"));
    // Within one second its fields tell: who writes a field takes it away from others, so the one that gained wrote.
    let has_gained = |entry: &&&Value| {
        let fields = |entry: &Value| entry.get("fieldsV1").cloned().unwrap_or_default();
        earlier(entry).is_some_and(|other| gains(&fields(other), &fields(entry)))
    };
    // Who only takes something away, or writes the same field twice, is at least the last one.
    let newest = || {
        let last = after.iter().map(|entry| text(entry, "/time")).max()?;
        let mut of_last = after.iter().filter(|entry| text(entry, "/time") == last);
        of_last.next().filter(|_| of_last.next().is_none())
    };
    let found = after.iter().find(is_newer).or_else(|| after.iter().find(has_gained)).or_else(newest);
    found.map(|entry| text(entry, "/manager").to_owned()).unwrap_or_default()
}

/// Whether `after` names a field that `before` does not.
fn gains(before: &Value, after: &Value) -> bool {
    let members = after.as_object().into_iter().flatten();
    members.into_iter().any(|(field, after)| before.get(field).is_none_or(|before| gains(before, after)))
}

fn entries(object: &Value) -> Vec<&Value> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(entries: Value) -> Value {
        json!({"metadata": {"managedFields": entries}})
    }

    #[test]
    fn the_writer_is_the_one_whose_entry_is_newer_or_gained_a_field() {
        let entry = |manager: &str, time: &str, fields: &[&str]| {
            let fields: serde_json::Map<String, Value> =
                fields.iter().map(|field| ((*field).to_owned(), json!({}))).collect();
            json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": {"f:spec": fields}})
        };
        let made = object(json!([entry("kubectl", "1", &["f:a", "f:b"])]));
        let joined = object(json!([entry("kubectl", "1", &["f:a", "f:b"]), entry("capt-manager", "2", &["f:c"])]));
        let took = object(json!([entry("kubectl", "1", &["f:a"]), entry("capt-manager", "2", &["f:b", "f:c"])]));
        let removed = object(json!([entry("kubectl", "1", &[]), entry("capt-manager", "2", &["f:b", "f:c"])]));
        let back = object(json!([entry("kubectl", "3", &["f:b"]), entry("capt-manager", "2", &["f:c"])]));
        let both = object(json!([entry("kubectl", "3", &["f:b"]), entry("capt-manager", "3", &["f:c"])]));
        assert_eq!(writer(None, &made), "kubectl");
        assert_eq!(writer(Some(&made), &joined), "capt-manager");
        assert_eq!(writer(Some(&joined), &took), "capt-manager", "and kubectl lost a field in the same second");
        assert_eq!(writer(Some(&took), &removed), "capt-manager", "it wrote last");
        assert_eq!(writer(Some(&removed), &back), "kubectl");
        assert_eq!(writer(Some(&both), &both), "", "nothing tells");
    }
}
