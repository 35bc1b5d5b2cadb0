//! Our answers beside what Go CAPT v0.7.0 answered to the same 30 admission calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use capt_reconciler::admission::answer;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// Makes a recorded answer ours.
type Change = fn(&mut Value);

/// What we answer in another way, by case.
const WANTED: [(&str, Change); 5] = [
    ("template_update_changed_topology_dryrun", allow),
    ("cluster_default_empty", leave_status_alone),
    ("cluster_default_ubuntu_upper", leave_status_alone),
    ("cluster_default_other_distro", leave_status_alone),
    ("cluster_default_update", leave_status_alone),
];

/// The topology controller may try what it would like to change.
fn allow(recorded: &mut Value) {
    recorded["response"] = json!({"uid": "u-1", "allowed": true, "status": {"metadata": {}, "code": 200}});
}

/// Go CAPT adds an empty status, which comes from how Go writes JSON.
fn leave_status_alone(recorded: &mut Value) {
    recorded["response"]["patch"].as_array_mut().unwrap().retain(|operation| operation["path"] != "/status");
}

fn cases() -> Vec<Value> {
    let mut golden: Value = serde_json::from_str(include_str!("golden/webhooks.json")).unwrap();
    serde_json::from_value(golden["cases"].take()).unwrap()
}

fn request(case: &Value) -> Vec<u8> {
    if let Some(body) = case.get("body") {
        return body.as_str().unwrap().as_bytes().to_vec();
    }
    let (group, version, kind) = ("infrastructure.cluster.x-k8s.io", "v1beta1", case["kind"].as_str().unwrap());
    let object = |member: &str| {
        let object = case.get(member)?;
        let mut metadata = json!({"name": "x", "namespace": "d"});
        if let Some(annotations) = object.get("annotations") {
            metadata["annotations"] = annotations.clone();
        }
        let api_version = format!("{group}/{version}");
        Some(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": object["spec"]}))
    };
    let review = json!({
        "apiVersion": format!("admission.k8s.io/{}", case["review"].as_str().unwrap()),
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": {"group": group, "version": version, "kind": kind},
            "resource": {"group": group, "version": version, "resource": format!("{}s", kind.to_lowercase())},
            "name": "x",
            "namespace": "d",
            "operation": case["operation"],
            "userInfo": {},
            "object": object("new"),
            "oldObject": object("old"),
            "dryRun": case.get("dryRun").is_some(),
            "options": {},
        },
    });
    review.to_string().into_bytes()
}

/// The recorded answer: a whole AdmissionReview, or text.
fn recorded(case: &Value) -> Value {
    if let Some(text) = case.get("text") {
        return text.clone();
    }
    let mut review = json!({"response": case["response"]});
    if let Some(version) = case["answeredAs"].as_str() {
        review["kind"] = json!("AdmissionReview");
        review["apiVersion"] = json!(format!("admission.k8s.io/{version}"));
    }
    review
}

/// Our answer with its patch decoded, as in the recording.
fn ours(body: Vec<u8>) -> Value {
    let Ok(mut review) = serde_json::from_slice::<Value>(&body) else {
        return Value::String(String::from_utf8(body).unwrap());
    };
    if let Some(patch) = review["response"].get_mut("patch") {
        let ByteString(bytes) = serde_json::from_value(patch.take()).unwrap();
        *patch = serde_json::from_slice(&bytes).unwrap();
    }
    review
}

#[test]
fn every_recorded_call_is_answered_as_go_capt_did_but_for_the_wanted_differences() {
    let cases = cases();
    assert_eq!(cases.len(), 30);
    let mut used = Vec::new();
    for case in &cases {
        let name = case["case"].as_str().unwrap();
        let mut expected = recorded(case);
        let difference = WANTED.iter().find(|(wanted, _)| *wanted == name);
        if let Some((wanted, change)) = difference {
            change(&mut expected);
            assert_ne!(expected, recorded(case), "{name}: not a difference");
            used.push(*wanted);
        }
        let answer = answer(case["path"].as_str().unwrap(), &request(case));
        assert_eq!(u64::from(answer.http), case["http"], "{name}");
        assert_eq!(ours(answer.body), expected, "{name}");
    }
    assert_eq!(used.len(), WANTED.len(), "a wanted difference that no recorded call shows: used {used:?}");
}
