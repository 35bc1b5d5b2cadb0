//! Faults on demand, and the journal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use memory_apiserver::{Fault, MemoryApiServer, Stopped};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

async fn start() -> MemoryApiServer {
    let server = server();
    post(&server, THINGS_PATH, body("a", json!({"size": 1}))).await;
    server
}

fn grow(size: i32) -> Patch<serde_json::Value> {
    Patch::Merge(json!({"spec": {"size": size}}))
}

#[tokio::test]
async fn a_fault_strikes_whom_it_is_meant_for_as_often_as_it_is_meant_to() {
    let server = start().await;
    let fault = server
        .faults()
        .inject(Fault::conflict().user("u").verb("patch").resource("things").name("a").after(1).times(2));
    let (mine, other) = (things(&server, "u"), things(&server, "other"));
    let params = PatchParams::default();
    mine.patch("a", &params, &grow(2)).await.unwrap();
    other.patch("a", &params, &grow(3)).await.unwrap();
    assert_eq!(code(&mine.patch("a", &params, &grow(4)).await.unwrap_err()), 409);
    assert_eq!(mine.get("a").await.unwrap().data["spec"]["size"], 3, "reads are not meant, and nothing was written");
    assert_eq!(code(&mine.patch("a", &params, &grow(4)).await.unwrap_err()), 409);
    mine.patch("a", &params, &grow(4)).await.unwrap();
    assert_eq!(server.faults().hits(fault), 2);
}

/// In the words of kube-apiserver 1.35.4, asked with a webhook whose Service does not exist (apiserver,
/// `admission/plugin/webhook/validating/dispatcher.go`) and one that refuses (`admission/plugin/webhook/errors/statuserror.go`).
#[tokio::test]
async fn a_webhook_of_somebody_else_fails_or_refuses_in_the_servers_words_and_nothing_is_written() {
    let server = start().await;
    let why = "failed to call webhook: Post \"https://nobody.default.svc:443/validate?timeout=10s\": service \"nobody\" not found";
    server.faults().inject(Fault::webhook_unreachable("hooks.example.com", why).verb("patch").resource("things"));
    let patch = json!({"spec": {"size": 2}});
    let (code, status) = merge(&server, &format!("{THINGS_PATH}/a"), patch.clone()).await;
    let cause = format!("failed calling webhook \"hooks.example.com\": {why}");
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
        "message": format!("Internal error occurred: {cause}"), "details": {"causes": [{"message": cause}]},
    });
    assert_eq!((code, status), (500, expected));

    server
        .faults()
        .inject(Fault::webhook_denied("hooks.example.com", "not on a Friday").verb("patch").resource("things"));
    let (code, status) = merge(&server, &format!("{THINGS_PATH}/a"), patch.clone()).await;
    let expected = "admission webhook \"hooks.example.com\" denied the request: not on a Friday";
    assert_eq!((code, message(&status), &status["reason"]), (403, expected, &json!("Forbidden")));

    assert_eq!(get(&server, &format!("{THINGS_PATH}/a")).await.1["spec"]["size"], 1);
    assert_eq!(merge(&server, &format!("{THINGS_PATH}/a"), patch).await.0, 200);
}

