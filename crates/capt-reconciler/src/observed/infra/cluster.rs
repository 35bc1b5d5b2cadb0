//! TinkerbellCluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};

use super::Initialization;
use capt_api::contract::{INFRASTRUCTURE_GROUP, INFRASTRUCTURE_VERSION};

crate::observed::decode::kind! {
    /// The infrastructure of one workload cluster on Tinkerbell.
    TinkerbellCluster, "tinkerbellclusters", INFRASTRUCTURE_GROUP, (), |_dt| INFRASTRUCTURE_VERSION,
    scope NamespaceResourceScope,
    {
        /// What the user wants.
        #[serde(default)]
        spec: TinkerbellClusterSpec,
        /// What we report.
        #[serde(default)]
        status: Option<TinkerbellClusterStatus>,
    }
}

/// Desired state of a TinkerbellCluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TinkerbellClusterSpec {
    /// Where the cluster's API server is reached. Taken from the Cluster when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_endpoint: Option<ApiEndpoint>,
    /// Go template of the image URL, over `BaseRegistry`, `OSDistro`, `OSVersion` and `KubernetesVersion`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_lookup_format: String,
    /// Registry and path that hold the machine images.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_lookup_base_registry: String,
    /// Distribution part of the image's name.
    #[serde(default, skip_serializing_if = "String::is_empty", rename = "imageLookupOSDistro")]
    pub image_lookup_os_distro: String,
    /// Version part of the image's name; dots are left out.
    #[serde(default, skip_serializing_if = "String::is_empty", rename = "imageLookupOSVersion")]
    pub image_lookup_os_version: String,
    /// Text of the Tinkerbell template of all machines in this cluster.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub template_override: String,
    /// A Template whose text is used for all machines in this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_override_ref: Option<TemplateReference>,
}

/// Host and port of an API server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiEndpoint {
    /// Host name or address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Port; 0 when left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub port: i32,
}

impl ApiEndpoint {
    /// Whether both parts are set.
    pub fn is_complete(&self) -> bool {
        !self.host.is_empty() && self.port != 0
    }
}

fn is_zero(value: &i32) -> bool {
    *value == 0
}

/// Names a Template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateReference {
    /// Name of the Template.
    pub name: String,
    /// Namespace of the Template; the Hardware's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Observed state of a TinkerbellCluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TinkerbellClusterStatus {
    /// Whether the cluster's infrastructure is ready (contract v1beta1).
    #[serde(default)]
    pub ready: bool,
    /// The same for contract v1beta2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialization: Option<Initialization>,
    /// Standard conditions.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::observed::decode::lenient_list"
    )]
    pub conditions: Vec<Condition>,
}
