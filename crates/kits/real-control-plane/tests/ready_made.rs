//! A control plane of ready-made programs, as users of envtest have them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use real_control_plane::api_server::ADMIN;
use real_control_plane::build::{ASSETS, Programs};
use real_control_plane::control_plane::ControlPlane;

#[tokio::test]
async fn a_control_plane_of_kubebuilders_assets_takes_and_returns_an_object() {
    let Some(programs) = Programs::from_environment().unwrap() else {
        println!("SKIPPED: {ASSETS} is not set");
        return;
    };
    let folder = std::env::temp_dir().join(format!("ready-made-plane-{}", std::process::id()));
    let plane = ControlPlane::start(&programs, &folder, &[], &[]).await.unwrap();
    let client = plane.client(ADMIN, "test").await.unwrap();
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let mut map = ConfigMap::default();
    map.metadata.name = Some("a".to_owned());
    let made = api.create(&PostParams::default(), &map).await.unwrap();
    assert_eq!(api.get("a").await.unwrap().metadata.uid, made.metadata.uid);
    drop(plane);
    std::fs::remove_dir_all(&folder).unwrap();
}
