//! Admission webhooks that are played in the process. What they are asked and what becomes of their answers follows
//! `k8s.io/apiserver/pkg/admission/plugin/webhook` (0.35.4): `validating/dispatcher.go`, `errors/statuserror.go`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use base64::Engine;
use common::*;
use memory_apiserver::MemoryApiServer;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const THINGS: &str = "/apis/test.example.io/v1/namespaces/default/things";
const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/// A configuration of one webhook for Things, with `changes` to it.
fn configuration(kind: &str, changes: Value) -> Value {
    let mut webhook = json!({
        "name": "hook.example.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"service": {"namespace": "default", "name": "hooks", "path": "/check"}},
        "rules": [{"apiGroups": ["test.example.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["things"]}],
    });
    webhook.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "hooks"}, "webhooks": [webhook]})
}

async fn validating(server: &MemoryApiServer, changes: Value) {
    let (code, answer) = post(server, VALIDATING, configuration("ValidatingWebhookConfiguration", changes)).await;
    assert_eq!(code, 201, "{answer}");
}

/// Plays the webhooks with this function of a request, and keeps the requests.
fn play(server: &MemoryApiServer, respond: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Arc<Mutex<Vec<Value>>> {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = asked.clone();
    server.serve_webhooks("default", "hooks", move |path, body| {
        assert_eq!(path, "/check");
        let review: Value = serde_json::from_slice(body).unwrap();
        let request = &review["request"];
        let mut response = respond(request);
        response["uid"] = request["uid"].clone();
        kept.lock().unwrap().push(request.clone());
        (
            200,
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
                .to_string()
                .into_bytes(),
        )
    });
    asked
}

#[tokio::test]
async fn a_webhook_that_refuses_is_heard_with_its_own_code_words_and_causes_and_nothing_is_written() {
    let server = server();
    let causes = json!([{"reason": "FieldValueInvalid", "message": "no", "field": "spec.size"}]);
    let status =
        json!({"code": 422, "reason": "Invalid", "message": "size may not change", "details": {"causes": causes}});
    let asked = play(&server, move |request| {
        let changed = request["operation"] == "UPDATE" && request["object"]["spec"] != request["oldObject"]["spec"];
        if changed {
            json!({"allowed": false, "status": status})
        } else {
            json!({"allowed": true, "warnings": ["mind the gap"]})
        }
    });
    validating(&server, json!({})).await;
    let (code, headers, _) =
        raw(&server, "POST", THINGS, "application/json", "", body("a", json!({"size": 1})).to_string()).await;
    assert_eq!(code, 201);
    assert!(headers.get("warning").unwrap().to_str().unwrap().contains("mind the gap"));
    let path = format!("{THINGS}/a");
    let (code, status) = merge(&server, &path, json!({"spec": {"size": 2}})).await;
    let message = "admission webhook \"hook.example.io\" denied the request: size may not change";
    assert_eq!((code, status["reason"].as_str(), self::message(&status)), (422, Some("Invalid"), message));
    assert_eq!(status["details"]["causes"][0]["field"], "spec.size");
    assert_eq!(get(&server, &path).await.1["spec"]["size"], 1);
    assert_eq!(merge(&server, &path, json!({"metadata": {"labels": {"a": "b"}}})).await.0, 200);
    let asked = asked.lock().unwrap();
    let create = &asked[0];
    assert_eq!(
        (&create["operation"], &create["oldObject"], &create["dryRun"]),
        (&json!("CREATE"), &Value::Null, &json!(false))
    );
    assert_eq!((&create["name"], &create["namespace"]), (&json!("a"), &json!("default")));
    assert_eq!(create["resource"], json!({"group": "test.example.io", "version": "v1", "resource": "things"}));
    assert_eq!(create["object"]["kind"], "Thing");
}

#[tokio::test]
async fn a_refusal_without_a_word_says_that_there_was_none_and_is_no_success() {
    let server = server();
    play(&server, |_| json!({"allowed": false, "status": {"code": 200}}));
    validating(&server, json!({})).await;
    let (code, status) = post(&server, THINGS, body("a", json!({}))).await;
    let expected = "admission webhook \"hook.example.io\" denied the request without explanation";
    assert_eq!((code, message(&status)), (400, expected));
}

#[tokio::test]
async fn a_mutating_webhook_changes_the_object_before_its_schema_is_checked() {
    let server = server();
    play(&server, |request| {
        let size = if request["object"]["metadata"]["name"] == "good" { json!(7) } else { json!("seven") };
        let patch = json!([{"op": "add", "path": "/spec/size", "value": size}]).to_string();
        json!({"allowed": true, "patchType": "JSONPatch", "patch": base64::engine::general_purpose::STANDARD.encode(patch)})
    });
    let (code, _) = post(&server, MUTATING, configuration("MutatingWebhookConfiguration", json!({}))).await;
    assert_eq!(code, 201);
    let (code, thing) = post(&server, THINGS, body("good", json!({}))).await;
    assert_eq!((code, &thing["spec"]["size"]), (201, &json!(7)));
    assert_eq!(post(&server, THINGS, body("bad", json!({}))).await.0, 422);
}

#[tokio::test]
async fn who_is_not_named_by_a_rule_is_not_asked() {
    let server = server();
    let asked = play(&server, |_| json!({"allowed": true}));
    let rule = |operation: &str, resource: &str| json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": [operation], "resources": [resource]}]);
    validating(&server, json!({"rules": rule("DELETE", "things")})).await;
    assert_eq!(post(&server, THINGS, body("a", json!({}))).await.0, 201);
    assert!(asked.lock().unwrap().is_empty());
    assert_eq!(delete(&server, &format!("{THINGS}/a"), json!({})).await.0, 200);
    assert_eq!(asked.lock().unwrap()[0]["operation"], "DELETE");
    for (resource, calls) in [("things/status", 1), ("*/*", 1), ("pods", 0), ("*", 0)] {
        asked.lock().unwrap().clear();
        server
            .apply_object(configuration("ValidatingWebhookConfiguration", json!({"rules": rule("UPDATE", resource)})))
            .unwrap();
        let name = format!("t{}", asked.lock().unwrap().len());
        let _ = post(&server, THINGS, body(&name, json!({}))).await;
        merge(&server, &format!("{THINGS}/{name}/status"), json!({"status": {"phase": resource}})).await;
        assert_eq!(asked.lock().unwrap().len(), calls, "{resource}");
    }
}

#[tokio::test]
async fn who_cannot_be_called_stops_the_write_unless_it_may_fail() {
    let server = server();
    validating(&server, json!({})).await;
    let (code, status) = post(&server, THINGS, body("a", json!({}))).await;
    let why = "Internal error occurred: failed calling webhook \"hook.example.io\": failed to call webhook: Post \
               \"https://hooks.default.svc:443/check?timeout=10s\": service \"hooks\" not found";
    assert_eq!((code, message(&status)), (500, why));
    let ignored = configuration("ValidatingWebhookConfiguration", json!({"failurePolicy": "Ignore"}));
    server.apply_object(ignored).unwrap();
    assert_eq!(post(&server, THINGS, body("a", json!({}))).await.0, 201);
}

#[tokio::test]
async fn what_would_be_passed_over_is_refused() {
    let server = server();
    let condition = json!({"matchConditions": [{"name": "c", "expression": "true"}]});
    let (code, status) = post(&server, VALIDATING, configuration("ValidatingWebhookConfiguration", condition)).await;
    assert_eq!(code, 422);
    assert!(message(&status).contains("webhooks[0].matchConditions"), "{status}");
}
