//! Conditions in the shape of either contract.

use serde_json::{Value, json};

/// One condition to be reported.
pub(super) struct Condition<'a> {
    pub(super) kind: &'a str,
    pub(super) status: bool,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
}

/// The list of conditions, times kept where the status did not change; `None` if nothing changed at all.
pub(super) fn update(old: Option<&Value>, wanted: &[Condition<'_>], v1beta2: bool, now: &str) -> Option<Value> {
    let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut changed = old.len() != wanted.len();
    let list = wanted.iter().map(|condition| {
        let status = if condition.status { "True" } else { "False" };
        let before = old.iter().find(|c| c.get("type").and_then(Value::as_str) == Some(condition.kind));
        let says = |key: &str, value: &str| before.and_then(|c| c.get(key)).and_then(Value::as_str) == Some(value);
        let same_status = says("status", status);
        changed |= !(same_status && says("reason", condition.reason) && says("message", condition.message));
        let time = before.filter(|_| same_status).and_then(|c| c.get("lastTransitionTime"));
        let mut json = json!({
            "type": condition.kind, "status": status, "reason": condition.reason, "message": condition.message,
            "lastTransitionTime": time.cloned().unwrap_or_else(|| now.into()),
        });
        if let (false, false, Some(map)) = (v1beta2, condition.status, json.as_object_mut()) {
            map.insert("severity".to_owned(), "Info".into());
        }
        json
    });
    let list: Vec<Value> = list.collect();
    changed.then(|| list.into())
}
