//! The `Ready` condition of a claim, in either shape and either version of the claim.

use serde_json::{Value, json};

use crate::engine::Object;

use super::options::ConditionShape;

/// What the condition says; `None` as reason means ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict<'a> {
    pub(crate) problem: Option<&'a str>,
    pub(crate) message: &'a str,
}

/// The part of a status patch that carries the condition; nothing when the claim says so already.
pub(crate) fn ready_patch(
    claim: &Object,
    served_v1beta2: bool,
    shape: ConditionShape,
    verdict: Verdict<'_>,
    now: &str,
) -> Option<Value> {
    let status = if verdict.problem.is_none() { "True" } else { "False" };
    let reason = verdict.problem.unwrap_or("AddressAllocated");
    let place = match (shape, served_v1beta2) {
        (ConditionShape::V1Beta1, false) | (ConditionShape::V1Beta2, true) => "/conditions",
        (ConditionShape::V1Beta2, false) => "/v1beta2/conditions",
        (ConditionShape::V1Beta1, true) => "/deprecated/v1beta1/conditions",
    };
    let mut condition = json!({
        "type": "Ready", "status": status, "reason": reason, "message": verdict.message, "lastTransitionTime": now,
    });
    if let (ConditionShape::V1Beta1, Some(map)) = (shape, condition.as_object_mut()) {
        if verdict.problem.is_some() {
            map.insert("severity".to_owned(), "Error".into());
        }
        // This shape has a message or none, but no empty one.
        map.retain(|key, value| key != "message" || value != "");
    }
    let same = |old: &Value| ["status", "reason", "message"].iter().all(|key| old.get(*key) == condition.get(*key));
    if claim.status.pointer(place).and_then(|list| list.get(0)).is_some_and(same) {
        return None;
    }
    Some(place.rsplit('/').filter(|key| !key.is_empty()).fold(json!([condition]), |inner, key| json!({ key: inner })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_lands_where_readers_of_that_version_look() {
        let verdict = Verdict { problem: Some("PoolExhausted"), message: "pool ns/p has no free address" };
        for (shape, v1beta2, place) in [
            (ConditionShape::V1Beta1, false, "/conditions/0"),
            (ConditionShape::V1Beta2, true, "/conditions/0"),
            (ConditionShape::V1Beta2, false, "/v1beta2/conditions/0"),
            (ConditionShape::V1Beta1, true, "/deprecated/v1beta1/conditions/0"),
        ] {
            let patch = ready_patch(&Object::default(), v1beta2, shape, verdict, "2026-01-01T00:00:00Z").unwrap();
            let condition = patch.pointer(place).unwrap();
            assert_eq!(condition["reason"], "PoolExhausted");
            assert_eq!(condition["status"], "False");
            assert_eq!(condition.get("severity").is_some(), shape == ConditionShape::V1Beta1);
            let told = Object { status: patch, ..Object::default() };
            assert_eq!(ready_patch(&told, v1beta2, shape, verdict, "later"), None, "said once is enough");
        }
    }
}
