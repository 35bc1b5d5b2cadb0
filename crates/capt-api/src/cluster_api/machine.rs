//! Machine.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::{Conditions, ContractReference, Deprecated, Served};
use crate::Members;
use crate::conditions::Condition;
use crate::contract::CLUSTER_API_GROUP;
use crate::infra::MachineAddress;

crate::kind::kind! {
    /// One machine of a cluster, whatever its infrastructure.
    Machine, "machines", CLUSTER_API_GROUP, Served, |dt| dt.as_str(), scope DynamicResourceScope,
    {
        /// What the user wants.
        spec: MachineSpec,
        /// What Cluster API reports.
        status: MachineStatus,
    }
}

crate::kind::served_constructor!(Machine, MachineSpec);

impl Machine {
    /// The condition of this type, of whichever shape it has.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        let status = self.status.as_ref()?;
        let (new, old) = (status.v1beta2.as_ref(), status.deprecated.as_ref());
        super::conditions::find(status.conditions.as_ref(), new, old, type_)
    }
}

/// Desired state of a Machine, as far as it is named here.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineSpec {
    /// Name of the Cluster.
    pub cluster_name: String,
    /// Where the bootstrap data is.
    pub bootstrap: Bootstrap,
    /// The infrastructure machine.
    pub infrastructure_ref: ContractReference,
    /// Kubernetes version, such as `v1.31.0`.
    pub version: Option<String>,
    /// Provider ID, copied from the infrastructure machine once that was ready.
    #[serde(rename = "providerID")]
    pub provider_id: Option<String>,
    /// Failure domain.
    pub failure_domain: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Where a Machine's bootstrap data is.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// The object that the data is made from.
    pub config_ref: Option<ContractReference>,
    /// Name of the Secret, once the bootstrap provider made it.
    pub data_secret_name: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Observed state of a Machine, as far as it is named here.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineStatus {
    /// The Node that runs on the machine.
    pub node_ref: Option<ContractReference>,
    /// The machine's addresses, copied from the infrastructure machine.
    pub addresses: Option<Vec<MachineAddress>>,
    /// Pending, Provisioning, Provisioned, Running, Updating, Deleting, Deleted, Failed or Unknown.
    pub phase: Option<String>,
    /// What is there already (contract v1beta2).
    pub initialization: Option<MachineInitialization>,
    /// Whether the infrastructure is there (contract v1beta1).
    pub infrastructure_ready: Option<bool>,
    /// Whether the bootstrap data is there (contract v1beta1).
    pub bootstrap_ready: Option<bool>,
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

/// What of a Machine is there already (contract v1beta2).
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineInitialization {
    /// The infrastructure.
    pub infrastructure_provisioned: Option<bool>,
    /// The Secret with the bootstrap data.
    pub bootstrap_data_secret_created: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
