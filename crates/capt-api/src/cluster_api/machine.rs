//! Machine.

use serde::{Deserialize, Serialize};

use super::{ContractReference, Served};
use crate::contract::CLUSTER_API_GROUP;

crate::meta::kind! {
    /// One machine of a cluster, whatever its infrastructure.
    Machine, "machines", CLUSTER_API_GROUP, Served, |dt| dt.as_str(), scope NamespaceResourceScope,
    {
        /// What the user wants.
        #[serde(default, deserialize_with = "crate::meta::lenient")]
        spec: MachineSpec,
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
}

/// Where a Machine's bootstrap data is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bootstrap {
    /// Name of the Secret, once the bootstrap provider made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_secret_name: Option<String>,
}
