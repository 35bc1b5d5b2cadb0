//! Custom resource definitions and discovery.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use memory_apiserver::MemoryApiServer;
use serde_json::{Value, json};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn definition() -> Value {
    serde_saphyr::from_str(THINGS).unwrap()
}

#[tokio::test]
async fn a_definition_is_established_and_its_kind_served() {
    let server = MemoryApiServer::new();
    assert_eq!(get(&server, THINGS_PATH).await.0, 404);
    let (code, created) = post(&server, CRDS, definition()).await;
    assert_eq!(code, 201, "{created}");
    let conditions = created["status"]["conditions"].as_array().unwrap();
    for kind in ["NamesAccepted", "Established"] {
        assert!(conditions.iter().any(|c| c["type"] == kind && c["status"] == "True"), "{kind}");
    }
    assert_eq!(created["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(created["status"]["acceptedNames"]["plural"], "things");
    assert_eq!(get(&server, THINGS_PATH).await.0, 200);
    let (_, group) = get(&server, "/apis/test.example.io").await;
    assert_eq!(group["preferredVersion"]["version"], "v1");
    assert_eq!(group["versions"].as_array().unwrap().len(), 2);
    let (_, resources) = get(&server, "/apis/test.example.io/v1").await;
    let names: Vec<&str> =
        resources["resources"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["things", "things/status"]);
    assert_eq!(resources["resources"][0]["shortNames"], json!(["th"]));
}

#[tokio::test]
async fn one_object_is_served_at_every_version() {
    let server = server();
    let alpha = "/apis/test.example.io/v1alpha1/namespaces/default/things";
    let mut object = body("a", json!({"size": 1}));
    object["apiVersion"] = json!("test.example.io/v1alpha1");
    let (code, created) = post(&server, alpha, object).await;
    assert_eq!((code, &created["apiVersion"]), (201, &json!("test.example.io/v1alpha1")));
    let (_, stable) = get(&server, &format!("{THINGS_PATH}/a")).await;
    assert_eq!(stable["apiVersion"], "test.example.io/v1");
    assert_eq!(stable["metadata"]["uid"], created["metadata"]["uid"]);
    assert_eq!(
        server.get("test.example.io", "things", Some("default"), "a").unwrap()["apiVersion"],
        "test.example.io/v1"
    );
    merge(&server, &format!("{alpha}/a"), json!({"spec": {"size": 2}})).await;
    assert_eq!(get(&server, &format!("{THINGS_PATH}/a")).await.1["spec"]["size"], 2);
    let (_, list) = get(&server, alpha).await;
    assert_eq!(
        (&list["apiVersion"], &list["items"][0]["apiVersion"]),
        (&json!("test.example.io/v1alpha1"), &json!("test.example.io/v1alpha1"))
    );
}

#[tokio::test]
async fn deleting_a_definition_deletes_its_objects() {
    let server = server();
    let mut object = body("a", json!({}));
    object["metadata"]["finalizers"] = json!(["x.io/hold"]);
    post(&server, THINGS_PATH, object).await;
    post(&server, THINGS_PATH, body("b", json!({}))).await;
    let (code, marked) = delete(&server, &format!("{CRDS}/things.test.example.io"), json!({})).await;
    assert_eq!(code, 200);
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    settle().await;
    assert_eq!(get(&server, THINGS_PATH).await.1["items"].as_array().unwrap().len(), 1, "one is held by a finalizer");
    merge(&server, &format!("{THINGS_PATH}/a"), json!({"metadata": {"finalizers": null}})).await;
    settle().await;
    assert_eq!(get(&server, &format!("{CRDS}/things.test.example.io")).await.0, 404);
    assert_eq!(get(&server, THINGS_PATH).await.0, 404);
    assert_eq!(post(&server, CRDS, definition()).await.0, 201, "and it can come back");
    assert_eq!(get(&server, THINGS_PATH).await.1["items"], json!([]));
}

#[tokio::test]
async fn a_broken_definition_is_refused_with_its_field() {
    let server = MemoryApiServer::new();
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 6] = [
        (|crd| crd["metadata"]["name"] = json!("other"), "metadata.name"),
        (|crd| crd["spec"]["scope"] = json!("Galaxy"), "spec.scope"),
        (|crd| crd["spec"]["versions"][1]["storage"] = json!(true), "spec.versions"),
        (
            |crd| {
                crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["mac"]["pattern"] =
                    json!("(")
            },
            "pattern",
        ),
        (
            |crd| {
                crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] =
                    json!([{"rule": "self."}])
            },
            "x-kubernetes-validations[0].rule",
        ),
        (
            |crd| crd["spec"]["versions"][0]["schema"] = Value::Null,
            "spec.versions[0].schema.openAPIV3Schema: Required value",
        ),
    ];
    for (change, field) in cases {
        let mut crd = definition();
        change(&mut crd);
        let (code, status) = post(&server, CRDS, crd).await;
        assert_eq!(code, 422, "{field}");
        assert!(message(&status).contains(field), "{field}: {status}");
    }
}

