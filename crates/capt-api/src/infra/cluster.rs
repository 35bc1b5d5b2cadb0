//! TinkerbellCluster.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::Initialization;
use crate::Members;
use crate::conditions::{Condition, READY};
use crate::contract::{INFRASTRUCTURE_GROUP, INFRASTRUCTURE_VERSION};

crate::kind::kind! {
    /// The infrastructure of one workload cluster on Tinkerbell.
    TinkerbellCluster, "tinkerbellclusters", INFRASTRUCTURE_GROUP, (), |_dt| INFRASTRUCTURE_VERSION,
    scope NamespaceResourceScope,
    {
        /// What the user wants.
        spec: TinkerbellClusterSpec,
        /// What we report.
        status: TinkerbellClusterStatus,
    }
}

crate::kind::constructor!(TinkerbellCluster, TinkerbellClusterSpec);

impl TinkerbellCluster {
    /// The condition of this type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        Condition::find(self.status.as_ref()?.conditions.as_ref(), type_)
    }

    /// The summary of what it waits for; absent once it is ready, and before anybody looked at it.
    pub fn waiting(&self) -> Option<&Condition> {
        self.condition(READY).filter(|ready| !ready.is_true())
    }
}

/// Desired state of a TinkerbellCluster.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-kubernetes-validations" = [{
    "message": "templateOverride and templateOverrideRef are mutually exclusive",
    "rule": "!has(self.templateOverride) || !has(self.templateOverrideRef)",
}])))]
pub struct TinkerbellClusterSpec {
    /// Where the cluster's API server is reached. Taken from the Cluster when left out.
    pub control_plane_endpoint: Option<ApiEndpoint>,
    /// Go template of the image URL, over `BaseRegistry`, `OSDistro`, `OSVersion` and `KubernetesVersion`.
    pub image_lookup_format: Option<String>,
    /// Registry and path that hold the machine images.
    #[cfg_attr(feature = "schema", schemars(extend("default" = "ghcr.io/tinkerbell/cluster-api-provider-tinkerbell")))]
    pub image_lookup_base_registry: Option<String>,
    /// Distribution part of the image's name.
    #[serde(rename = "imageLookupOSDistro")]
    #[cfg_attr(feature = "schema", schemars(extend("default" = "ubuntu")))]
    pub image_lookup_os_distro: Option<String>,
    /// Version part of the image's name; dots are left out.
    #[serde(rename = "imageLookupOSVersion")]
    pub image_lookup_os_version: Option<String>,
    /// Text of the Tinkerbell template of all machines in this cluster.
    pub template_override: Option<String>,
    /// A Template whose text is used for all machines in this cluster.
    pub template_override_ref: Option<TemplateReference>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// Host and port of an API server.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1)))]
pub struct ApiEndpoint {
    /// Host name or address.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 512)))]
    pub host: Option<String>,
    /// Port; 0 when left out.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 65535)))]
    pub port: Option<i32>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

impl ApiEndpoint {
    /// An endpoint.
    pub fn new(host: impl Into<String>, port: i32) -> Self {
        Self { host: Some(host.into()), port: Some(port), other: Members::new() }
    }

    /// Whether both parts are set.
    pub fn is_complete(&self) -> bool {
        self.host.as_ref().is_some_and(|host| !host.is_empty()) && self.port.is_some_and(|port| port != 0)
    }
}

/// Names a Template.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TemplateReference {
    /// Name of the Template.
    pub name: String,
    /// Namespace of the Template; the Hardware's when left out.
    pub namespace: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// Observed state of a TinkerbellCluster.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TinkerbellClusterStatus {
    /// Whether the cluster's infrastructure is ready (contract v1beta1).
    pub ready: Option<bool>,
    /// The same for contract v1beta2.
    pub initialization: Option<Initialization>,
    /// Standard conditions.
    #[cfg_attr(feature = "schema", schemars(default, schema_with = "crate::schema::conditions"))]
    pub conditions: Option<Vec<Condition>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}
