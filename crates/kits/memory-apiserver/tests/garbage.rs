//! Garbage collection by owner references.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use memory_apiserver::MemoryApiServer;
use serde_json::{Value, json};
use std::time::Duration;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn map(server: &MemoryApiServer, name: &str, owners: Value, finalizers: Value) -> String {
    let metadata = json!({"name": name, "ownerReferences": owners, "finalizers": finalizers});
    let (code, object) = post(server, MAPS, json!({"metadata": metadata})).await;
    assert_eq!(code, 201, "{object}");
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn owner(name: &str, uid: &str, blocks: bool) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, "blockOwnerDeletion": blocks})
}

async fn exists(server: &MemoryApiServer, name: &str) -> bool {
    get(server, &format!("{MAPS}/{name}")).await.0 == 200
}

#[tokio::test]
async fn dependents_follow_their_owner_down_the_line() {
    let server = MemoryApiServer::new();
    let top = map(&server, "top", json!([]), json!([])).await;
    let middle = map(&server, "middle", json!([owner("top", &top, false)]), json!([])).await;
    map(&server, "bottom", json!([owner("middle", &middle, false)]), json!([])).await;
    delete(&server, &format!("{MAPS}/top"), json!({})).await;
    settle().await;
    assert!(!exists(&server, "middle").await && !exists(&server, "bottom").await);
    let collected: Vec<_> = server
        .journal()
        .records()
        .into_iter()
        .filter(|r| &*r.user == "garbage-collector")
        .map(|r| r.name.clone())
        .collect();
    assert_eq!(collected, ["middle", "bottom"]);
}

#[tokio::test]
async fn one_owner_left_is_enough_and_the_other_reference_goes() {
    let server = MemoryApiServer::new();
    let one = map(&server, "one", json!([]), json!([])).await;
    let two = map(&server, "two", json!([]), json!([])).await;
    map(&server, "child", json!([owner("one", &one, false), owner("two", &two, false)]), json!([])).await;
    delete(&server, &format!("{MAPS}/one"), json!({})).await;
    settle().await;
    let (_, child) = get(&server, &format!("{MAPS}/child")).await;
    assert_eq!(child["metadata"]["ownerReferences"], json!([owner("two", &two, false)]));
    delete(&server, &format!("{MAPS}/two"), json!({})).await;
    settle().await;
    assert!(!exists(&server, "child").await);
}

#[tokio::test]
async fn an_owner_is_its_uid_not_its_name() {
    let server = MemoryApiServer::new();
    map(&server, "owner", json!([]), json!([])).await;
    map(&server, "child", json!([owner("owner", "an-older-uid", false)]), json!([])).await;
    settle().await;
    assert!(!exists(&server, "child").await, "its owner was another object of that name");
}

#[tokio::test]
async fn an_owner_of_unknown_kind_decides_nothing() {
    let server = MemoryApiServer::new();
    let unknown = json!([{"apiVersion": "no.such/v1", "kind": "Nothing", "name": "x", "uid": "x"}]);
    map(&server, "child", unknown, json!([])).await;
    settle().await;
    assert!(exists(&server, "child").await);
}

#[tokio::test]
async fn an_owner_in_another_namespace_is_no_owner() {
    let server = MemoryApiServer::new();
    let elsewhere = "/api/v1/namespaces/kube-system/configmaps";
    let (_, object) = post(&server, elsewhere, json!({"metadata": {"name": "owner"}})).await;
    let uid = object["metadata"]["uid"].as_str().unwrap();
    map(&server, "child", json!([owner("owner", uid, false)]), json!([])).await;
    settle().await;
    assert!(!exists(&server, "child").await, "absent in its own namespace");
}

#[tokio::test]
async fn in_the_foreground_the_owner_waits_for_its_dependents() {
    let server = MemoryApiServer::new();
    let top = map(&server, "top", json!([]), json!([])).await;
    map(&server, "blocking", json!([owner("top", &top, true)]), json!(["x.io/hold"])).await;
    map(&server, "other", json!([owner("top", &top, false)]), json!(["x.io/hold"])).await;
    let (code, marked) = delete(&server, &format!("{MAPS}/top"), json!({"propagationPolicy": "Foreground"})).await;
    assert_eq!((code, &marked["metadata"]["finalizers"]), (200, &json!(["foregroundDeletion"])));
    settle().await;
    assert!(exists(&server, "top").await);
    let (_, blocking) = get(&server, &format!("{MAPS}/blocking")).await;
    assert!(blocking["metadata"]["deletionTimestamp"].is_string());
    merge(&server, &format!("{MAPS}/blocking"), json!({"metadata": {"finalizers": null}})).await;
    settle().await;
    assert!(!exists(&server, "top").await, "the other one does not block it");
    assert!(exists(&server, "other").await);
}

