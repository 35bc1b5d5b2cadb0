//! The HTTP face.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use futures::{StreamExt, TryStreamExt};
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use memory_apiserver::Serving;
use serde_json::json;

async fn client(serving: &Serving, user: &str) -> Client {
    let config = Kubeconfig::from_yaml(&serving.kubeconfig(user)).unwrap();
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

#[tokio::test]
async fn a_kubeconfig_leads_a_client_to_the_same_store_as_its_user() {
    let server = server();
    let serving = server.serve().await.unwrap();
    assert!(serving.addr().ip().is_loopback());
    let api: Api<kube::api::DynamicObject> =
        Api::default_namespaced_with(client(&serving, "over-http").await, &resource("v1"));
    let mut events = api.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    api.create(&PostParams::default(), &thing("a", json!({"size": 1}))).await.unwrap();
    let event = events.try_next().await.unwrap().unwrap();
    assert!(matches!(event, WatchEvent::Added(object) if object.metadata.name.as_deref() == Some("a")));
    things(&server, "in-process").get("a").await.unwrap();
    assert_eq!(server.journal().count(Some("over-http"), Some("things")), 1);
    assert!(matches!(api.get("b").await.unwrap_err(), kube::Error::Api(status) if status.code == 404));
    serving.shutdown().await;
    assert!(api.get("a").await.is_err(), "nobody listens any more");
}
