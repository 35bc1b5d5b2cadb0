//! Calls to the webhooks.

use capt_reconciler::admission::{self, REGISTRATIONS};
use capt_reconciler::conversion;
use serde_json::Value;

/// The first byte of a call that asks for a conversion.
const CONVERSION: u8 = 255;

/// The first byte chooses the webhook, the rest is the body. Every body gets an answer that an API server understands.
///
/// # Panics
/// When the answer is no review, or is not about the call.
pub fn review(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    if *first == CONVERSION {
        return converted(body);
    }
    let Some(registration) = REGISTRATIONS.get(usize::from(*first) % REGISTRATIONS.len().max(1)) else { return };
    let answer = admission::answer(registration.path, body);
    assert_eq!(answer.http, 200);
    let answered = serde_json::from_slice::<Value>(&answer.body);
    assert!(answered.is_ok(), "the answer is no JSON");
    let answered = answered.unwrap_or_default();
    let decided = answered.pointer("/response/allowed").and_then(Value::as_bool);
    assert!(decided.is_some(), "the answer decides nothing: {answered}");
    let uid = |review: &Value, pointer| review.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if decided == Some(true)
        && let Ok(asked) = serde_json::from_slice::<Value>(body)
    {
        assert_eq!(uid(&answered, "/response/uid"), uid(&asked, "/request/uid"), "an answer to another call");
    }
}

/// A conversion succeeds with as many objects as were sent, or fails with none.
fn converted(body: &[u8]) {
    let answered = serde_json::from_slice::<Value>(&conversion::answer(body)).unwrap_or_default();
    let count = |review: &Value, pointer| review.pointer(pointer).and_then(Value::as_array).map(Vec::len);
    let sent = serde_json::from_slice::<Value>(body).ok().and_then(|review| count(&review, "/request/objects"));
    let expected = match answered.pointer("/response/result/status").and_then(Value::as_str) {
        Some("Success") => sent,
        Some("Failure") => Some(0),
        _ => None,
    };
    assert!(expected.is_some(), "the answer decides nothing: {answered}");
    assert_eq!(count(&answered, "/response/convertedObjects"), expected, "objects were lost or made up");
}
