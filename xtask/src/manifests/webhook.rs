//! What leads the API server to the webhooks: Service, certificate, registrations.

use capt_api::contract::{INFRASTRUCTURE_GROUP, INFRASTRUCTURE_VERSION};
use capt_reconciler::admission::{OPERATIONS, REGISTRATIONS, REVIEW_VERSIONS, Registration, Webhook};
use serde_json::{Value, json};

use super::deployment::pod_labels;
use super::objects::{Document, labelled};
use crate::names::{
    CERTIFICATE, CERTIFICATE_SECRET, ISSUER, NAMESPACE, PROVIDER, PROVIDER_LABEL, WEBHOOK_PORT, WEBHOOK_SERVICE,
};

/// The Service. Every replica answers, leading or not.
#[must_use]
pub fn service() -> Document {
    Document::new(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": labelled(WEBHOOK_SERVICE),
        "spec": { "ports": [{ "port": 443, "targetPort": WEBHOOK_PORT }], "selector": pod_labels() },
    }))
}

/// The Issuer.
#[must_use]
pub fn issuer() -> Document {
    let spec = json!({ "selfSigned": {} });
    let object =
        json!({ "apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": labelled(ISSUER), "spec": spec });
    Document::new(object).because("cert-manager must be there.")
}

/// The Certificate.
#[must_use]
pub fn certificate() -> Document {
    let host = format!("{WEBHOOK_SERVICE}.{NAMESPACE}.svc");
    Document::new(json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": labelled(CERTIFICATE),
        "spec": {
            "dnsNames": [host, format!("{host}.cluster.local")],
            "issuerRef": { "kind": "Issuer", "name": ISSUER },
            "secretName": CERTIFICATE_SECRET,
        },
    }))
}

/// The registrations of what may change an object.
#[must_use]
pub fn mutating() -> Document {
    let name = "capt-mutating-webhook-configuration";
    configuration("MutatingWebhookConfiguration", name, Webhook::Mutating)
}

/// The registrations of what may refuse an object.
#[must_use]
pub fn validating() -> Document {
    let name = "capt-validating-webhook-configuration";
    configuration("ValidatingWebhookConfiguration", name, Webhook::Validating)
}

fn configuration(kind: &str, name: &str, webhook: Webhook) -> Document {
    let registered = REGISTRATIONS.iter().filter(|registration| registration.webhook == webhook);
    Document::new(json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "labels": { PROVIDER_LABEL: PROVIDER },
            "annotations": { "cert-manager.io/inject-ca-from": format!("{NAMESPACE}/{CERTIFICATE}") },
        },
        "webhooks": registered.map(call).collect::<Vec<_>>(),
    }))
}

fn call(registration: &Registration) -> Value {
    json!({
        "name": registration.name,
        "admissionReviewVersions": REVIEW_VERSIONS,
        "clientConfig": { "service": { "name": WEBHOOK_SERVICE, "namespace": NAMESPACE, "path": registration.path } },
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "rules": [{
            "apiGroups": [INFRASTRUCTURE_GROUP],
            "apiVersions": [INFRASTRUCTURE_VERSION],
            "operations": OPERATIONS,
            "resources": [registration.resource],
        }],
        "sideEffects": "None",
    })
}
