//! The webhooks there are: one table for the server and for the manifests.

use super::refusal::Refusal;
use super::request::Request;
use super::{Verdict, cluster, machine, template};

/// Operations that every webhook is registered for.
pub const OPERATIONS: [&str; 2] = ["CREATE", "UPDATE"];

/// Versions of AdmissionReview that every webhook answers, the preferred one first.
pub const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// What a webhook may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    /// Change the object.
    Mutating,
    /// Refuse the object.
    Validating,
}

/// One webhook. Its rule names the main resource only, never a subresource.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    /// Name in the webhook configuration. Fixed: whoever upgrades from Go CAPT keeps the same configuration.
    pub name: &'static str,
    /// What it may do.
    pub webhook: Webhook,
    /// Path of the URL.
    pub path: &'static str,
    /// Plural name of the kind, in our group and version ([`capt_api::contract`]).
    pub resource: &'static str,
    pub(super) decide: fn(&Request<'_>) -> Result<Verdict, Refusal>,
}

/// All webhooks.
pub const REGISTRATIONS: [Registration; 4] = [
    Registration {
        name: "default.tinkerbellcluster.infrastructure.cluster.x-k8s.io",
        webhook: Webhook::Mutating,
        path: "/mutate-infrastructure-cluster-x-k8s-io-v1beta1-tinkerbellcluster",
        resource: "tinkerbellclusters",
        decide: cluster::default,
    },
    Registration {
        name: "validation.tinkerbellcluster.infrastructure.cluster.x-k8s.io",
        webhook: Webhook::Validating,
        path: "/validate-infrastructure-cluster-x-k8s-io-v1beta1-tinkerbellcluster",
        resource: "tinkerbellclusters",
        decide: cluster::validate,
    },
    Registration {
        name: "validation.tinkerbellmachine.infrastructure.cluster.x-k8s.io",
        webhook: Webhook::Validating,
        path: "/validate-infrastructure-cluster-x-k8s-io-v1beta1-tinkerbellmachine",
        resource: "tinkerbellmachines",
        decide: machine::validate,
    },
    Registration {
        // Go CAPT left `.cluster` out of this name.
        name: "validation.tinkerbellmachinetemplate.infrastructure.x-k8s.io",
        webhook: Webhook::Validating,
        path: "/validate-infrastructure-cluster-x-k8s-io-v1beta1-tinkerbellmachinetemplate",
        resource: "tinkerbellmachinetemplates",
        decide: template::validate,
    },
];
