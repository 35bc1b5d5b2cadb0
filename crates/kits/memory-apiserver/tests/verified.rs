//! Answers seen on a real kube-apiserver 1.35.4, one test for each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use memory_apiserver::{Fault, MemoryApiServer};
use serde_json::{Value, json};
use std::time::Duration;

const UNPROCESSABLE: &str = "the server rejected our request due to an error in our request";

async fn with_a(server: &MemoryApiServer) -> (String, Value) {
    let (code, object) = post(server, THINGS_PATH, body("a", json!({"size": 1}))).await;
    assert_eq!(code, 201, "{object}");
    (format!("{THINGS_PATH}/a"), object)
}

fn reason(status: &Value) -> &str {
    status["reason"].as_str().unwrap()
}

#[tokio::test]
async fn a_json_patch_that_cannot_be_applied_is_422_whatever_the_cause() {
    let server = server();
    let (path, _) = with_a(&server).await;
    for patch in [
        json!([{"op": "test", "path": "/spec/size", "value": 9}]),
        json!([{"op": "remove", "path": "/spec/absent"}]),
        json!([{"op": "add", "path": "/spec/absent/-", "value": 1}]),
        json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]),
    ] {
        let (code, status) = json_patch(&server, &path, patch.clone()).await;
        assert_eq!((code, reason(&status), message(&status)), (422, "Invalid", UNPROCESSABLE), "{patch}");
    }
}

#[tokio::test]
async fn a_json_patch_that_replaces_a_stale_resource_version_is_a_conflict() {
    let server = server();
    let (path, _) = with_a(&server).await;
    let patch = json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}]);
    let (code, status) = json_patch(&server, &path, patch).await;
    assert_eq!((code, reason(&status)), (409, "Conflict"));
    assert_eq!(
        message(&status),
        "Operation cannot be fulfilled on things.test.example.io \"a\": the object has been modified; please apply your \
         changes to the latest version and try again"
    );
}

#[tokio::test]
async fn a_merge_patch_with_a_stale_resource_version_is_a_conflict() {
    let server = server();
    let (path, object) = with_a(&server).await;
    merge(&server, &path, json!({"spec": {"size": 2}})).await;
    let stale = json!({"metadata": {"resourceVersion": object["metadata"]["resourceVersion"]}, "spec": {"size": 3}});
    let (code, status) = merge(&server, &path, stale).await;
    assert_eq!((code, reason(&status)), (409, "Conflict"));
}

#[tokio::test]
async fn a_merge_patch_with_a_wrong_uid_is_invalid() {
    let server = server();
    let (path, _) = with_a(&server).await;
    let (code, status) = merge(&server, &path, json!({"metadata": {"uid": "other"}})).await;
    assert_eq!((code, reason(&status)), (422, "Invalid"));
    assert!(message(&status).contains("metadata.uid: Invalid value: \"other\": field is immutable"), "{status}");
}

#[tokio::test]
async fn a_delete_with_a_wrong_uid_is_a_conflict() {
    let server = server();
    let (path, object) = with_a(&server).await;
    let (code, status) = delete(&server, &path, json!({"preconditions": {"uid": "other"}})).await;
    assert_eq!((code, reason(&status)), (409, "Conflict"));
    let uid = object["metadata"]["uid"].as_str().unwrap();
    let expected = format!("the UID in the precondition (other) does not match the UID in record ({uid})");
    assert!(message(&status).contains(&expected), "{status}");
}

#[tokio::test]
async fn a_patch_that_changes_nothing_leaves_no_trace() {
    let server = server();
    let (path, object) = with_a(&server).await;
    let before = server.journal().writes();
    let (code, same) = merge(&server, &path, json!({"spec": {"size": 1}})).await;
    assert_eq!(code, 200);
    assert_eq!(same["metadata"]["resourceVersion"], object["metadata"]["resourceVersion"]);
    assert_eq!(same["metadata"]["generation"], object["metadata"]["generation"]);
    assert_eq!(server.journal().writes(), before, "neither write nor event");
}

