//! No webhooks, and so no certificate and no cert-manager.

use serde_json::{Value, json};

use super::{Component, Patch};
use crate::manifests::webhook;
use crate::names::{CONTAINER, MANAGER, NAMESPACE};

pub(super) fn component() -> Component {
    let mut patches = vec![
        Patch { target: Value::Null, path: "deployment.yaml", change: deployment() },
        Patch {
            target: json!({ "group": "apiextensions.k8s.io", "kind": "CustomResourceDefinition" }),
            path: "definitions.yaml",
            change: json!([
                { "op": "replace", "path": "/spec/conversion", "value": { "strategy": "None" } },
                { "op": "remove", "path": "/metadata/annotations/cert-manager.io~1inject-ca-from" },
            ]),
        },
    ];
    let gone = [
        ("no_issuer.yaml", webhook::issuer()),
        ("no_certificate.yaml", webhook::certificate()),
        ("no_service.yaml", webhook::service()),
        ("no_mutating_webhooks.yaml", webhook::mutating()),
        ("no_validating_webhooks.yaml", webhook::validating()),
    ];
    patches.extend(gone.map(|(path, document)| Patch {
        target: Value::Null,
        path,
        change: deleted(document.object()),
    }));
    Component {
        name: "without-webhooks",
        purpose: "For clusters without cert-manager. What the webhooks refuse is accepted then: hardwareName, providerID and\n\
                  ipamPoolRef of a machine that has its server must be left alone all the same.",
        resources: Vec::new(),
        patches,
    }
}

fn deployment() -> Value {
    let container = json!({
        "name": CONTAINER,
        "env": [{ "name": "WEBHOOK_PORT", "value": "0" }],
        "ports": [{ "containerPort": 9443, "protocol": "TCP", "$patch": "delete" }],
        "volumeMounts": [{ "mountPath": "/tmp/k8s-webhook-server/serving-certs", "$patch": "delete" }],
    });
    let volumes = json!([{ "name": "cert", "$patch": "delete" }]);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": MANAGER, "namespace": NAMESPACE },
        "spec": { "template": { "spec": { "containers": [container], "volumes": volumes } } },
    })
}

fn deleted(object: &Value) -> Value {
    let of = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    let mut metadata = json!({ "name": of("/metadata/name") });
    if let (Some(namespace), Value::Object(metadata)) = (object.pointer("/metadata/namespace"), &mut metadata) {
        metadata.insert("namespace".to_owned(), namespace.clone());
    }
    json!({ "apiVersion": of("/apiVersion"), "kind": of("/kind"), "metadata": metadata, "$patch": "delete" })
}
