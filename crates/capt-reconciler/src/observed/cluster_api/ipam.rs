//! IPAddressClaim and IPAddress, at v1beta2 or v1beta1: the fields we use have the same names in both.

use serde::{Deserialize, Serialize};

use super::Served;
use crate::observed::infra::PoolReference;
use capt_api::contract::IPAM_GROUP;

crate::observed::decode::kind! {
    /// A request for one address from a pool.
    IPAddressClaim, "ipaddressclaims", IPAM_GROUP, Served, |dt| dt.as_str(), scope NamespaceResourceScope,
    {
        /// What is asked for.
        #[serde(default, deserialize_with = "crate::observed::decode::lenient")]
        spec: IPAddressClaimSpec,
        /// What the provider reports; never written by us.
        #[serde(default, skip_serializing, deserialize_with = "crate::observed::decode::lenient")]
        status: IPAddressClaimStatus,
    }
}

/// What a claim asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IPAddressClaimSpec {
    /// Name of the Cluster the address is for; providers skip claims of a missing or paused one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_name: String,
    /// The pool.
    pub pool_ref: PoolReference,
}

/// What the provider reports about a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IPAddressClaimStatus {
    /// The address, once there is one. At v1beta1 the object may be there with an empty name.
    #[serde(deserialize_with = "crate::observed::decode::lenient")]
    pub address_ref: NameReference,
    /// Conditions, of whichever shape the version has.
    #[serde(deserialize_with = "crate::observed::decode::lenient")]
    pub conditions: Vec<ClaimCondition>,
    /// Conditions of the new shape at v1beta1.
    #[serde(deserialize_with = "crate::observed::decode::lenient")]
    pub v1beta2: ClaimConditions,
    /// Conditions of the old shape at v1beta2.
    #[serde(deserialize_with = "crate::observed::decode::lenient")]
    pub deprecated: DeprecatedConditions,
}

impl IPAddressClaimStatus {
    /// The provider's `Ready` condition, in whichever place it was written.
    pub fn ready(&self) -> Option<&ClaimCondition> {
        [&self.conditions, &self.v1beta2.conditions, &self.deprecated.v1beta1.conditions]
            .into_iter()
            .find_map(|all| all.iter().find(|condition| condition.type_ == "Ready"))
    }

    /// Name of the IPAddress, once there is one.
    pub fn address_name(&self) -> Option<&str> {
        Some(self.address_ref.name.as_str()).filter(|name| !name.is_empty())
    }
}

/// Conditions in a place of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimConditions {
    /// The conditions.
    #[serde(deserialize_with = "crate::observed::decode::lenient")]
    pub conditions: Vec<ClaimCondition>,
}

/// Where v1beta2 keeps the conditions of v1beta1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeprecatedConditions {
    /// The conditions of v1beta1.
    #[serde(deserialize_with = "crate::observed::decode::lenient")]
    pub v1beta1: ClaimConditions,
}

/// A condition of a claim, of either shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimCondition {
    /// Type.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    pub status: String,
    /// Reason; some providers leave it empty.
    pub reason: String,
    /// The provider's words.
    pub message: String,
}

/// A reference by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NameReference {
    /// The name.
    pub name: String,
}

crate::observed::decode::kind! {
    /// An address that a provider allocated.
    IPAddress, "ipaddresses", IPAM_GROUP, Served, |dt| dt.as_str(), scope NamespaceResourceScope,
    {
        /// The address; only providers write it.
        #[serde(default, deserialize_with = "crate::observed::decode::lenient")]
        spec: IPAddressSpec,
    }
}

/// An allocated address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IPAddressSpec {
    /// The claim it is for.
    pub claim_ref: NameReference,
    /// The pool it is from.
    pub pool_ref: PoolReference,
    /// The address as text.
    pub address: String,
    /// Length of the network prefix in bits.
    pub prefix: Option<i64>,
    /// The gateway as text, where the provider knows one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}
