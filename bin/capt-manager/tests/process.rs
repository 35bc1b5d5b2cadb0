//! The program as an operator runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memory_apiserver::MemoryApiServer;

fn crd(group: &str, kind: &str, plural: &str, version: &str) -> String {
    format!(
        r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  names: {{kind: {kind}, plural: {plural}, singular: {singular}, listKind: {kind}List}}
  scope: Namespaced
  versions:
  - {{name: {version}, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}
",
        singular = kind.to_lowercase()
    )
}

fn manager(kubeconfig: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_capt-manager"))
        .env("KUBECONFIG", kubeconfig)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How the process ends.
fn ended(child: &mut Child, within: Duration) -> std::process::ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > within {
            child.kill().unwrap();
            panic!("still runs after {within:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn it_works_on_the_cluster_of_its_kubeconfig_and_stops_when_told() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async { MemoryApiServer::new() });
    for (group, kind, plural, version) in [
        ("infrastructure.cluster.x-k8s.io", "TinkerbellMachine", "tinkerbellmachines", "v1beta1"),
        ("infrastructure.cluster.x-k8s.io", "TinkerbellCluster", "tinkerbellclusters", "v1beta1"),
        ("cluster.x-k8s.io", "Machine", "machines", "v1beta2"),
        ("cluster.x-k8s.io", "Cluster", "clusters", "v1beta2"),
        ("tinkerbell.org", "Hardware", "hardware", "v1alpha1"),
        ("tinkerbell.org", "Template", "templates", "v1alpha1"),
        ("tinkerbell.org", "Workflow", "workflows", "v1alpha1"),
    ] {
        server.apply_manifest(&crd(group, kind, plural, version)).unwrap();
    }
    let serving = runtime.block_on(server.serve()).unwrap();
    let directory = std::env::temp_dir().join(format!("capt-manager-test-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let kubeconfig = directory.join("kubeconfig");
    std::fs::write(&kubeconfig, serving.kubeconfig("capt")).unwrap();

    let mut child = manager(&kubeconfig);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert!(first.contains("\"message\":\"starting manager\"") && first.contains("\"version\""), "{first}");
    assert!(lines.any(|line| line.contains("\"message\":\"ready\"")), "never ready");
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(ended(&mut child, Duration::from_secs(12)).success());
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn it_fails_without_a_cluster_and_does_not_tell_secrets() {
    let directory = std::env::temp_dir().join(format!("capt-manager-bad-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let kubeconfig = directory.join("kubeconfig");
    std::fs::write(&kubeconfig, "apiVersion: v1\nkind: Config\nusers: [{name: u, user: {token: s3cret}}]\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_capt-manager")).env("KUBECONFIG", &kubeconfig).output().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("no Kubernetes cluster is configured"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}
