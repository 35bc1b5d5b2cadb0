//! Two replicas: one leads, the other answers webhooks too and takes over.

use serde_json::{Value, json};

use super::{Component, Patch};
use crate::manifests::deployment::pod_labels;
use crate::manifests::{Document, labelled};
use crate::names::{MANAGER, NAMESPACE};

pub(super) fn component() -> Component {
    let spread = |key: &str| {
        json!({
            "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": { "matchLabels": pod_labels() }, "matchLabelKeys": ["pod-template-hash"],
        })
    };
    let spread = [spread("kubernetes.io/hostname"), spread("topology.kubernetes.io/zone")];
    let change = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": MANAGER, "namespace": NAMESPACE },
        "spec": { "replicas": 2, "template": { "spec": { "topologySpreadConstraints": spread } } },
    });
    Component {
        name: "ha",
        purpose: "Two replicas on different nodes. One leads; both answer webhooks.",
        resources: vec![("pod_disruption_budget.yaml", vec![budget()])],
        patches: vec![Patch { target: Value::Null, path: "deployment.yaml", change }],
    }
}

/// `maxUnavailable`, for with one replica `minAvailable: 1` would block every drain of its node.
fn budget() -> Document {
    Document::new(json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": labelled(MANAGER),
        "spec": {
            "maxUnavailable": 1,
            "selector": { "matchLabels": pod_labels() },
            // A pod that is not ready protects nobody.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }))
}
