//! The conversion webhook: from the bytes of a ConversionReview to the bytes of its answer, without a server.
//!
//! There is one version of our kinds, so an API server has nothing to convert. The definitions name this webhook all the same
//! (`clusterctl upgrade` merges definitions, and those of Go CAPT name one), and what is named must answer: an object that is at
//! the wanted version already comes back as it is, whatever is missing in it, and another version is refused by name.

use capt_api::contract::{INFRASTRUCTURE_GROUP, INFRASTRUCTURE_VERSION};
use serde_json::{Map, Value, json};

/// Path of the URL.
pub use capt_api::contract::CONVERSION_PATH as PATH;

const GROUP: &str = "apiextensions.k8s.io";
const KIND: &str = "ConversionReview";

/// Answers one call. What is no ConversionReview is refused inside one.
#[must_use]
pub fn answer(body: &[u8]) -> Vec<u8> {
    let (version, response) = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut review)) => {
            let version = match review.remove("apiVersion") {
                Some(Value::String(version)) if version.starts_with(GROUP) => version,
                _ => preferred(),
            };
            let request = match review.remove("request") {
                Some(Value::Object(request)) => request,
                _ => Map::new(),
            };
            (version, respond(request))
        }
        Ok(_) => (preferred(), failed("", "the review is no object")),
        Err(error) => (preferred(), failed("", &format!("the review cannot be read: {error}"))),
    };
    json!({ "kind": KIND, "apiVersion": version, "response": response }).to_string().into_bytes()
}

/// Refuses a call that cannot be read at all.
#[must_use]
pub fn refuse(why: &str) -> Vec<u8> {
    json!({ "kind": KIND, "apiVersion": preferred(), "response": failed("", why) }).to_string().into_bytes()
}

fn preferred() -> String {
    format!("{GROUP}/v1")
}

fn respond(mut request: Map<String, Value>) -> Value {
    let text = |member: &str| request.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (uid, wanted) = (text("uid"), text("desiredAPIVersion"));
    let objects = match request.remove("objects") {
        Some(Value::Array(objects)) => objects,
        _ => return failed(&uid, "request.objects is no list"),
    };
    let ours = format!("{INFRASTRUCTURE_GROUP}/{INFRASTRUCTURE_VERSION}");
    if wanted != ours {
        return failed(&uid, &format!("there is no version {wanted:?}, only {ours}"));
    }
    let version = |object: &Value| object.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    match objects.iter().map(version).find(|version| *version != ours) {
        Some(version) => failed(&uid, &format!("there is no version {version:?}, only {ours}")),
        None => json!({ "uid": uid, "convertedObjects": objects, "result": { "status": "Success" } }),
    }
}

fn failed(uid: &str, why: &str) -> Value {
    json!({ "uid": uid, "convertedObjects": [], "result": { "status": "Failure", "message": why } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(review: &Value) -> Value {
        serde_json::from_slice(&answer(review.to_string().as_bytes())).unwrap()
    }

    fn review(wanted: &str, objects: &Value) -> Value {
        json!({"kind": KIND, "apiVersion": "apiextensions.k8s.io/v1",
            "request": {"uid": "u", "desiredAPIVersion": wanted, "objects": objects}})
    }

    #[test]
    fn an_object_of_our_version_comes_back_as_it_is_even_if_it_is_a_fragment() {
        let version = "infrastructure.cluster.x-k8s.io/v1beta1";
        let objects = json!([
            {"apiVersion": version, "kind": "TinkerbellMachine", "spec": {"unknown": [1, null]}, "extra": "kept"},
            {"apiVersion": version, "kind": "TinkerbellCluster"},
        ]);
        let answered = ask(&review(version, &objects));
        assert_eq!((&answered["kind"], &answered["apiVersion"]), (&KIND.into(), &"apiextensions.k8s.io/v1".into()));
        let expected = json!({"uid": "u", "convertedObjects": objects, "result": {"status": "Success"}});
        assert_eq!(answered["response"], expected);
    }

    #[test]
    fn a_version_that_is_not_there_is_refused_and_no_object_is_made_up() {
        let (ours, other) = ("infrastructure.cluster.x-k8s.io/v1beta1", "infrastructure.cluster.x-k8s.io/v1beta2");
        for (wanted, at) in [(other, ours), (ours, other), ("", ours), (ours, "")] {
            let response = ask(&review(wanted, &json!([{"apiVersion": at}])))["response"].clone();
            assert_eq!((&response["uid"], &response["convertedObjects"]), (&"u".into(), &json!([])), "{wanted} {at}");
            assert_eq!(response["result"]["status"], "Failure");
            assert!(response["result"]["message"].as_str().unwrap().contains("there is no version"), "{response}");
        }
    }

    #[test]
    fn whatever_is_sent_gets_a_review_for_an_answer() {
        let odd = [&b""[..], b"{", b"[]", b"7", b"\xff", br#"{"request":7}"#, br#"{"request":{"objects":{}}}"#];
        for body in odd {
            let answered: Value = serde_json::from_slice(&answer(body)).unwrap();
            assert_eq!(answered["kind"], KIND);
            assert_eq!(answered["response"]["result"]["status"], "Failure", "{answered}");
        }
        let old = ask(&json!({"apiVersion": "apiextensions.k8s.io/v1beta1", "request": {"uid": "u"}}));
        assert_eq!(old["apiVersion"], "apiextensions.k8s.io/v1beta1", "it is answered in the version it came in");
    }
}
