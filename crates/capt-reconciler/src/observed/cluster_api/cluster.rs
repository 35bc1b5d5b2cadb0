//! Cluster.

use serde::{Deserialize, Serialize};

use super::{ClusterApiInitialization, ContractReference, Served};
use crate::observed::infra::ApiEndpoint;
use capt_api::contract::{CLUSTER_API_GROUP, PAUSED_ANNOTATION};
use capt_api::meta::Meta;

crate::observed::decode::kind! {
    /// A workload cluster.
    Cluster, "clusters", CLUSTER_API_GROUP, Served, |dt| dt.as_str(), scope NamespaceResourceScope,
    {
        /// What the user wants.
        #[serde(default, deserialize_with = "crate::observed::decode::lenient")]
        spec: ClusterSpec,
        /// What Cluster API reports.
        #[serde(default, deserialize_with = "crate::observed::decode::lenient")]
        status: ClusterStatus,
    }
}

/// The parts of a Cluster's spec that we read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSpec {
    /// Whether reconciliation of all that belongs to the cluster is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// Where the cluster's API server is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane_endpoint: Option<ApiEndpoint>,
    /// The infrastructure cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure_ref: Option<ContractReference>,
}

/// The parts of a Cluster's status that we read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterStatus {
    /// Contract v1beta2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initialization: Option<ClusterApiInitialization>,
    /// Contract v1beta1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure_ready: Option<bool>,
}

impl Cluster {
    /// Whether `spec.paused` is set.
    pub fn is_paused_by_spec(&self) -> bool {
        self.spec.paused == Some(true)
    }

    /// Whether the Cluster is paused, by spec or by annotation.
    pub fn is_paused(&self) -> bool {
        self.is_paused_by_spec() || self.annotation(PAUSED_ANNOTATION).is_some()
    }
}
