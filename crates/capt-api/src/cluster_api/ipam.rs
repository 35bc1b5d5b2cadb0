//! IPAddressClaim and IPAddress.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::{Conditions, Deprecated, NameReference, Served};
use crate::Members;
use crate::conditions::{Condition, READY};
use crate::contract::IPAM_GROUP;
use crate::infra::PoolReference;

crate::kind::kind! {
    /// A request for one address from a pool.
    IPAddressClaim, "ipaddressclaims", IPAM_GROUP, Served, |dt| dt.as_str(), scope DynamicResourceScope,
    {
        /// What is asked for.
        spec: IPAddressClaimSpec,
        /// What the provider reports.
        status: IPAddressClaimStatus,
    }
}

crate::kind::served_constructor!(IPAddressClaim, IPAddressClaimSpec);

impl IPAddressClaim {
    /// Name of the IPAddress, in the claim's namespace, once there is one.
    pub fn address_name(&self) -> Option<&str> {
        let name = self.status.as_ref()?.address_ref.as_ref()?.name.as_deref();
        name.filter(|name| !name.is_empty())
    }

    /// The condition of this type, of whichever shape it has.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        let status = self.status.as_ref()?;
        let (new, old) = (status.v1beta2.as_ref(), status.deprecated.as_ref());
        super::conditions::find(status.conditions.as_ref(), new, old, type_)
    }

    /// The provider's words on why there is no address; absent once there is one, and where the provider says nothing.
    pub fn waiting(&self) -> Option<&Condition> {
        self.condition(READY).filter(|ready| !ready.is_true())
    }
}

/// What a claim asks for.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IPAddressClaimSpec {
    /// Name of the Cluster the address is for; providers skip claims of a missing or paused one.
    pub cluster_name: Option<String>,
    /// The pool.
    pub pool_ref: PoolReference,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl IPAddressClaimSpec {
    /// An address of this pool, for this Cluster.
    pub fn new(cluster: impl Into<String>, pool: PoolReference) -> Self {
        Self { cluster_name: Some(cluster.into()), pool_ref: pool, other: Members::new() }
    }
}

/// What the provider reports about a claim.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IPAddressClaimStatus {
    /// The address, once there is one. At v1beta1 the object may be there with an empty name.
    pub address_ref: Option<NameReference>,
    /// Conditions, of the version's own shape.
    pub conditions: Option<Vec<Condition>>,
    /// Conditions of the new shape, at v1beta1.
    pub v1beta2: Option<Conditions>,
    /// Conditions of the old shape, at v1beta2.
    pub deprecated: Option<Deprecated>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

crate::kind::kind! {
    /// An address that a provider allocated.
    IPAddress, "ipaddresses", IPAM_GROUP, Served, |dt| dt.as_str(), scope DynamicResourceScope,
    {
        /// The address; only providers write it.
        spec: IPAddressSpec,
    }
}

crate::kind::served_constructor!(IPAddress, IPAddressSpec);

/// An allocated address.
///
/// ```
/// use capt_api::cluster_api::{IPAddress, IPAddressClaim};
///
/// let claim: IPAddressClaim = serde_json::from_str(
///     r#"{"apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddressClaim", "metadata": {"name": "worker-1-0"},
///         "spec": {"poolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "rack-1"}},
///         "status": {"addressRef": {"name": "worker-1-0"}}}"#,
/// )?;
/// assert_eq!(claim.address_name(), Some("worker-1-0"));
/// let address: IPAddress = serde_json::from_str(
///     r#"{"apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddress", "metadata": {"name": "worker-1-0"},
///         "spec": {"address": "10.0.0.11", "prefix": 24, "gateway": "10.0.0.1", "claimRef": {"name": "worker-1-0"},
///             "poolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "rack-1"}}}"#,
/// )?;
/// let spec = address.spec.unwrap_or_default();
/// assert_eq!((spec.address.as_str(), spec.prefix, spec.gateway.as_deref()), ("10.0.0.11", 24, Some("10.0.0.1")));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IPAddressSpec {
    /// The claim it is for.
    pub claim_ref: NameReference,
    /// The pool it is from.
    pub pool_ref: PoolReference,
    /// The address as text.
    pub address: String,
    /// Length of the network prefix in bits.
    pub prefix: i64,
    /// The gateway as text, where the provider knows one.
    pub gateway: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
