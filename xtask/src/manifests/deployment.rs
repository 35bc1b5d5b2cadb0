//! The Deployment.
//!
//! What one may want to change is no argument but an environment variable, taken from a ConfigMap that need not be there. So the
//! file works as it is, and whoever applies it with Argo CD or Flux substitutes nothing.

use serde_json::{Value, json};

use super::Variables;
use super::objects::Document;
use crate::names::{
    CERTIFICATE_SECRET, CONFIG, CONTAINER, EXTERNAL_SECRET, HEALTH_PORT, MANAGER, METRICS_PORT, NAMESPACE, PROVIDER,
    PROVIDER_LABEL, USER, WEBHOOK_PORT, image,
};

/// What the variables of the ConfigMap get before their names, so that they win over the ones below.
pub const PREFIX: &str = "CAPT_";
/// Where Tinkerbell's metadata service listens since 0.23. The flag's default is the Go manager's, which is older.
pub const METADATA_PORT: &str = "7080";

/// Labels of the pod: the selector of Go CAPT's Deployment, which cannot be changed.
#[must_use]
pub fn pod_labels() -> Value {
    json!({ PROVIDER_LABEL: PROVIDER, "control-plane": "controller-manager" })
}

/// A variable of clusterctl, and the word that stands for it until the object is a text.
struct Variable {
    word: &'static str,
    text: &'static str,
}

const TINKERBELL_IP: Variable = Variable { word: "clusterctl-tinkerbell-ip", text: "${TINKERBELL_IP:=''}" };
const EXTERNAL: Variable = Variable {
    word: "clusterctl-external-secret",
    text: "${EXTERNAL_TINKERBELL_KUBECONFIG:=external-tinkerbell-kubeconfig}",
};

/// Puts clusterctl's variables where their words stand. They are text and no YAML: what clusterctl writes in their place decides
/// what they are, so no quotes may be around an empty one.
pub(super) fn with_variables(text: &str) -> String {
    [TINKERBELL_IP, EXTERNAL].iter().fold(text.to_owned(), |text, variable| text.replace(variable.word, variable.text))
}

/// The Deployment.
#[must_use]
pub fn deployment(variables: Variables) -> Document {
    let selector = pod_labels();
    let pod = json!({
        "metadata": {
            "annotations": { "kubectl.kubernetes.io/default-container": CONTAINER },
            "labels": selector,
        },
        "spec": pod_spec(variables),
    });
    Document::new(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": MANAGER, "namespace": NAMESPACE, "labels": pod_labels() },
        "spec": { "replicas": 1, "selector": { "matchLabels": pod_labels() }, "template": pod },
    }))
    .because(&format!(
        "Flags are set in ConfigMap {CONFIG}, by the names of their variables: TINKERBELL_IP, V, WATCH_FILTER, …"
    ))
}

fn pod_spec(variables: Variables) -> Value {
    let secret = match variables {
        Variables::Filled => EXTERNAL_SECRET,
        Variables::Clusterctl => EXTERNAL.word,
    };
    let control_plane = |key| json!({ "effect": "NoSchedule", "key": key });
    json!({
        "serviceAccountName": MANAGER,
        // A Service called `webhook` in this namespace would set WEBHOOK_PORT.
        "enableServiceLinks": false,
        // The manager is gone within 10 s of being told to.
        "terminationGracePeriodSeconds": 15,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "seccompProfile": { "type": "RuntimeDefault" },
        },
        "tolerations": [
            control_plane("node-role.kubernetes.io/master"),
            control_plane("node-role.kubernetes.io/control-plane"),
        ],
        "containers": [container(variables)],
        "volumes": [
            { "name": "cert", "secret": { "secretName": CERTIFICATE_SECRET, "defaultMode": 420 } },
            { "name": "external-tinkerbell-kubeconfig", "secret": { "secretName": secret, "optional": true } },
        ],
    })
}

fn container(variables: Variables) -> Value {
    let port = |name, number| json!({ "name": name, "containerPort": number, "protocol": "TCP" });
    let probe = |path: &str, period: u32, failures: u32| {
        json!({
            "httpGet": { "path": path, "port": HEALTH_PORT },
            "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures,
        })
    };
    let mount = |name, path| json!({ "name": name, "mountPath": path, "readOnly": true });
    json!({
        "name": CONTAINER,
        "image": image(),
        "imagePullPolicy": "IfNotPresent",
        // With `=true`: the Cluster API operator finds an argument by what stands before the `=`.
        "args": ["--leader-elect=true"],
        "env": environment(variables),
        "envFrom": [{ "prefix": PREFIX, "configMapRef": { "name": CONFIG, "optional": true } }],
        "ports": [port(WEBHOOK_PORT, 9443), port(METRICS_PORT, 8443), port(HEALTH_PORT, 9440)],
        // The first certificate may take its time, and liveness asks for one.
        "startupProbe": probe("/healthz", 2, 150),
        "livenessProbe": probe("/healthz", 10, 3),
        "readinessProbe": probe("/readyz", 5, 3),
        // No limit of CPU: one that is reached delays the API server's calls. The memory with 10,000 Hardware is 65 MiB, and the bodies
        // of webhook calls take 64 MiB at most.
        "resources": { "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "memory": "256Mi" } },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "privileged": false,
            "readOnlyRootFilesystem": true,
        },
        "volumeMounts": [
            mount("cert", "/tmp/k8s-webhook-server/serving-certs"),
            mount("external-tinkerbell-kubeconfig", "/var/run/secrets/external-tinkerbell"),
        ],
    })
}

fn environment(variables: Variables) -> Value {
    let field = |name, path| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
    let value = |name, value| json!({ "name": name, "value": value });
    let of_pod = [field("POD_NAMESPACE", "metadata.namespace"), field("POD_NAME", "metadata.name")];
    // No variable of clusterctl's: where nobody fills it in, the default would be lost.
    let port = value("METADATA_PORT", METADATA_PORT);
    let ip = (variables == Variables::Clusterctl).then(|| value("TINKERBELL_IP", TINKERBELL_IP.word));
    of_pod.into_iter().chain([port]).chain(ip).collect()
}
