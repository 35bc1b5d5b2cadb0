//! A server with the kinds that CAPT watches.

use std::sync::Arc;
use std::time::Duration;

use capt_kube::{Manager, Settings};
use http_body_util::{Either, Full};
use memory_apiserver::MemoryApiServer;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A CustomResourceDefinition that takes anything.
pub fn crd(group: &str, kind: &str, plural: &str, version: &str, scope: &str) -> String {
    format!(
        r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  names: {{kind: {kind}, plural: {plural}, singular: {singular}, listKind: {kind}List}}
  scope: {scope}
  versions:
  - name: {version}
    served: true
    storage: true
    subresources: {{status: {{}}}}
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
",
        singular = kind.to_lowercase()
    )
}

/// The kinds that CAPT cannot do without.
pub fn core_kinds() -> Vec<String> {
    [
        ("infrastructure.cluster.x-k8s.io", "TinkerbellMachine", "tinkerbellmachines", "v1beta1"),
        ("infrastructure.cluster.x-k8s.io", "TinkerbellCluster", "tinkerbellclusters", "v1beta1"),
        ("cluster.x-k8s.io", "Machine", "machines", "v1beta2"),
        ("cluster.x-k8s.io", "Cluster", "clusters", "v1beta2"),
        ("tinkerbell.org", "Hardware", "hardware", "v1alpha1"),
        ("tinkerbell.org", "Template", "templates", "v1alpha1"),
        ("tinkerbell.org", "Workflow", "workflows", "v1alpha1"),
    ]
    .map(|(group, kind, plural, version)| crd(group, kind, plural, version, "Namespaced"))
    .to_vec()
}

pub const IPAM: &str = "ipam.cluster.x-k8s.io";

/// The kinds of IPAM, in one version.
pub fn ipam_kinds(version: &str) -> Vec<String> {
    vec![
        crd(IPAM, "IPAddressClaim", "ipaddressclaims", version, "Namespaced"),
        crd(IPAM, "IPAddress", "ipaddresses", version, "Namespaced"),
    ]
}

pub fn job_kind() -> String {
    crd("bmc.tinkerbell.org", "Job", "jobs", "v1alpha1", "Namespaced")
}

pub fn apply(server: &MemoryApiServer, manifests: &[String]) {
    for manifest in manifests {
        server.apply_manifest(manifest).unwrap();
    }
}

/// A manager at work, until it is dropped.
pub struct Running {
    pub manager: Arc<Manager>,
    pub cancel: CancellationToken,
    pub task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

pub fn start(server: &MemoryApiServer, settings: Settings) -> Running {
    start_with(server.client("capt"), settings)
}

/// The server, but for the requests that `deny` wants answered with a bare 404. It sees the path of each request.
pub fn denying(server: &MemoryApiServer, deny: impl Fn(&str) -> bool + Clone + Send + 'static) -> kube::Client {
    let service = server.service("capt");
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (service, deny) = (service.clone(), deny.clone());
        async move {
            // Here, so that a panic is that of whoever asks.
            if deny(request.uri().path()) {
                let body = Full::new("404 page not found".into());
                return Ok(http::Response::builder().status(404).body(Either::Right(body)).unwrap());
            }
            Ok::<_, tower::BoxError>(service.oneshot(request).await?.map(Either::Left))
        }
    });
    kube::Client::new(service, "default")
}

pub fn start_with(client: kube::Client, settings: Settings) -> Running {
    let manager = Arc::new(Manager::new(client, settings));
    let cancel = CancellationToken::new();
    let task = tokio::spawn({
        let (manager, cancel) = (manager.clone(), cancel.clone());
        async move { manager.run(cancel).await }
    });
    Running { manager, cancel, task }
}

/// A manager on a server with the core kinds, at work with all stores filled.
pub async fn started(server: &MemoryApiServer) -> Running {
    apply(server, &core_kinds());
    let running = start(server, Settings::default());
    timeout(Duration::from_secs(20), running.manager.synced()).await.expect("the stores are not filled");
    running
}

/// Waits for something to become true and says how long it took.
pub async fn until(what: &str, within: Duration, mut check: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    let look = || std::future::ready(if check() { Ok(()) } else { Err(String::new()) });
    let reached = capt_simulators::until(what, within, Duration::from_millis(10), look).await;
    assert_eq!(reached, Ok(()), "not reached");
    began.elapsed()
}
