//! Lists: selectors, pages, versions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use memory_apiserver::MemoryApiServer;
use serde_json::{Value, json};

async fn filled() -> MemoryApiServer {
    let server = server();
    for (name, labels, mode) in [
        ("a", json!({"tier": "web", "env": "prod"}), "fast"),
        ("b", json!({"tier": "db", "env": "prod"}), "slow"),
        ("c", json!({"tier": "web"}), "fast"),
        ("d", json!({}), "slow"),
    ] {
        let mut object = body(name, json!({"mode": mode}));
        object["metadata"]["labels"] = labels;
        assert_eq!(post(&server, THINGS_PATH, object).await.0, 201);
    }
    server
}

fn names(list: &Value) -> String {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|i| i["metadata"]["name"].as_str().unwrap()).collect::<Vec<_>>().join("")
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[tokio::test]
async fn labels_select() {
    let server = filled().await;
    for (selector, expected) in [
        ("tier=web", "ac"),
        ("tier==web,env=prod", "a"),
        ("tier!=web", "bd"),
        ("tier in (web, db)", "abc"),
        ("tier notin (web),env", "b"),
        ("env", "ab"),
        ("!env", "cd"),
        ("", "abcd"),
    ] {
        let (code, list) = get(&server, &format!("{THINGS_PATH}?labelSelector={}", encode(selector))).await;
        assert_eq!((code, names(&list).as_str()), (200, expected), "{selector}");
    }
    assert_eq!(get(&server, &format!("{THINGS_PATH}?labelSelector={}", encode("a in (b"))).await.0, 400);
}

#[tokio::test]
async fn fields_select_and_unknown_ones_are_refused() {
    let server = filled().await;
    for (selector, expected) in [
        ("metadata.name=a", "a"),
        ("metadata.name!=a", "bcd"),
        ("metadata.namespace=default", "abcd"),
        ("spec.mode=fast", "ac"),
    ] {
        let (_, list) = get(&server, &format!("{THINGS_PATH}?fieldSelector={}", encode(selector))).await;
        assert_eq!(names(&list), expected, "{selector}");
    }
    let (code, status) = get(&server, &format!("{THINGS_PATH}?fieldSelector=spec.size%3D1")).await;
    assert_eq!((code, message(&status)), (400, "field label not supported: spec.size"));
}

#[tokio::test]
async fn pages_are_of_one_moment() {
    let server = filled().await;
    let (_, first) = get(&server, &format!("{THINGS_PATH}?limit=2")).await;
    assert_eq!((names(&first).as_str(), &first["metadata"]["remainingItemCount"]), ("ab", &json!(2)));
    let token = first["metadata"]["continue"].as_str().unwrap();
    delete(&server, &format!("{THINGS_PATH}/c"), json!({})).await;
    post(&server, THINGS_PATH, body("e", json!({}))).await;
    let (_, second) = get(&server, &format!("{THINGS_PATH}?limit=2&continue={token}")).await;
    assert_eq!(names(&second), "cd", "as it was when the first page was read");
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(second["metadata"]["continue"], "");
}

#[tokio::test]
async fn an_old_page_token_is_expired_and_offers_another() {
    let server = filled().await;
    let (_, first) = get(&server, &format!("{THINGS_PATH}?limit=2")).await;
    let token = first["metadata"]["continue"].as_str().unwrap();
    post(&server, THINGS_PATH, body("e", json!({}))).await;
    server.faults().compact();
    let (code, status) = get(&server, &format!("{THINGS_PATH}?limit=2&continue={token}")).await;
    assert_eq!((code, &status["reason"]), (410, &json!("Expired")));
    let token = status["metadata"]["continue"].as_str().unwrap();
    let (code, rest) = get(&server, &format!("{THINGS_PATH}?continue={token}")).await;
    assert_eq!((code, names(&rest).as_str()), (200, "cde"));
    assert_eq!(get(&server, &format!("{THINGS_PATH}?continue=nonsense")).await.0, 400);
}

#[tokio::test]
async fn an_exact_version_is_the_past() {
    let server = filled().await;
    let rv = server.resource_version();
    delete(&server, &format!("{THINGS_PATH}/a"), json!({})).await;
    merge(&server, &format!("{THINGS_PATH}/b"), json!({"spec": {"size": 9}})).await;
    let (_, then) = get(&server, &format!("{THINGS_PATH}?resourceVersion={rv}&resourceVersionMatch=Exact")).await;
    assert_eq!(names(&then), "abcd");
    assert!(then["items"][1]["spec"].get("size").is_none());
    let (_, now) = get(&server, &format!("{THINGS_PATH}?resourceVersion={rv}&resourceVersionMatch=NotOlderThan")).await;
    assert_eq!(names(&now), "bcd");
    assert_eq!(get(&server, &format!("{THINGS_PATH}?resourceVersionMatch=Exact")).await.0, 422);
    assert_eq!(get(&server, &format!("{THINGS_PATH}?resourceVersion=x")).await.0, 400);
}

#[tokio::test]
async fn all_namespaces_or_one() {
    let server = filled().await;
    let mut object = body("z", json!({}));
    object["metadata"]["namespace"] = json!("kube-system");
    post(&server, "/apis/test.example.io/v1/namespaces/kube-system/things", object).await;
    assert_eq!(names(&get(&server, "/apis/test.example.io/v1/things").await.1), "abcdz");
    assert_eq!(names(&get(&server, "/apis/test.example.io/v1/namespaces/kube-system/things").await.1), "z");
}

#[tokio::test]
async fn metadata_alone_and_tables() {
    let server = filled().await;
    let owners = json!([{"apiVersion": "c.io/v1", "kind": "Machine", "name": "m", "uid": "u"}]);
    merge(
        &server,
        &format!("{THINGS_PATH}/a"),
        json!({"metadata": {"labels": {"a.b/c": "dot"}, "ownerReferences": owners}, "spec": {"size": 3}}),
    )
    .await;
    let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let (_, _, list) = raw(&server, "GET", THINGS_PATH, "", partial, "").await;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0]["kind"], "PartialObjectMetadata");
    assert!(list["items"][0].get("spec").is_none());
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let (_, _, list) = raw(&server, "GET", THINGS_PATH, "", table, "").await;
    let columns: Vec<&str> =
        list["columnDefinitions"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["Name", "Size", "Owner", "Dotted", "Age"]);
    assert_eq!(list["columnDefinitions"][2]["priority"], 1);
    let cells = list["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(cells[..4], [json!("a"), json!(3), json!("m"), json!("dot")]);
    assert!(cells[4].as_str().unwrap().ends_with('s'), "an age: {}", cells[4]);
    assert_eq!(list["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let (_, _, one) = raw(&server, "GET", &format!("{THINGS_PATH}/b"), "", table, "").await;
    assert_eq!(one["rows"].as_array().unwrap().len(), 1);
    let (_, _, namespaces) = raw(&server, "GET", "/api/v1/namespaces", "", table, "").await;
    assert_eq!(namespaces["rows"][0]["cells"][1], "Active");
}
