//! Who reaches the pod, and whom it reaches.

use serde_json::json;

use super::Component;
use crate::manifests::deployment::pod_labels;
use crate::manifests::{Document, labelled};
use crate::names::{MANAGER, METRICS_PORT, WEBHOOK_PORT};

pub(super) fn component() -> Component {
    let tcp = |port: u16| json!({ "port": port, "protocol": "TCP" });
    let policy = Document::new(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labelled(MANAGER),
        "spec": {
            "podSelector": { "matchLabels": pod_labels() },
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                // The API server has no labels to select it by.
                { "ports": [{ "port": WEBHOOK_PORT, "protocol": "TCP" }] },
                {
                    "from": [{ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "monitoring" } } }],
                    "ports": [{ "port": METRICS_PORT, "protocol": "TCP" }],
                },
            ],
            "egress": [
                { "ports": [{ "port": 53, "protocol": "UDP" }, tcp(53)] },
                { "ports": [tcp(443), tcp(6443)] },
            ],
        },
    }));
    Component {
        name: "network-policy",
        purpose: "Webhooks from anywhere, metrics from namespace `monitoring`; out to DNS and to API servers on 443 and 6443.\n\
                  The node's own probes pass, as everywhere. An API server on another port needs a patch.",
        resources: vec![("network_policy.yaml", vec![policy])],
        patches: Vec::new(),
    }
}