#[tokio::test]
async fn deleting_an_object_with_finalizers_marks_it_and_raises_its_generation() {
    let server = server();
    let (path, _) = with_a(&server).await;
    merge(&server, &path, json!({"metadata": {"finalizers": ["a.io/x"]}})).await;
    let (code, marked) = delete(&server, &path, json!({})).await;
    assert_eq!((code, &marked["kind"]), (200, &json!("Thing")));
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(marked["metadata"]["generation"], 2);
}

#[tokio::test]
async fn a_terminating_object_takes_no_new_finalizers() {
    let server = server();
    let (path, _) = with_a(&server).await;
    merge(&server, &path, json!({"metadata": {"finalizers": ["a.io/x"]}})).await;
    delete(&server, &path, json!({})).await;
    let (code, status) = merge(&server, &path, json!({"metadata": {"finalizers": ["a.io/x", "a.io/y"]}})).await;
    assert_eq!(code, 422);
    let expected = "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found \
                    new finalizers []string{\"a.io/y\"}";
    assert!(message(&status).contains(expected), "{status}");
}

#[tokio::test]
async fn the_spec_of_a_terminating_object_can_change() {
    let server = server();
    let (path, _) = with_a(&server).await;
    merge(&server, &path, json!({"metadata": {"finalizers": ["a.io/x"]}})).await;
    delete(&server, &path, json!({})).await;
    let (code, changed) = merge(&server, &path, json!({"spec": {"size": 5}})).await;
    assert_eq!((code, &changed["spec"]["size"]), (200, &json!(5)));
    assert_eq!(changed["metadata"]["generation"], 3);
}

#[tokio::test]
async fn a_strategic_merge_patch_of_a_custom_resource_is_an_unsupported_media_type() {
    let server = server();
    let (path, _) = with_a(&server).await;
    let kind = "application/strategic-merge-patch+json";
    let (code, _, status) = raw(&server, "PATCH", &path, kind, "application/json", "{}").await;
    assert_eq!((code, reason(&status)), (415, "UnsupportedMediaType"));
}

#[tokio::test]
async fn a_list_from_the_future_times_out() {
    let server = server();
    let (code, status) = get(&server, &format!("{THINGS_PATH}?resourceVersion=1000000")).await;
    assert_eq!((code, reason(&status)), (504, "Timeout"));
    assert_eq!(status["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(status["details"]["retryAfterSeconds"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_kind_can_be_missing_for_a_while() {
    let server = MemoryApiServer::builder().crd_delay(Duration::from_secs(1)).build();
    server.apply_manifest(THINGS).unwrap();
    assert_eq!(get(&server, THINGS_PATH).await, (404, json!("404 page not found\n")));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(get(&server, THINGS_PATH).await.0, 200);
}

#[tokio::test]
async fn a_new_kind_can_be_too_busy_for_a_while() {
    let server = server();
    server.faults().inject(Fault::too_many_requests(1).verb("list").resource("things"));
    let (code, headers, status) = raw(&server, "GET", THINGS_PATH, "", "application/json", "").await;
    assert_eq!(
        (code, reason(&status), &headers["retry-after"]),
        (429, "TooManyRequests", &"1".parse::<http::HeaderValue>().unwrap())
    );
    assert_eq!(get(&server, THINGS_PATH).await.0, 200);
}

#[tokio::test]
async fn a_status_cannot_be_deleted_and_deleting_it_deletes_nothing() {
    let server = server();
    let (path, _) = with_a(&server).await;
    let (code, status) = delete(&server, &format!("{path}/status"), json!({})).await;
    let expected = "delete is not supported on resources of kind \"things.test.example.io\"";
    assert_eq!((code, message(&status)), (405, expected));
    assert_eq!(get(&server, &path).await.0, 200);
}

#[tokio::test]
async fn a_json_patch_that_replaces_an_absent_member_adds_it() {
    let server = server();
    let (path, _) = with_a(&server).await;
    let (code, object) =
        json_patch(&server, &path, json!([{"op": "replace", "path": "/spec/text", "value": "new"}])).await;
    assert_eq!((code, &object["spec"]["text"]), (200, &json!("new")));
    let (code, _) =
        json_patch(&server, &path, json!([{"op": "replace", "path": "/spec/pair/server", "value": "x"}])).await;
    assert_eq!(code, 422, "but not below an absent one");
}