#[tokio::test]
async fn a_changed_definition_takes_effect() {
    let server = server();
    post(&server, THINGS_PATH, body("a", json!({"size": 1}))).await;
    let changed = THINGS.replace("maximum: 10", "maximum: 100");
    server.apply_manifest(&changed).unwrap();
    let (code, object) = merge(&server, &format!("{THINGS_PATH}/a"), json!({"spec": {"size": 50}})).await;
    assert_eq!(code, 200, "{object}");
    let (_, crd) = get(&server, &format!("{CRDS}/things.test.example.io")).await;
    assert_eq!(crd["metadata"]["generation"], 2);
}

#[tokio::test]
async fn discovery_answers_old_and_new_clients() {
    let server = server();
    assert_eq!(get(&server, "/version").await.1["minor"], "35");
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(get(&server, path).await, (200, json!("ok")));
    }
    assert_eq!(get(&server, "/api").await.1["versions"], json!(["v1"]));
    let (_, groups) = get(&server, "/apis").await;
    let names: Vec<&str> = groups["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"test.example.io") && names.contains(&"coordination.k8s.io"), "{names:?}");
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let (_, headers, all) = raw(&server, "GET", "/apis", "", accept, "").await;
    assert_eq!(all["kind"], "APIGroupDiscoveryList");
    assert!(headers["content-type"].to_str().unwrap().contains("as=APIGroupDiscoveryList"));
    let found = all["items"].as_array().unwrap().iter().find(|g| g["metadata"]["name"] == "test.example.io").unwrap();
    assert_eq!(found["versions"][0]["resources"][0]["resource"], "things");
    for path in ["/openapi/v2", "/openapi/v3", "/openapi/v3/apis/test.example.io/v1"] {
        assert_eq!(get(&server, path).await.0, 200, "{path}");
    }
    assert_eq!(get(&server, "/nothing/here").await, (404, json!("404 page not found\n")));
    assert_eq!(get(&server, "/apis/no.such.group").await.0, 404);
    let discovery = kube::Discovery::new(server.client("user")).run().await.unwrap();
    assert!(discovery.has_group("test.example.io"));
    let discovery = kube::Discovery::new(server.client("user")).run_aggregated().await.unwrap();
    assert!(discovery.has_group("test.example.io"));
}

#[tokio::test]
async fn a_manifest_says_which_document_is_wrong() {
    let server = server();
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n---\napiVersion: test.example.io/v1\nkind: Thing\nmetadata: {name: t}\nspec: {size: 99}\n";
    let error = server.apply_manifest(yaml).unwrap_err().to_string();
    assert!(error.starts_with("document 2: Thing \"t\": ") && error.contains("spec.size"), "{error}");
    let error = server.apply_manifest("apiVersion: v9\nkind: Nothing\n").unwrap_err().to_string();
    assert_eq!(error, "document 1: no kind \"Nothing\" is known for version \"v9\"");
    assert!(server.apply_manifest("a: [").is_err());
    assert!(server.get("", "configmaps", Some("default"), "m").is_some());
}
