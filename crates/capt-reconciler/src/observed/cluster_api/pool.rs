//! A pool of any IPAM provider, read only to say why a machine waits.

use std::borrow::Cow;

use capt_api::kube_core::ApiResource;
use serde::{Deserialize, Serialize};

use capt_api::contract::PAUSED_ANNOTATION;
use capt_api::meta::Meta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// A pool of whatever kind, with the fields that in-cluster pools share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Standard object metadata.
    #[serde(default, deserialize_with = "crate::observed::decode::lean")]
    pub metadata: ObjectMeta,
    /// What the operator wants.
    #[serde(default, deserialize_with = "crate::observed::decode::lenient")]
    pub spec: PoolSpec,
    /// What the provider reports.
    #[serde(default, deserialize_with = "crate::observed::decode::lenient")]
    pub status: PoolStatus,
}

/// The part of an in-cluster pool's spec that we read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolSpec {
    /// Whether addresses that a network keeps for itself are given out, too.
    #[serde(rename = "allocateReservedIPAddresses")]
    pub allocate_reserved_ip_addresses: bool,
}

/// What a provider reports about its pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PoolStatus {
    /// Counts of addresses; in-cluster pools have them.
    pub ip_addresses: Option<PoolCounts>,
}

/// Counts of a pool's addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PoolCounts {
    /// All addresses.
    pub total: i64,
    /// Addresses that can still be given out.
    pub free: i64,
    /// Addresses given out.
    pub used: i64,
}

impl Pool {
    /// Whether the pool is paused.
    pub fn is_paused(&self) -> bool {
        self.annotation(PAUSED_ANNOTATION).is_some()
    }

    /// The pool's counts when it has no free address left.
    pub fn exhausted(&self) -> Option<&PoolCounts> {
        self.status.ip_addresses.as_ref().filter(|counts| counts.free == 0)
    }
}

impl capt_api::kube_core::Resource for Pool {
    type DynamicType = ApiResource;
    type Scope = capt_api::kube_core::DynamicResourceScope;
    fn kind(dt: &ApiResource) -> Cow<'_, str> {
        dt.kind.as_str().into()
    }
    fn group(dt: &ApiResource) -> Cow<'_, str> {
        dt.group.as_str().into()
    }
    fn version(dt: &ApiResource) -> Cow<'_, str> {
        dt.version.as_str().into()
    }
    fn plural(dt: &ApiResource) -> Cow<'_, str> {
        dt.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