#[tokio::test]
async fn any_status_can_be_answered() {
    let server = start().await;
    let faults = server.faults();
    faults.inject(Fault::status(503, "ServiceUnavailable", "away").verb("get"));
    faults.inject(Fault::status(500, "InternalError", "broken").verb("get"));
    let api = things(&server, "u");
    assert_eq!(code(&api.get("a").await.unwrap_err()), 503);
    assert_eq!(code(&api.get("a").await.unwrap_err()), 500);
    api.get("a").await.unwrap();
    let always = faults.inject(Fault::status(503, "ServiceUnavailable", "away").always());
    assert!(api.get("a").await.is_err() && api.list(&ListParams::default()).await.is_err());
    faults.remove(always);
    api.get("a").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_timeout_strikes_before_or_after_the_write_took_effect() {
    let server = start().await;
    let api = things(&server, "u");
    let size = || server.get("test.example.io", "things", Some("default"), "a").unwrap()["spec"]["size"].clone();
    for (fault, expected) in [(Fault::timeout_before(), 1), (Fault::timeout_after(), 7)] {
        server.faults().inject(fault);
        let params = PatchParams::default();
        let patch = grow(7);
        let attempt = tokio::time::timeout(Duration::from_secs(30), api.patch("a", &params, &patch));
        assert!(attempt.await.is_err(), "no answer");
        assert_eq!(size(), expected);
    }
    server.faults().inject(Fault::connection_error_before());
    assert!(api.patch("a", &PatchParams::default(), &grow(8)).await.is_err());
    assert_eq!(size(), 7);
    server.faults().inject(Fault::connection_error_after());
    assert!(api.patch("a", &PatchParams::default(), &grow(8)).await.is_err());
    assert_eq!(size(), 8);
}

#[tokio::test(start_paused = true)]
async fn latency_delays() {
    let server = start().await;
    server.faults().inject(Fault::latency(Duration::from_secs(5)));
    let started = tokio::time::Instant::now();
    things(&server, "u").get("a").await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_user_stops_after_its_nth_write() {
    for lose_answer in [false, true] {
        let server = start().await;
        server.faults().stop_after("u", 2, Stopped::Error, lose_answer);
        let api = things(&server, "u");
        let params = PatchParams::default();
        api.patch("a", &params, &grow(2)).await.unwrap();
        assert!(!server.faults().is_stopped("u"));
        assert_eq!(api.patch("a", &params, &grow(3)).await.is_err(), lose_answer, "the second is the last");
        assert!(server.faults().is_stopped("u"));
        assert!(api.patch("a", &params, &grow(4)).await.is_err() && api.get("a").await.is_err());
        let stored = things(&server, "other").get("a").await.unwrap();
        assert_eq!(stored.data["spec"]["size"], 3, "the second took effect either way");
        server.faults().resume("u");
        api.patch("a", &params, &grow(4)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_user_can_be_left_hanging() {
    let server = start().await;
    server.faults().stop_after("u", 0, Stopped::Hang, false);
    let api = things(&server, "u");
    assert!(tokio::time::timeout(Duration::from_secs(60), api.get("a")).await.is_err());
}

#[tokio::test]
async fn the_journal_tells_every_write_that_took_effect_in_order() {
    let server = server();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let journal = server.journal();
    journal.on_write(move |record| sink.lock().unwrap().push((record.sequence, record.verb, record.name.clone())));
    let mut stream = journal.subscribe();
    let before = journal.writes();
    let api = things(&server, "u");
    api.create(&PostParams::default(), &thing("a", json!({"size": 1}))).await.unwrap();
    api.create(&PostParams::default(), &thing("a", json!({"size": 1}))).await.unwrap_err();
    api.patch("a", &PatchParams::default(), &grow(1)).await.unwrap();
    api.patch_status("a", &PatchParams::default(), &Patch::Merge(json!({"status": {"ready": true}}))).await.unwrap();
    api.delete("a", &Default::default()).await.unwrap();
    let expected: Vec<_> = ["create", "patch", "delete"]
        .iter()
        .zip(before + 1..)
        .map(|(verb, sequence)| (sequence, *verb, "a".to_owned()))
        .collect();
    assert_eq!(*seen.lock().unwrap(), expected);
    let created = stream.recv().await.unwrap();
    assert_eq!(
        (&*created.user, &*created.group, &*created.version, &*created.resource),
        ("u", "test.example.io", "v1", "things")
    );
    assert_eq!((created.code, created.old.is_none()), (201, true));
    let patched = stream.recv().await.unwrap();
    assert_eq!((patched.subresource.as_str(), patched.namespace.as_str()), ("status", "default"));
    assert_eq!(patched.new.as_ref().unwrap()["status"]["ready"], true);
    assert!(patched.old.as_ref().unwrap().get("status").is_none());
    assert!(stream.recv().await.unwrap().new.is_none());
    assert_eq!(journal.count(Some("u"), Some("things")), 3);
    assert_eq!(journal.count_requests(Some("u"), Some("create"), Some("things")), 2, "refused ones are requests too");
    assert_eq!(journal.count_requests(Some("u"), Some("patch"), Some("things/status")), 1);
    assert_eq!(journal.records().len() as u64, journal.writes());
}

#[tokio::test(start_paused = true)]
async fn the_servers_time_is_tokios() {
    let start: jiff::Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    let server = MemoryApiServer::builder().start_time(start).build();
    server.apply_manifest(THINGS).unwrap();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let (_, object) = post(&server, THINGS_PATH, body("a", json!({}))).await;
    assert_eq!(object["metadata"]["creationTimestamp"], "2030-01-01T01:00:00Z");
}
