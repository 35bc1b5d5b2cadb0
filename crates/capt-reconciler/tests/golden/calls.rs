//! The 30 admission calls that Go CAPT v0.7.0 was recorded with, and what is to be answered to them.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// One of them.
pub struct Call {
    pub name: String,
    pub path: String,
    pub body: Vec<u8>,
    /// The status of the HTTP answer.
    pub http: u64,
    /// A whole AdmissionReview with its patch decoded, or text.
    pub answer: Value,
}

/// All of them.
pub fn calls() -> Vec<Call> {
    let cases = cases();
    assert_eq!(cases.len(), 30);
    let mut wanted: Vec<_> = WANTED.to_vec();
    let call = |case: &Value| {
        let name = case["case"].as_str().unwrap().to_owned();
        let mut answer = recorded(case);
        if let Some(at) = wanted.iter().position(|(wanted, _)| *wanted == name) {
            let (_, change) = wanted.remove(at);
            change(&mut answer);
            assert_ne!(answer, recorded(case), "{name}: not a difference");
        }
        let path = case["path"].as_str().unwrap().to_owned();
        Call { name, path, body: request(case), http: case["http"].as_u64().unwrap(), answer }
    };
    let calls = cases.iter().map(call).collect();
    assert!(wanted.is_empty(), "a wanted difference that no recorded call shows: {:?}", wanted.first().unwrap().0);
    calls
}

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
    let mut golden: Value = serde_json::from_str(include_str!("webhooks.json")).unwrap();
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

/// An answer with its patch decoded, as in the recording.
pub fn decoded(body: Vec<u8>) -> Value {
    let Ok(mut review) = serde_json::from_slice::<Value>(&body) else {
        return Value::String(String::from_utf8(body).unwrap());
    };
    if let Some(patch) = review["response"].get_mut("patch") {
        let ByteString(bytes) = serde_json::from_value(patch.take()).unwrap();
        *patch = serde_json::from_slice(&bytes).unwrap();
    }
    review
}
