//! The built-in kinds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::api::{Api, Patch, PatchParams, PostParams};
use memory_apiserver::MemoryApiServer;
use serde_json::json;
use std::time::Duration;

const CORE: &str = "/api/v1/namespaces/default";

#[tokio::test]
async fn namespaces_exist_from_the_start() {
    let server = MemoryApiServer::new();
    let (_, list) = get(&server, "/api/v1/namespaces").await;
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|n| n["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["default", "kube-node-lease", "kube-public", "kube-system"]);
    assert_eq!(list["items"][0]["metadata"]["labels"]["kubernetes.io/metadata.name"], "default");
    assert!(list["items"][0].get("kind").is_none(), "a typed list does not repeat the type");
}

#[tokio::test]
async fn a_secrets_plain_text_is_folded_into_its_data() {
    let server = MemoryApiServer::new();
    let secrets: Api<Secret> = Api::default_namespaced(server.client("user"));
    let secret = serde_json::from_value(json!({"metadata": {"name": "s"}, "stringData": {"k": "value"}})).unwrap();
    let created = secrets.create(&PostParams::default(), &secret).await.unwrap();
    assert_eq!(created.type_.as_deref(), Some("Opaque"));
    assert_eq!(created.data.unwrap()["k"].0, b"value");
    assert!(created.string_data.is_none());
    let (code, _) = merge(&server, &format!("{CORE}/secrets/s"), json!({"type": "other"})).await;
    assert_eq!(code, 422, "the type is immutable");
    let (code, status) =
        post(&server, &format!("{CORE}/secrets"), json!({"metadata": {"name": "t"}, "data": {"k": "%%"}})).await;
    let expected = "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte 0";
    assert_eq!((code, message(&status)), (400, expected), "a secret's content is not repeated");
}

#[tokio::test]
async fn an_immutable_config_map_stays() {
    let server = MemoryApiServer::new();
    let map = json!({"metadata": {"name": "m"}, "data": {"k": "v"}, "immutable": true});
    post(&server, &format!("{CORE}/configmaps"), map).await;
    assert_eq!(merge(&server, &format!("{CORE}/configmaps/m"), json!({"data": {"k": "w"}})).await.0, 422);
    assert_eq!(
        merge(&server, &format!("{CORE}/configmaps/m"), json!({"metadata": {"labels": {"a": "b"}}})).await.0,
        200
    );
}

#[tokio::test]
async fn a_deleted_namespace_empties_before_it_goes() {
    let server = server();
    post(&server, "/api/v1/namespaces", json!({"metadata": {"name": "n"}})).await;
    let things = "/apis/test.example.io/v1/namespaces/n/things";
    let mut held = body("held", json!({}));
    held["metadata"]["finalizers"] = json!(["x.io/hold"]);
    post(&server, things, held).await;
    post(&server, things, body("free", json!({}))).await;
    let (code, marked) = delete(&server, "/api/v1/namespaces/n", json!({})).await;
    assert_eq!((code, &marked["status"]["phase"]), (200, &json!("Terminating")));
    let (code, status) = post(&server, things, body("late", json!({}))).await;
    assert_eq!(code, 403);
    assert!(message(&status).ends_with("unable to create new content in namespace n because it is being terminated"));
    assert_eq!(status["details"]["causes"][0]["reason"], "NamespaceTerminating");
    settle().await;
    assert_eq!(server.list("test.example.io", "things").len(), 1);
    merge(&server, &format!("{things}/held"), json!({"metadata": {"finalizers": []}})).await;
    settle().await;
    assert_eq!(get(&server, "/api/v1/namespaces/n").await.0, 404);
}

#[tokio::test]
async fn events_are_one_storage_in_two_groups() {
    let server = MemoryApiServer::new();
    let events: Api<Event> = Api::default_namespaced(server.client("user"));
    let event = serde_json::from_value(json!({
        "metadata": {"name": "e"}, "involvedObject": {"kind": "Thing", "name": "t", "namespace": "default"},
        "message": "said", "reason": "Because", "type": "Normal", "reportingComponent": "c", "reportingInstance": "i",
    }))
    .unwrap();
    events.create(&PostParams::default(), &event).await.unwrap();
    let (_, new) = get(&server, "/apis/events.k8s.io/v1/namespaces/default/events/e").await;
    assert_eq!(
        (&new["note"], &new["regarding"]["name"], &new["reportingController"]),
        (&json!("said"), &json!("t"), &json!("c"))
    );
    assert!(new.get("message").is_none());
    let mut other = new.clone();
    other["metadata"] = json!({"name": "f"});
    let (code, made) = post(&server, "/apis/events.k8s.io/v1/namespaces/default/events", other).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(events.get("f").await.unwrap().message.as_deref(), Some("said"));
    let (_, found) = get(&server, &format!("{CORE}/events?fieldSelector=involvedObject.name%3Dt,type%3DNormal")).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 2);
    let (code, _) = post(
        &server,
        &format!("{CORE}/events"),
        json!({"metadata": {"name": "g"}, "involvedObject": {"namespace": "other"}}),
    )
    .await;
    assert_eq!(code, 422);
}

#[tokio::test]
async fn a_lease_is_guarded_by_its_version() {
    let server = MemoryApiServer::new();
    let leases: Api<Lease> = Api::default_namespaced(server.client("user"));
    let lease = serde_json::from_value(json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "a"}})).unwrap();
    let lease = leases.create(&PostParams::default(), &lease).await.unwrap();
    let take = |holder: &str| json!({"metadata": {"resourceVersion": lease.metadata.resource_version}, "spec": {"holderIdentity": holder}});
    leases.patch("l", &PatchParams::default(), &Patch::Merge(take("b"))).await.unwrap();
    let late = leases.patch("l", &PatchParams::default(), &Patch::Merge(take("c"))).await.unwrap_err();
    assert!(matches!(late, kube::Error::Api(status) if status.code == 409));
    assert!(server.journal().records().iter().any(|record| record.is_lease()));
}