#[tokio::test]
async fn orphans_stay_without_the_reference() {
    let server = MemoryApiServer::new();
    let top = map(&server, "top", json!([]), json!([])).await;
    map(&server, "child", json!([owner("top", &top, true)]), json!([])).await;
    delete(&server, &format!("{MAPS}/top"), json!({"propagationPolicy": "Orphan"})).await;
    settle().await;
    assert!(!exists(&server, "top").await);
    let (code, child) = get(&server, &format!("{MAPS}/child")).await;
    assert_eq!((code, child["metadata"].get("ownerReferences")), (200, None));
}

#[tokio::test]
async fn a_dependent_with_a_finalizer_waits_for_it() {
    let server = MemoryApiServer::new();
    let top = map(&server, "top", json!([]), json!([])).await;
    map(&server, "child", json!([owner("top", &top, false)]), json!(["x.io/hold"])).await;
    delete(&server, &format!("{MAPS}/top"), json!({})).await;
    settle().await;
    let (code, child) = get(&server, &format!("{MAPS}/child")).await;
    assert!(code == 200 && child["metadata"]["deletionTimestamp"].is_string());
}

#[tokio::test]
async fn without_a_collector_dependents_stay_and_deletion_still_works() {
    let server = MemoryApiServer::builder().garbage_collection(false).build();
    let top = map(&server, "top", json!([]), json!([])).await;
    map(&server, "child", json!([owner("top", &top, true)]), json!([])).await;
    delete(&server, &format!("{MAPS}/top"), json!({"propagationPolicy": "Foreground"})).await;
    settle().await;
    assert!(!exists(&server, "top").await && exists(&server, "child").await);
}

/// `attemptToDeleteItem` of kube-controller-manager works on a queue that its watches fill: what is owned outlives its
/// owner for as long as both take.
#[tokio::test(start_paused = true)]
async fn a_late_collector_leaves_dependents_without_their_owner_for_a_while() {
    let server = MemoryApiServer::builder().garbage_collector_delay(Duration::from_secs(20)).build();
    let top = map(&server, "top", json!([]), json!([])).await;
    map(&server, "child", json!([owner("top", &top, false)]), json!([])).await;
    delete(&server, &format!("{MAPS}/top"), json!({})).await;
    tokio::time::sleep(Duration::from_secs(19)).await;
    assert!(exists(&server, "child").await, "the collector is not there yet");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!exists(&server, "child").await, "it never came");
}

#[tokio::test(start_paused = true)]
async fn a_collector_becomes_late_while_the_server_runs_and_catches_up() {
    let server = MemoryApiServer::new();
    server.faults().delay_garbage_collector(Duration::from_secs(3600));
    map(&server, "nobodys", json!([owner("never-was", "no-uid", false)]), json!([])).await;
    settle().await;
    assert!(exists(&server, "nobodys").await);
    server.faults().clear();
    map(&server, "next", json!([owner("never-was", "no-uid", false)]), json!([])).await;
    settle().await;
    assert!(exists(&server, "next").await, "it works on one thing after the other, and the first is not due");
    tokio::time::sleep(Duration::from_secs(3601)).await;
    assert!(!exists(&server, "nobodys").await && !exists(&server, "next").await);
}

/// The collector asks again for a kind that it does not find, and decides once it is served.
#[tokio::test]
async fn an_owner_is_missed_as_soon_as_its_kind_is_served() {
    let server = MemoryApiServer::new();
    let missing = json!([{"apiVersion": "test.example.io/v1", "kind": "Thing", "name": "x", "uid": "x"}]);
    map(&server, "child", missing, json!([])).await;
    settle().await;
    assert!(exists(&server, "child").await);
    server.apply_manifest(THINGS).unwrap();
    settle().await;
    assert!(!exists(&server, "child").await);
}
