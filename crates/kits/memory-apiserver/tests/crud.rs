//! Create, read, update, delete, and the answers to what cannot be done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

#[tokio::test]
async fn a_client_creates_reads_changes_and_deletes() {
    let server = server();
    let api = things(&server, "user");
    let created = api.create(&PostParams::default(), &thing("a", json!({"size": 1}))).await.unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    assert!(created.metadata.uid.is_some() && created.metadata.creation_timestamp.is_some());
    assert_eq!(created.data["spec"]["mode"], "slow", "the default is filled in");
    let patched = api.patch("a", &PatchParams::default(), &Patch::Merge(json!({"spec": {"size": 2}}))).await.unwrap();
    assert_eq!(patched.metadata.generation, Some(2));
    assert_eq!(api.get("a").await.unwrap().data["spec"]["size"], 2);
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let deleted = api.delete("a", &DeleteParams::default()).await.unwrap();
    let status = deleted.right().unwrap();
    assert!(status.is_success());
    let details = status.details.unwrap();
    assert_eq!((&*details.name, &*details.group, &*details.kind), ("a", "test.example.io", "things"));
    assert_eq!(details.uid, created.metadata.uid.unwrap());
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_missing_or_there_already_is_said_in_the_servers_words() {
    let server = server();
    let (code, status) = get(&server, &format!("{THINGS_PATH}/x")).await;
    assert_eq!((code, message(&status)), (404, "things.test.example.io \"x\" not found"));
    assert_eq!(status["details"], json!({"name": "x", "group": "test.example.io", "kind": "things"}));
    assert_eq!(post(&server, THINGS_PATH, body("a", json!({}))).await.0, 201);
    let (code, status) = post(&server, THINGS_PATH, body("a", json!({}))).await;
    assert_eq!((code, message(&status)), (409, "things.test.example.io \"a\" already exists"));
    let elsewhere = "/apis/test.example.io/v1/namespaces/nowhere/things";
    let (code, status) = post(&server, elsewhere, body("a", json!({}))).await;
    assert_eq!((code, message(&status)), (404, "namespaces \"nowhere\" not found"));
    let (code, status) = get(&server, "/api/v1/nothing").await;
    assert_eq!((code, message(&status)), (404, "the server could not find the requested resource"));
    assert_eq!(get(&server, "/apis/no.such.group/v1/things").await, (404, json!("404 page not found\n")));
}

#[tokio::test]
async fn a_body_that_contradicts_its_url_is_refused() {
    let server = server();
    let mut other = body("a", json!({}));
    other["metadata"]["namespace"] = json!("kube-system");
    let (code, status) = post(&server, THINGS_PATH, other).await;
    let namespace = "the namespace of the provided object does not match the namespace sent on the request";
    assert_eq!((code, message(&status)), (400, namespace));
    let mut other = body("a", json!({}));
    other["apiVersion"] = json!("test.example.io/v2");
    let (code, status) = post(&server, THINGS_PATH, other).await;
    assert_eq!(code, 400);
    assert!(message(&status).contains("does not match the expected API version (test.example.io/v1)"), "{status}");
    post(&server, THINGS_PATH, body("a", json!({}))).await;
    let (code, status) = put(&server, &format!("{THINGS_PATH}/a"), body("b", json!({}))).await;
    assert_eq!((code, message(&status)), (400, "the name of the object (b) does not match the name on the URL (a)"));
}

#[tokio::test]
async fn generated_names_differ() {
    let server = server();
    let mut generated = body("", json!({}));
    generated["metadata"] = json!({"generateName": "gen-"});
    let (_, first) = post(&server, THINGS_PATH, generated.clone()).await;
    let (_, second) = post(&server, THINGS_PATH, generated).await;
    let (first, second) = (first["metadata"]["name"].as_str().unwrap(), second["metadata"]["name"].as_str().unwrap());
    assert!(first.starts_with("gen-") && first.len() == 9 && first != second, "{first} {second}");
}

#[tokio::test]
async fn an_update_without_a_resource_version_is_refused_for_custom_resources_only() {
    let server = server();
    post(&server, THINGS_PATH, body("a", json!({}))).await;
    let (code, status) = put(&server, &format!("{THINGS_PATH}/a"), body("a", json!({"size": 2}))).await;
    assert_eq!(code, 422);
    assert_eq!(
        message(&status),
        "things.test.example.io \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    );
    let path = "/api/v1/namespaces/default/configmaps";
    let map = |value: &str| json!({"metadata": {"name": "m"}, "data": {"k": value}});
    assert_eq!(post(&server, path, map("1")).await.0, 201);
    let (code, updated) = put(&server, &format!("{path}/m"), map("2")).await;
    assert_eq!((code, &updated["data"]["k"]), (200, &json!("2")));
}

#[tokio::test]
async fn an_update_from_an_old_read_is_a_conflict() {
    let server = server();
    let (_, mut object) = post(&server, THINGS_PATH, body("a", json!({"size": 1}))).await;
    let path = format!("{THINGS_PATH}/a");
    merge(&server, &path, json!({"spec": {"size": 2}})).await;
    object["spec"]["size"] = json!(3);
    assert_eq!(put(&server, &path, object).await.0, 409);
}

#[tokio::test]
async fn status_and_the_rest_are_written_apart() {
    let server = server();
    let mut with_status = body("a", json!({"size": 1}));
    with_status["status"] = json!({"phase": "Early"});
    let (_, created) = post(&server, THINGS_PATH, with_status).await;
    assert!(created.get("status").is_none(), "create takes no status");
    let path = format!("{THINGS_PATH}/a");
    let change = json!({"status": {"phase": "P"}, "spec": {"size": 5}, "metadata": {"labels": {"a": "b"}}});
    let (_, changed) = merge(&server, &format!("{path}/status"), change.clone()).await;
    assert_eq!(changed["status"]["phase"], "P");
    assert_eq!((&changed["spec"]["size"], changed["metadata"].get("labels")), (&json!(1), None));
    assert_eq!(changed["metadata"]["generation"], 1, "a status is no new generation");
    let (_, changed) = merge(&server, &path, json!({"status": {"phase": "Q"}, "spec": {"size": 6}})).await;
    assert_eq!((&changed["status"]["phase"], &changed["spec"]["size"]), (&json!("P"), &json!(6)));
    assert_eq!(changed["metadata"]["generation"], 2);
    let (_, changed) = merge(&server, &path, json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!(changed["metadata"]["generation"], 2, "metadata is no new generation");
}

#[tokio::test]
async fn what_the_server_keeps_cannot_be_rewritten() {
    let server = server();
    let (_, created) = post(&server, THINGS_PATH, body("a", json!({"size": 1}))).await;
    let marked = json!({"metadata": {"deletionTimestamp": "2001-01-01T00:00:00Z"}});
    assert_eq!(merge(&server, &format!("{THINGS_PATH}/a"), marked).await.0, 422);
    let patch =
        json!({"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 77}, "spec": {"size": 2}});
    let (code, changed) = merge(&server, &format!("{THINGS_PATH}/a"), patch).await;
    assert_eq!(code, 200);
    assert_eq!(changed["metadata"]["creationTimestamp"], created["metadata"]["creationTimestamp"]);
    assert_eq!(changed["metadata"]["generation"], 2);
    assert!(changed["metadata"].get("deletionTimestamp").is_none());
}

#[tokio::test]
async fn an_object_goes_with_its_last_finalizer() {
    let server = server();
    let path = format!("{THINGS_PATH}/a");
    let mut object = body("a", json!({}));
    object["metadata"]["finalizers"] = json!(["a.io/x", "a.io/y"]);
    post(&server, THINGS_PATH, object).await;
    let (_, marked) = delete(&server, &path, json!({})).await;
    let (_, again) = delete(&server, &path, json!({})).await;
    assert_eq!(marked, again, "a second delete changes nothing");
    merge(&server, &path, json!({"metadata": {"finalizers": ["a.io/y"]}})).await;
    assert_eq!(get(&server, &path).await.0, 200);
    let (code, last) = merge(&server, &path, json!({"metadata": {"finalizers": null}})).await;
    assert_eq!((code, last["metadata"].get("finalizers")), (200, None));
    assert_eq!(get(&server, &path).await.0, 404);
    let record = server.journal().records().pop().unwrap();
    assert_eq!((record.verb, record.new.is_none()), ("patch", true), "the patch removed it");
}

#[tokio::test]
async fn a_dry_run_has_no_effect() {
    let server = server();
    let (code, created) = post(&server, &format!("{THINGS_PATH}?dryRun=All"), body("a", json!({"size": 1}))).await;
    assert_eq!((code, &created["spec"]["mode"]), (201, &json!("slow")));
    assert_eq!(get(&server, &format!("{THINGS_PATH}/a")).await.0, 404);
    post(&server, THINGS_PATH, body("a", json!({"size": 1}))).await;
    let rv = server.resource_version();
    let (_, changed) = merge(&server, &format!("{THINGS_PATH}/a?dryRun=All"), json!({"spec": {"size": 2}})).await;
    assert_eq!(changed["spec"]["size"], 2);
    delete(&server, &format!("{THINGS_PATH}/a?dryRun=All"), json!({})).await;
    assert_eq!(server.resource_version(), rv);
}

#[tokio::test]
async fn a_collection_is_deleted_by_selector() {
    let server = server();
    for (name, label) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut object = body(name, json!({}));
        object["metadata"]["labels"] = json!({"l": label});
        post(&server, THINGS_PATH, object).await;
    }
    let (code, list) = delete(&server, &format!("{THINGS_PATH}?labelSelector=l%3Dx"), json!({})).await;
    assert_eq!((code, list["items"].as_array().unwrap().len()), (200, 2));
    assert_eq!(server.list("test.example.io", "things").len(), 1);
}

#[tokio::test]
async fn a_delete_can_name_the_version_it_means() {
    let server = server();
    let (_, object) = post(&server, THINGS_PATH, body("a", json!({"size": 1}))).await;
    let path = format!("{THINGS_PATH}/a");
    merge(&server, &path, json!({"spec": {"size": 2}})).await;
    let rv = &object["metadata"]["resourceVersion"];
    assert_eq!(delete(&server, &path, json!({"preconditions": {"resourceVersion": rv}})).await.0, 409);
    let (_, now) = get(&server, &path).await;
    let rv = &now["metadata"]["resourceVersion"];
    assert_eq!(delete(&server, &path, json!({"preconditions": {"resourceVersion": rv}})).await.0, 200);
}

#[tokio::test]
async fn malformed_names_and_labels_are_refused() {
    let server = server();
    let (code, status) = post(&server, THINGS_PATH, body("Not_Valid", json!({}))).await;
    assert_eq!(code, 422);
    assert!(message(&status).contains("metadata.name: Invalid value: \"Not_Valid\": a lowercase RFC 1123 subdomain"));
    let mut object = body("a", json!({}));
    object["metadata"]["labels"] = json!({"bad key": "v"});
    assert_eq!(post(&server, THINGS_PATH, object.clone()).await.0, 422);
    object["metadata"]["labels"] = json!({"key": 1});
    assert_eq!(post(&server, THINGS_PATH, object.clone()).await.0, 400);
    object["metadata"] = json!({"name": "a", "ownerReferences": [{"kind": "X"}]});
    assert_eq!(post(&server, THINGS_PATH, object).await.0, 422);
    let (code, _, _) = raw(&server, "POST", THINGS_PATH, "application/json", "", "{broken").await;
    assert_eq!(code, 400);
}
