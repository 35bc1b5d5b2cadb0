//! The sandbox as somebody with an ordinary `kubectl` meets it: the same server, reached by its kubeconfig.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "common/kubectl.rs"]
mod program;

use std::process::Command;
use std::time::Duration;

use capt_sandbox::environment::Environment;
use capt_sandbox::example::{Provider, Size, example};
use capt_sandbox::install::Installer;
use capt_simulators::bmc;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::json;

use program::kubectl;

const PATIENCE: Duration = Duration::from_secs(120);

/// A sandbox with the built-in example installed, all of whose machines are up.
async fn sandbox() -> Environment {
    let environment = Environment::open(None, bmc::Options::default()).await.unwrap();
    let mut installer = Installer::new(environment.client());
    for document in example(Size { control_plane: 1, workers: 2, hardware: 4 }, Provider::InCluster).unwrap() {
        installer.create(&document).await.unwrap();
    }
    let server = environment.control_plane().unwrap().server().clone();
    let is_available = |cluster: &serde_json::Value| {
        let conditions = cluster["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|c| c["type"] == "Available" && c["status"] == "True")
    };
    let look = || {
        let clusters = server.list("cluster.x-k8s.io", "clusters");
        let found = clusters.iter().any(|cluster| is_available(cluster));
        std::future::ready(if found { Ok(()) } else { Err(String::new()) })
    };
    capt_simulators::until("the cluster is available", PATIENCE, Duration::from_millis(50), look).await.unwrap();
    environment
}

fn machines() -> ApiResource {
    let gvk = GroupVersionKind::gvk("infrastructure.cluster.x-k8s.io", "v1beta1", "TinkerbellMachine");
    ApiResource::from_gvk_with_plural(&gvk, "tinkerbellmachines")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_is_immutable_cannot_be_patched_in_the_sandbox_and_the_webhook_says_so() {
    let mut environment = sandbox().await;
    let api: Api<DynamicObject> = Api::default_namespaced_with(environment.client(), &machines());
    let name = api.list(&Default::default()).await.unwrap().items[0].metadata.name.clone().unwrap();
    let patch = Patch::Merge(json!({"spec": {"hardwareName": "another"}}));
    let refused = api.patch(&name, &PatchParams::default(), &patch).await.unwrap_err();
    let kube::Error::Api(status) = refused else { panic!("{refused}") };
    assert_eq!(status.code, 422, "{}", status.message);
    let webhook =
        "admission webhook \"validation.tinkerbellmachine.infrastructure.cluster.x-k8s.io\" denied the request";
    assert!(status.message.starts_with(webhook), "{}", status.message);
    assert!(status.message.contains("spec.hardwareName: Forbidden: is immutable once set"), "{}", status.message);
    environment.close().await.unwrap();
}

/// A command, and what its output (of both sorts) has to contain.
const COMMANDS: [(&str, &str); 28] = [
    ("wait --for=condition=Available cluster/my-cluster --timeout=60s", "condition met"),
    ("wait --for=condition=Available machinedeployment --all --timeout=60s", "condition met"),
    ("wait --for=condition=Available kubeadmcontrolplane --all --timeout=60s", "condition met"),
    ("wait --for=condition=Ready machines.cluster.x-k8s.io --all --timeout=60s", "condition met"),
    ("get machinesets.cluster.x-k8s.io", "NAME"),
    ("get machinedeployments -o jsonpath={.items[0].status.availableReplicas}", "2"),
    ("get machinesets.cluster.x-k8s.io -o jsonpath={.items[0].status.readyReplicas}", "2"),
    ("get tinkerbellmachines,hardware,workflows", "NAME"),
    ("scale machinedeployment/my-cluster-workers --replicas=1", "scaled"),
    ("scale machinedeployment/my-cluster-workers --replicas=2 --current-replicas=1", "scaled"),
    ("describe machinedeployment my-cluster-workers", "Available"),
    ("create namespace other", "namespace/other created"),
    ("create configmap words --from-literal=a=b", "configmap/words created"),
    ("create secret generic hidden --from-literal=a=b", "secret/hidden created"),
    ("create serviceaccount robot", "serviceaccount/robot created"),
    ("get configmap words -o jsonpath={.data.a}", "b"),
    ("label configmap words x=y", "labeled"),
    ("auth whoami", "admin"),
    ("auth can-i create tinkerbellmachines", "yes"),
    ("auth can-i --list", "*.*"),
    ("port-forward pod/none 8080:80", "pods \"none\" not found"),
    ("port-forward service/none 8080:80", "services \"none\" not found"),
    ("logs none", "pods \"none\" not found"),
    ("exec none -- ls", "pods \"none\" not found"),
    ("events", "LAST SEEN"),
    ("get validatingwebhookconfigurations", "capt-validating-webhook-configuration"),
    ("delete configmap words", "deleted"),
    ("delete namespace other", "deleted"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ordinary_commands_of_kubectl_work() {
    let Some(program) = kubectl() else { return };
    let mut environment = sandbox().await;
    let kubeconfig = environment.serve().await.unwrap().unwrap();
    let played = tokio::task::spawn_blocking(move || {
        let cache = kubeconfig.with_extension("cache");
        let played = COMMANDS.map(|(command, expected)| {
            let arguments = command.split(' ').map(str::to_owned);
            let output = Command::new(&program)
                .args(arguments)
                .env("KUBECONFIG", &kubeconfig)
                .env("KUBECACHEDIR", &cache)
                .output()
                .unwrap();
            let text =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            (command, expected, text)
        });
        let _ = std::fs::remove_dir_all(cache);
        played
    });
    let played = played.await.unwrap();
    environment.close().await.unwrap();
    let wrong = played.iter().filter(|(_, expected, text)| !text.contains(expected));
    let wrong: Vec<String> =
        wrong.map(|(command, expected, text)| format!("$ kubectl {command}\n{text}\n(no {expected:?})")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
