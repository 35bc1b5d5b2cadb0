//! Machine.

use serde::{Deserialize, Serialize};

use super::{ContractReference, Served};
use crate::observed::infra::MachineAddress;
use capt_api::contract::CLUSTER_API_GROUP;

crate::observed::decode::kind! {
    /// One machine of a cluster, whatever its infrastructure.
    Machine, "machines", CLUSTER_API_GROUP, Served, |dt| dt.as_str(), scope NamespaceResourceScope,
    {
        /// What the user wants.
        #[serde(default, deserialize_with = "crate::observed::decode::lenient")]
        spec: MachineSpec,
        /// What Cluster API reports.
        #[serde(default, deserialize_with = "crate::observed::decode::lenient")]
        status: MachineStatus,
    }
}

/// The parts of a Machine's spec that we read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MachineSpec {
    /// Name of the Cluster.
    pub cluster_name: String,
    /// Where the bootstrap data is.
    pub bootstrap: Bootstrap,
    /// The infrastructure machine.
    pub infrastructure_ref: ContractReference,
    /// Kubernetes version, such as `v1.31.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Provider ID, copied from the infrastructure machine once that was ready.
    #[serde(
        rename = "providerID",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::observed::decode::lenient"
    )]
    pub provider_id: Option<String>,
}

/// The parts of a Machine's status that we read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MachineStatus {
    /// The Node that runs on the machine.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::observed::decode::lenient")]
    pub node_ref: Option<NodeReference>,
    /// The machine's addresses, copied from the infrastructure machine.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "crate::observed::decode::lenient_list")]
    pub addresses: Vec<MachineAddress>,
}

/// Names a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeReference {
    /// Its name.
    pub name: String,
}

/// Where a Machine's bootstrap data is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bootstrap {
    /// Name of the Secret, once the bootstrap provider made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_secret_name: Option<String>,
}
