//! Every name in the manifests, once. They are those of Go CAPT's manifests, so that ours replace them in place.

pub use capt_api::contract::{INSTALL_NAMESPACE as NAMESPACE, WEBHOOK_CERTIFICATE as CERTIFICATE, WEBHOOK_SERVICE};

/// The version that is released, which is the workspace's.
pub const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));
/// Where the image is published. clusterctl and the operator replace it by this name.
pub const IMAGE: &str = "ghcr.io/tinkerbell/cluster-api-provider-tinkerbell";
/// As whom the manager runs, and the Deployment.
pub const MANAGER: &str = "capt-controller-manager";
/// The container. The Cluster API operator looks for this name.
pub const CONTAINER: &str = "manager";
/// The Secret of the webhooks' certificate.
pub const CERTIFICATE_SECRET: &str = "capt-webhook-service-cert";
/// The Issuer of the webhooks' certificate.
pub const ISSUER: &str = "capt-selfsigned-issuer";
/// The Service of the metrics.
pub const METRICS_SERVICE: &str = "capt-metrics-service";
/// The ConfigMap that may set flags, by the names of their environment variables.
pub const CONFIG: &str = "capt-manager-config";
/// The Secret that may hold the kubeconfig of the cluster where Tinkerbell is.
pub const EXTERNAL_SECRET: &str = "external-tinkerbell-kubeconfig";
/// The port of the webhooks in the pod.
pub const WEBHOOK_PORT: &str = "webhook-server";
/// The port of the guarded metrics in the pod.
pub const METRICS_PORT: &str = "metrics";
/// The port of the probes in the pod.
pub const HEALTH_PORT: &str = "healthz";
/// Label that says which provider an object is of. clusterctl overwrites it on everything but pods and selectors.
pub const PROVIDER_LABEL: &str = "cluster.x-k8s.io/provider";
/// Its value.
pub const PROVIDER: &str = "infrastructure-tinkerbell";
/// The user and group that the program runs as.
pub const USER: u32 = 65532;

/// The image, by the tag of this release.
#[must_use]
pub fn image() -> String {
    format!("{IMAGE}:{VERSION}")
}
