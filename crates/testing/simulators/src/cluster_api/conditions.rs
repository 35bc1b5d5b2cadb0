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
        let told = |key: &str| before.and_then(|c| c.get(key)).and_then(Value::as_str).unwrap_or_default();
        let same_status = told("status") == status;
        changed |= !same_status || told("reason") != condition.reason || told("message") != condition.message;
        let time = before.filter(|_| same_status).and_then(|c| c.get("lastTransitionTime"));
        let mut json = json!({
            "type": condition.kind, "status": status, "reason": condition.reason, "message": condition.message,
            "lastTransitionTime": time.cloned().unwrap_or_else(|| now.into()),
        });
        if let (false, Some(map)) = (v1beta2, json.as_object_mut()) {
            if !condition.status {
                map.insert("severity".to_owned(), "Info".into());
            }
            // The older shape has a message or none, but no empty one.
            map.retain(|key, value| key != "message" || value != "");
        }
        json
    });
    let list: Vec<Value> = list.collect();
    changed.then(|| list.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_news_is_not_written_twice_in_either_shape() {
        for v1beta2 in [true, false] {
            for message in ["", "on hw"] {
                let wanted = |status| [Condition { kind: "Ready", status, reason: "R", message }];
                let first = update(None, &wanted(false), v1beta2, "then").unwrap();
                assert_eq!(update(Some(&first), &wanted(false), v1beta2, "now"), None);
                let second = update(Some(&first), &wanted(true), v1beta2, "now").unwrap();
                assert_eq!(second[0]["lastTransitionTime"], "now");
            }
        }
    }
}
