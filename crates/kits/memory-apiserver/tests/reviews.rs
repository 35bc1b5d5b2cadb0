//! Reviews and connections where a real server would ask somebody else: the rest is compared with one in `conformance`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use memory_apiserver::MemoryApiServer;
use serde_json::json;

const WHO: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const RULES: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";

fn who() -> serde_json::Value {
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
}

#[tokio::test]
async fn who_brings_no_token_is_told_that_nobody_knows_him() {
    let server = MemoryApiServer::new();
    let serving = server.serve().await.unwrap();
    let config = kube::Config::new(serving.url().parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    let request = http::Request::post(WHO).body(serde_json::to_vec(&who()).unwrap()).unwrap();
    let review: serde_json::Value = client.request(request).await.unwrap();
    let expected = json!({"username": "system:anonymous", "groups": ["system:unauthenticated"]});
    assert_eq!(review["status"]["userInfo"], expected);
    serving.shutdown().await;
}

/// `kubectl` sends no token over plain HTTP: its kubeconfig says as whom it comes.
#[tokio::test]
async fn whoever_comes_by_a_kubeconfig_is_its_user_without_any_token() {
    let server = MemoryApiServer::new();
    let serving = server.serve().await.unwrap();
    assert!(serving.kubeconfig("ann").contains("as: \"ann\""));
    let client = kube::Client::try_from(kube::Config::new(serving.url().parse().unwrap())).unwrap();
    let request = http::Request::post(WHO).header("impersonate-user", "ann");
    let review: serde_json::Value =
        client.request(request.body(serde_json::to_vec(&who()).unwrap()).unwrap()).await.unwrap();
    assert_eq!(review["status"]["userInfo"]["username"], "ann");
    serving.shutdown().await;
}

#[tokio::test]
async fn who_may_not_do_everything_is_no_master_and_gets_no_list_of_what_nobody_can_list() {
    let server = MemoryApiServer::new();
    server.answer_access_reviews(|question| question.verb == "get");
    let (code, review) = post(&server, WHO, who()).await;
    assert_eq!((code, &review["status"]["userInfo"]["groups"]), (201, &json!(["system:authenticated"])));
    let asked =
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "n"}});
    let (code, review) = post(&server, RULES, asked).await;
    assert_eq!((code, &review["status"]["incomplete"]), (201, &json!(true)));
    assert_eq!(review["status"]["resourceRules"], json!([]));
}

/// A real server asks the node's kubelet, and answers what came of that.
#[tokio::test]
async fn a_pod_on_a_node_cannot_be_connected_to_and_the_answer_says_why() {
    let server = MemoryApiServer::new();
    let pods = "/api/v1/namespaces/default/pods";
    let spec = json!({"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
    assert_eq!(post(&server, pods, pod).await.0, 201);
    let expected = "node \"n1\" cannot be asked about pod \"p\": this server runs no containers";
    for subresource in ["log", "log?container=c", "exec?command=ls"] {
        let (code, status) = get(&server, &format!("{pods}/p/{subresource}")).await;
        assert_eq!((code, status["reason"].as_str(), message(&status)), (503, Some("ServiceUnavailable"), expected));
    }
}
