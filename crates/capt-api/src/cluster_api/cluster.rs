//! Cluster.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::{Conditions, ContractReference, Deprecated, Served};
use crate::Members;
use crate::conditions::Condition;
use crate::contract::{CLUSTER_API_GROUP, PAUSED_ANNOTATION};
use crate::infra::ApiEndpoint;
use crate::meta::Meta;

crate::kind::kind! {
    /// A workload cluster.
    Cluster, "clusters", CLUSTER_API_GROUP, Served, |dt| dt.as_str(), scope DynamicResourceScope,
    {
        /// What the user wants.
        spec: ClusterSpec,
        /// What Cluster API reports.
        status: ClusterStatus,
    }
}

crate::kind::served_constructor!(Cluster, ClusterSpec);

impl Cluster {
    /// Whether the Cluster is paused, by spec or by annotation.
    pub fn is_paused(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.paused == Some(true)) || self.annotation(PAUSED_ANNOTATION).is_some()
    }

    /// The condition of this type, of whichever shape it has.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        let status = self.status.as_ref()?;
        let (new, old) = (status.v1beta2.as_ref(), status.deprecated.as_ref());
        super::conditions::find(status.conditions.as_ref(), new, old, type_)
    }
}

/// Desired state of a Cluster, as far as it is named here.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSpec {
    /// Whether reconciliation of all that belongs to the cluster is paused.
    pub paused: Option<bool>,
    /// Where the cluster's API server is reached.
    pub control_plane_endpoint: Option<ApiEndpoint>,
    /// The control plane.
    pub control_plane_ref: Option<ContractReference>,
    /// The infrastructure cluster.
    pub infrastructure_ref: Option<ContractReference>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Observed state of a Cluster, as far as it is named here.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// Pending, Provisioning, Provisioned, Deleting, Failed or Unknown.
    pub phase: Option<String>,
    /// What is there already (contract v1beta2).
    pub initialization: Option<ClusterInitialization>,
    /// Whether the infrastructure is there (contract v1beta1).
    pub infrastructure_ready: Option<bool>,
    /// Whether the control plane is there (contract v1beta1).
    pub control_plane_ready: Option<bool>,
    /// Conditions, of the version's own shape.
    pub conditions: Option<Vec<Condition>>,
    /// Conditions of the new shape, at v1beta1.
    pub v1beta2: Option<Conditions>,
    /// Conditions of the old shape, at v1beta2.
    pub deprecated: Option<Deprecated>,
    /// Generation that this was reported for.
    pub observed_generation: Option<i64>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// What of a Cluster is there already (contract v1beta2).
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterInitialization {
    /// The infrastructure.
    pub infrastructure_provisioned: Option<bool>,
    /// The control plane.
    pub control_plane_initialized: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
