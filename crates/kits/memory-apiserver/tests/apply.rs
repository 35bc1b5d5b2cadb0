//! Server-side apply and field ownership.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use serde_json::{Value, json};

fn config(spec: Value) -> Value {
    json!({"apiVersion": "test.example.io/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec})
}

fn path() -> String {
    format!("{THINGS_PATH}/a")
}

#[tokio::test]
async fn applying_creates_changes_and_removes_what_is_no_longer_applied() {
    let server = server();
    let first = config(
        json!({"size": 1, "labels": {"x": "1", "y": "2"}, "items": [{"name": "i", "value": "v"}], "tags": ["t"]}),
    );
    let (code, created) = apply(&server, &path(), "one", false, first.clone()).await;
    assert_eq!((code, &created["spec"]["mode"]), (201, &json!("slow")));
    let entry = &created["metadata"]["managedFields"][0];
    assert_eq!((&entry["manager"], &entry["operation"]), (&json!("one"), &json!("Apply")));
    assert_eq!(
        entry["fieldsV1"]["f:spec"],
        json!({
            "f:items": {"k:{\"name\":\"i\"}": {".": {}, "f:name": {}, "f:value": {}}},
            "f:labels": {"f:x": {}, "f:y": {}}, "f:size": {}, "f:tags": {"v:\"t\"": {}},
        })
    );
    let (code, same) = apply(&server, &path(), "one", false, first).await;
    assert_eq!((code, &same["metadata"]["resourceVersion"]), (200, &created["metadata"]["resourceVersion"]));
    let (_, changed) = apply(&server, &path(), "one", false, config(json!({"labels": {"x": "1"}}))).await;
    assert_eq!(changed["spec"], json!({"labels": {"x": "1"}, "mode": "slow"}));
}

#[tokio::test]
async fn what_another_manager_set_is_a_conflict_unless_forced() {
    let server = server();
    apply(&server, &path(), "one", false, config(json!({"size": 1}))).await;
    let (code, status) = apply(&server, &path(), "two", false, config(json!({"size": 2}))).await;
    assert_eq!((code, message(&status)), (409, "Apply failed with 1 conflict: conflict with \"one\": .spec.size"));
    assert_eq!(
        status["details"]["causes"],
        json!([{
            "reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".spec.size",
        }])
    );
    let (code, forced) = apply(&server, &path(), "two", true, config(json!({"size": 2}))).await;
    assert_eq!((code, &forced["spec"]["size"]), (200, &json!(2)));
    let (_, mine) = apply(&server, &path(), "one", false, config(json!({}))).await;
    assert_eq!(mine["spec"]["size"], 2, "what was taken away is not removed");
}

#[tokio::test]
async fn equal_values_are_shared_and_stay_until_the_last_owner_lets_go() {
    let server = server();
    apply(&server, &path(), "one", false, config(json!({"size": 1}))).await;
    let (code, _) = apply(&server, &path(), "two", false, config(json!({"size": 1}))).await;
    assert_eq!(code, 200);
    let (_, object) = apply(&server, &path(), "one", false, config(json!({}))).await;
    assert_eq!(object["spec"]["size"], 1);
    let (_, object) = apply(&server, &path(), "two", false, config(json!({}))).await;
    assert!(object["spec"].get("size").is_none());
}

#[tokio::test]
async fn a_value_set_by_an_update_belongs_to_the_updater() {
    let server = server();
    apply(&server, &path(), "one", false, config(json!({"size": 1, "text": "abc"}))).await;
    merge(&server, &format!("{}?fieldManager=editor", path()), json!({"spec": {"size": 5}})).await;
    let (code, status) = apply(&server, &path(), "one", false, config(json!({"size": 1, "text": "abc"}))).await;
    assert_eq!(code, 409);
    let expected = "Apply failed with 1 conflict: conflict with \"editor\" using test.example.io/v1: .spec.size";
    assert_eq!(message(&status), expected);
    let (code, _) = apply(&server, &path(), "one", false, config(json!({"text": "abc"}))).await;
    assert_eq!(code, 200);
    let (_, object) = get(&server, &path()).await;
    assert_eq!(object["spec"]["size"], 5);
}

#[tokio::test]
async fn list_elements_are_owned_one_by_one() {
    let server = server();
    apply(&server, &path(), "one", false, config(json!({"items": [{"name": "a", "value": "1"}], "tags": ["x"]}))).await;
    let (code, both) =
        apply(&server, &path(), "two", false, config(json!({"items": [{"name": "b", "value": "2"}], "tags": ["y"]})))
            .await;
    assert_eq!(code, 200, "{both}");
    assert_eq!(both["spec"]["items"].as_array().unwrap().len(), 2);
    assert_eq!(both["spec"]["tags"], json!(["x", "y"]));
    let (_, left) = apply(&server, &path(), "one", false, config(json!({}))).await;
    assert_eq!(left["spec"]["items"], json!([{"name": "b", "value": "2", "flag": false}]));
    assert_eq!(left["spec"]["tags"], json!(["y"]));
}

#[tokio::test]
async fn labels_finalizers_and_owners_merge() {
    let server = server();
    let owner = |uid: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": uid, "uid": uid});
    let meta = |labels: Value, finalizers: Value, owners: Value| {
        let mut config = config(json!({}));
        config["metadata"]["labels"] = labels;
        config["metadata"]["finalizers"] = finalizers;
        config["metadata"]["ownerReferences"] = owners;
        config
    };
    // Owners that do not exist would have the object collected.
    let server = {
        drop(server);
        let s = memory_apiserver::MemoryApiServer::builder().garbage_collection(false).build();
        s.apply_manifest(THINGS).unwrap();
        s
    };
    apply(&server, &path(), "one", false, meta(json!({"a": "1"}), json!(["f.io/1"]), json!([owner("u1")]))).await;
    let (code, both) =
        apply(&server, &path(), "two", false, meta(json!({"b": "2"}), json!(["f.io/2"]), json!([owner("u2")]))).await;
    assert_eq!(code, 200, "{both}");
    assert_eq!(both["metadata"]["labels"], json!({"a": "1", "b": "2"}));
    assert_eq!(both["metadata"]["finalizers"], json!(["f.io/1", "f.io/2"]));
    assert_eq!(both["metadata"]["ownerReferences"].as_array().unwrap().len(), 2);
    let (_, left) = apply(&server, &path(), "one", false, config(json!({}))).await;
    assert_eq!(
        (&left["metadata"]["labels"], &left["metadata"]["finalizers"]),
        (&json!({"b": "2"}), &json!(["f.io/2"]))
    );
}

#[tokio::test]
async fn status_is_applied_through_its_own_door() {
    let server = server();
    let mut both = config(json!({"size": 1}));
    both["status"] = json!({"phase": "P"});
    apply(&server, &path(), "one", false, both.clone()).await;
    assert!(get(&server, &path()).await.1.get("status").is_none());
    both["spec"]["size"] = json!(9);
    let (code, object) = apply(&server, &format!("{}/status", path()), "two", false, both).await;
    assert_eq!((code, &object["status"]["phase"], &object["spec"]["size"]), (200, &json!("P"), &json!(1)));
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let status = entries.iter().find(|e| e["manager"] == "two").unwrap();
    assert_eq!(
        (&status["subresource"], &status["fieldsV1"]),
        (&json!("status"), &json!({"f:status": {"f:phase": {}}}))
    );
}

#[tokio::test]
async fn updates_are_recorded_by_manager() {
    let server = server();
    let (_, created) = post(&server, &format!("{THINGS_PATH}?fieldManager=maker"), body("a", json!({"size": 1}))).await;
    let entry = &created["metadata"]["managedFields"][0];
    assert_eq!(
        (&entry["manager"], &entry["operation"], &entry["fieldsType"]),
        (&json!("maker"), &json!("Update"), &json!("FieldsV1"))
    );
    assert_eq!(entry["fieldsV1"]["f:spec"]["f:size"], json!({}));
    merge(&server, &format!("{}?fieldManager=other", path()), json!({"spec": {"size": 2}})).await;
    let (_, object) = get(&server, &path()).await;
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert!(entries[0]["fieldsV1"]["f:spec"].get("f:size").is_none(), "it changed hands");
    assert_eq!(entries[1]["fieldsV1"], json!({"f:spec": {"f:size": {}}}));
}

#[tokio::test]
async fn an_apply_must_say_who_applies_and_for_which_object() {
    let server = server();
    let kind = "application/apply-patch+yaml";
    let (code, _, status) = raw(&server, "PATCH", &path(), kind, "", config(json!({})).to_string()).await;
    assert_eq!(code, 422);
    assert!(message(&status).contains("fieldManager: Required value: is required for apply patch"), "{status}");
    let yaml = "apiVersion: test.example.io/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: 4}\n";
    let (code, _, object) = raw(&server, "PATCH", &format!("{}?fieldManager=y", path()), kind, "", yaml).await;
    assert_eq!((code, &object["spec"]["size"]), (201, &json!(4)), "{object}");
    let mut managed = config(json!({}));
    managed["metadata"]["managedFields"] = json!([]);
    assert_eq!(apply(&server, &path(), "y", false, managed).await.0, 400);
    let mut stale = config(json!({"size": 5}));
    stale["metadata"]["resourceVersion"] = json!("1");
    assert_eq!(apply(&server, &path(), "y", false, stale).await.0, 409);
}

#[tokio::test]
async fn a_configuration_that_the_schema_does_not_know_is_refused_before_anything_else() {
    let server = server();
    for (spec, why) in [
        (json!({"bad": 1}), ".spec.bad: field not declared in schema"),
        (json!({"size": "x"}), ".spec.size: expected numeric (int or float), got string"),
        (json!({"items": [{"name": "a"}, {"name": "a"}]}), ".spec.items: duplicate entries for key [name=\"a\"]"),
    ] {
        let (code, status) = apply(&server, &path(), "one", false, config(spec)).await;
        let expected = format!("failed to create typed patch object (/a; test.example.io/v1, Kind=Thing): {why}");
        assert_eq!((code, message(&status)), (500, expected.as_str()));
    }
}

#[tokio::test]
async fn elements_of_two_managers_stand_in_the_later_ones_order() {
    let server = server();
    let items = |names: &[&str]| json!({"items": names.iter().map(|n| json!({"name": n})).collect::<Vec<_>>()});
    apply(&server, &path(), "one", false, config(items(&["b", "a"]))).await;
    let (_, object) = apply(&server, &path(), "two", false, config(items(&["c", "a"]))).await;
    let names: Vec<&str> =
        object["spec"]["items"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["b", "c", "a"]);
}
