//! Pools of the in-cluster IPAM provider (`ipam.cluster.x-k8s.io/v1alpha2`).

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::Members;
use crate::contract::IPAM_GROUP;
use crate::meta::named;

/// The version of the in-cluster provider's pools that is stored.
pub const POOL_VERSION: &str = "v1alpha2";

crate::kind::kind! {
    /// Addresses for claims of one namespace.
    InClusterIPPool, "inclusterippools", IPAM_GROUP, (), |_dt| POOL_VERSION, scope NamespaceResourceScope,
    {
        /// Which addresses.
        spec: InClusterIPPoolSpec,
        /// How many are left.
        status: InClusterIPPoolStatus,
    }
}

crate::kind::constructor!(InClusterIPPool, InClusterIPPoolSpec);

crate::kind::kind! {
    /// Addresses for claims of all namespaces.
    GlobalInClusterIPPool, "globalinclusterippools", IPAM_GROUP, (), |_dt| POOL_VERSION, scope ClusterResourceScope,
    {
        /// Which addresses.
        spec: InClusterIPPoolSpec,
        /// How many are left.
        status: InClusterIPPoolStatus,
    }
}

impl GlobalInClusterIPPool {
    /// A pool of this name with this spec, not yet written anywhere.
    pub fn new(name: impl Into<String>, spec: InClusterIPPoolSpec) -> Self {
        let mut metadata = named("", name);
        metadata.namespace = None;
        Self { metadata, spec: Some(spec), ..Self::default() }
    }
}

/// Which addresses a pool has.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InClusterIPPoolSpec {
    /// Addresses, ranges (`10.0.0.10-10.0.0.20`) and prefixes. Required since v1alpha2.
    pub addresses: Option<Vec<String>>,
    /// Length of the network prefix in bits. Required since v1alpha2.
    pub prefix: Option<i64>,
    /// The gateway.
    pub gateway: Option<String>,
    /// What is never given out.
    pub excluded_addresses: Option<Vec<String>>,
    /// Whether addresses that a network keeps for itself are given out, too.
    #[serde(rename = "allocateReservedIPAddresses")]
    pub allocate_reserved_ip_addresses: Option<bool>,
    /// First address (v1alpha1).
    pub start: Option<String>,
    /// Last address (v1alpha1).
    pub end: Option<String>,
    /// The network (v1alpha1).
    pub subnet: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl InClusterIPPoolSpec {
    /// These addresses and ranges, of a network with a prefix of this length.
    pub fn new<A: Into<String>>(addresses: impl IntoIterator<Item = A>, prefix: u8) -> Self {
        let addresses = addresses.into_iter().map(Into::into).collect();
        Self { addresses: Some(addresses), prefix: Some(prefix.into()), ..Self::default() }
    }
}

/// How many addresses of a pool are left.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InClusterIPPoolStatus {
    /// Counts of addresses.
    pub ip_addresses: Option<PoolCounts>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Counts of a pool's addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolCounts {
    /// All addresses.
    pub total: i64,
    /// Addresses that can still be given out.
    pub free: i64,
    /// Addresses given out.
    pub used: i64,
    /// Addresses given out that the pool no longer has.
    pub out_of_range: i64,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
