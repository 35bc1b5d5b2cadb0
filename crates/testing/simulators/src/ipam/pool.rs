//! A pool counts its addresses, and stays while one of them is in use.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::engine::{Error, Next, Object, Reconcile, is_paused};

use super::Provider;
use super::ledger::PoolKey;
use super::options::Family;

pub(super) struct Pools(pub(super) Arc<Provider>);

impl Reconcile for Pools {
    type Key = PoolKey;

    async fn reconcile(&self, key: &PoolKey) -> Result<Next, Error> {
        let provider = &self.0;
        let Some(store) = provider.pools(key.kind) else {
            return Ok(Next::Wait);
        };
        let Some(pool) = store.get(&key.key) else {
            return Ok(Next::Wait);
        };
        if provider.shared.is_down() || is_paused(&pool) {
            return Ok(Next::Wait);
        }
        let finalizer = provider.finalizers.pool;
        let in_use = provider.shared.ledger.lock().is_in_use(key);
        if pool.is_terminating() {
            if pool.has_finalizer(finalizer) && !in_use {
                store.patch(&key.key, &pool.remove_finalizer(finalizer)).await?;
            }
            return Ok(Next::Wait);
        }
        if !pool.has_finalizer(finalizer) {
            store.patch(&key.key, &pool.add_finalizer(finalizer)).await?;
        }
        if let Some(status) = provider.pool_status(key, &pool) {
            store.patch_status(&key.key, &json!({ "status": status })).await?;
        }
        Ok(Next::Wait)
    }
}

impl Provider {
    /// The part of the pool's status that has changed.
    fn pool_status(&self, key: &PoolKey, pool: &Object) -> Option<Value> {
        let ledger = self.shared.ledger.lock();
        match self.shared.options.family {
            Family::InCluster => {
                let counts = ledger.counts(key, &self.plan(pool).ok()?);
                let wanted = json!({
                    "total": counts.total, "free": counts.free, "used": counts.used, "outOfRange": counts.out_of_range,
                });
                (pool.status.get("ipAddresses") != Some(&wanted)).then(|| json!({ "ipAddresses": wanted }))
            }
            Family::Metal3 => {
                let empty = Map::new();
                let old = pool.status.get("indexes").and_then(Value::as_object).unwrap_or(&empty);
                let wanted: Map<String, Value> =
                    ledger.indexes(key).into_iter().map(|(claim, address)| (claim, address.into())).collect();
                // In a merge patch, null takes a key away.
                let taken_away = old.keys().filter(|claim| !wanted.contains_key(*claim));
                let mut patch: Map<String, Value> = taken_away.map(|claim| (claim.clone(), Value::Null)).collect();
                patch.extend(wanted.into_iter().filter(|(claim, address)| old.get(claim) != Some(address)));
                (!patch.is_empty()).then(|| json!({ "indexes": patch }))
            }
        }
    }
}