#[tokio::test]
async fn a_strategic_patch_merges_conditions_by_type() {
    let server = MemoryApiServer::new();
    post(&server, "/api/v1/nodes", json!({"metadata": {"name": "n"}})).await;
    let patch = |kind: &str| json!({"status": {"conditions": [{"type": kind, "status": "True"}]}}).to_string();
    let strategic = "application/strategic-merge-patch+json";
    for kind in ["Ready", "Other"] {
        let (code, _, _) = raw(&server, "PATCH", "/api/v1/nodes/n/status", strategic, "", patch(kind)).await;
        assert_eq!(code, 200);
    }
    let (_, node) = get(&server, "/api/v1/nodes/n").await;
    assert_eq!(node["status"]["conditions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn put_creates_what_may_be_created_so() {
    let server = MemoryApiServer::new();
    let lease = json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "a"}});
    let path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l";
    assert_eq!(put(&server, path, lease).await.0, 201);
    assert_eq!(put(&server, &format!("{CORE}/configmaps/m"), json!({"metadata": {"name": "m"}})).await.0, 404);
}

#[tokio::test]
async fn everybody_may_do_everything() {
    let server = MemoryApiServer::new();
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}});
    let (code, answer) = post(&server, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review).await;
    assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(true)));
}

#[tokio::test]
async fn reviews_say_whose_a_token_is_and_what_he_may_do() {
    let server = MemoryApiServer::new();
    let whose = async |token: &str| {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
        post(&server, "/apis/authentication.k8s.io/v1/tokenreviews", review).await.1["status"].clone()
    };
    assert_eq!(whose("alice").await["user"]["username"], "alice");
    for nobody in ["", "anonymous"] {
        assert_eq!(whose(nobody).await["authenticated"], false, "{nobody:?}");
    }
    server.answer_access_reviews(|asked| asked.user == "alice" && asked.verb == "get" && asked.path == "/metrics");
    let may = async |user: &str, path: &str| {
        let spec = json!({"user": user, "nonResourceAttributes": {"path": path, "verb": "get"}});
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
        let (code, answer) = post(&server, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review).await;
        assert_eq!(code, 201);
        answer["status"]["allowed"] == true
    };
    assert!(may("alice", "/metrics").await);
    assert!(!may("alice", "/state").await && !may("bob", "/metrics").await);
}

#[tokio::test]
async fn the_namespaces_of_the_system_cannot_be_deleted() {
    let server = MemoryApiServer::new();
    let (code, status) = delete(&server, "/api/v1/namespaces/default", json!({})).await;
    assert_eq!(
        (code, message(&status)),
        (403, "namespaces \"default\" is forbidden: this namespace may not be deleted")
    );
}

/// The real server reads a Pod, and falls over a custom resource: the connection breaks (1.35.4, 1.36.3). What is read of
/// protobuf is compared with it in `conformance`.
#[tokio::test]
async fn a_body_in_protobuf_that_cannot_be_read_is_an_unsupported_media_type_with_a_reason() {
    let server = server();
    let kind = "application/vnd.kubernetes.protobuf";
    let pod = "k8s\0\n\t\n\x02v1\x12\x03Pod\x12\0";
    let (code, _, status) = raw(&server, "POST", "/api/v1/namespaces/default/pods", kind, "", pod).await;
    let expected = "no Pod at v1 can be read from application/vnd.kubernetes.protobuf: send application/json";
    assert_eq!((code, message(&status)), (415, expected));
    let things = "/apis/test.example.io/v1/namespaces/default/things";
    assert_eq!(raw(&server, "POST", things, kind, "", pod).await.0, 415);
}

/// As the namespace controller of kube-controller-manager does it (`pkg/controller/namespace/deletion`): Pods first, then
/// each kind as a collection; the real one looks again after seconds, so a terminating namespace is seen by all.
#[tokio::test(start_paused = true)]
async fn a_late_namespace_controller_leaves_a_terminating_namespace_full_and_closed() {
    let server = MemoryApiServer::builder().namespace_controller_delay(Duration::from_secs(8)).build();
    post(&server, "/api/v1/namespaces", json!({"metadata": {"name": "n"}})).await;
    let maps = "/api/v1/namespaces/n/configmaps";
    post(&server, maps, json!({"metadata": {"name": "m"}})).await;
    delete(&server, "/api/v1/namespaces/n", json!({})).await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    let (_, namespace) = get(&server, "/api/v1/namespaces/n").await;
    assert_eq!(namespace["status"], json!({"phase": "Terminating"}), "nobody has looked at it");
    assert_eq!(get(&server, &format!("{maps}/m")).await.0, 200);
    let (code, status) = post(&server, maps, json!({"metadata": {"name": "new"}})).await;
    assert_eq!((code, &status["details"]["causes"][0]["reason"]), (403, &json!("NamespaceTerminating")));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(get(&server, "/api/v1/namespaces/n").await.0, 404);
    let emptied: Vec<_> = server.journal().records();
    let emptied: Vec<_> =
        emptied.iter().filter(|r| &*r.user == "namespace-controller").map(|r| (r.verb, &*r.resource)).collect();
    let expected = [("deletecollection", "configmaps"), ("update", "namespaces"), ("update", "namespaces")];
    assert_eq!(emptied, expected);
}
