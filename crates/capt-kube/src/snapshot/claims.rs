//! The address claims of machines, counted by pool and state.

use std::collections::BTreeMap;

use capt_api::meta::Meta;
use serde::Serialize;

use crate::cache::Cache;
use crate::metrics::Pool;
use crate::owner::owning_machine;

/// The claims of machines to one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolClaims {
    /// The pool, as `namespace/name`; the namespace is that of the claims.
    pub pool: String,
    /// Its kind.
    pub kind: String,
    /// Without an address.
    pub pending: u64,
    /// With an address.
    pub fulfilled: u64,
    /// Being deleted.
    pub terminating: u64,
}

/// Counts the claims of TinkerbellMachines; others' are none of ours.
pub fn count(cache: &Cache) -> Vec<PoolClaims> {
    let mut pools: BTreeMap<(String, String), PoolClaims> = BTreeMap::new();
    cache.kinds.claims.store.visit(|claim| {
        if owning_machine(claim).is_none() {
            return;
        }
        let Pool { pool, pool_kind: kind } = Pool::of(claim);
        let counts = pools.entry((pool, kind)).or_default();
        if claim.is_terminating() {
            counts.terminating += 1;
        } else if claim.status.address_name().is_some() {
            counts.fulfilled += 1;
        } else {
            counts.pending += 1;
        }
    });
    let named = pools.into_iter().map(|((pool, kind), counts)| PoolClaims { pool, kind, ..counts });
    named.collect()
}
