//! Who holds which address of which pool.

use std::net::IpAddr;

use ahash::AHashMap;

use crate::engine::{Key, Object};

use super::plan::{Lease, Plan};

/// A pool as a claim or an address names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PoolKey {
    pub(crate) kind: &'static str,
    pub(crate) key: Key,
}

/// Every address in use. An address counts as used from the moment it is picked, before its IPAddress exists, and until
/// that IPAddress is gone.
#[derive(Default)]
pub(crate) struct Ledger {
    pools: AHashMap<PoolKey, PoolLedger>,
}

#[derive(Default)]
struct PoolLedger {
    /// How many hold an address: two only if somebody made a duplicate.
    used: AHashMap<IpAddr, u32>,
    holders: AHashMap<Key, Holding>,
}

#[derive(Clone)]
struct Holding {
    address: IpAddr,
    /// UID of the IPAddress; none while the address is only picked.
    uid: Option<String>,
}

/// The counts of a pool's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: i64,
    pub(crate) free: i64,
    pub(crate) used: i64,
    pub(crate) out_of_range: i64,
}

impl Ledger {
    /// Picks the first free address for a claim; the same one again for the same claim.
    pub(crate) fn pick(&mut self, pool: &PoolKey, claim: &Key, plan: &Plan, ignore_use: bool) -> Option<Lease> {
        let ledger = self.pools.entry(pool.clone()).or_default();
        if let Some(lease) = ledger.holders.get(claim).and_then(|held| plan.lease(held.address)) {
            return Some(lease);
        }
        let lease = plan.first_free(|address| !ignore_use && ledger.used.contains_key(&address))?;
        ledger.hold(claim, lease.address, None);
        Some(lease)
    }

    /// An IPAddress exists.
    pub(crate) fn exists(&mut self, pool: &PoolKey, object: &Object) {
        let Ok(address) = object.spec_text("/address").parse() else {
            return;
        };
        let ledger = self.pools.entry(pool.clone()).or_default();
        ledger.hold(&holder(object), address, Some(object.uid().to_owned()));
    }

    /// An IPAddress is gone; says whether that freed an address.
    pub(crate) fn gone(&mut self, pool: &PoolKey, object: &Object) -> bool {
        let Some(ledger) = self.pools.get_mut(pool) else {
            return false;
        };
        let holder = holder(object);
        let this_one = |held: &Holding| held.uid.as_deref() == Some(object.uid());
        ledger.holders.get(&holder).is_some_and(this_one) && ledger.drop_holder(&holder)
    }

    /// A claim is gone: an address picked for it, but never made, is free again. Says whether there was one.
    pub(crate) fn abandon(&mut self, pool: &PoolKey, claim: &Key) -> bool {
        let Some(ledger) = self.pools.get_mut(pool) else {
            return false;
        };
        let only_picked = |held: &Holding| held.uid.is_none();
        ledger.holders.get(claim).is_some_and(only_picked) && ledger.drop_holder(claim)
    }

    /// Whether any IPAddress of the pool exists.
    pub(crate) fn is_in_use(&self, pool: &PoolKey) -> bool {
        self.pools.get(pool).is_some_and(|ledger| ledger.holders.values().any(|held| held.uid.is_some()))
    }

    /// The counts as the in-cluster provider reports them.
    pub(crate) fn counts(&self, pool: &PoolKey, plan: &Plan) -> Counts {
        let held = self.pools.get(pool).into_iter().flat_map(|ledger| ledger.holders.values());
        let (mut used, mut out_of_range) = (0_i64, 0_i64);
        for holding in held.filter(|holding| holding.uid.is_some()) {
            used += 1;
            if plan.lease(holding.address).is_none() {
                out_of_range += 1;
            }
        }
        let total = i64::try_from(plan.total()).unwrap_or(i64::MAX);
        Counts { total, free: total.saturating_sub(used - out_of_range), used, out_of_range }
    }

    /// Name of the holding claim and the address, for Metal3's `status.indexes`.
    pub(crate) fn indexes(&self, pool: &PoolKey) -> Vec<(String, String)> {
        let held = self.pools.get(pool).into_iter().flat_map(|ledger| &ledger.holders);
        held.filter(|(_, holding)| holding.uid.is_some())
            .map(|(claim, holding)| (claim.name.clone(), holding.address.to_string()))
            .collect()
    }
}

impl PoolLedger {
    fn hold(&mut self, holder: &Key, address: IpAddr, uid: Option<String>) {
        match self.holders.get_mut(holder) {
            Some(held) if held.address == address => held.uid = uid.or(held.uid.take()),
            _ => {
                self.drop_holder(holder);
                self.holders.insert(holder.clone(), Holding { address, uid });
                *self.used.entry(address).or_default() += 1;
            }
        }
    }

    fn drop_holder(&mut self, holder: &Key) -> bool {
        let Some(held) = self.holders.remove(holder) else {
            return false;
        };
        if let Some(count) = self.used.get_mut(&held.address) {
            *count -= 1;
            if *count == 0 {
                self.used.remove(&held.address);
            }
        }
        true
    }
}

/// Whom an IPAddress is for: its claim; an address that names none holds itself.
pub(crate) fn holder(address: &Object) -> Key {
    let claim = address.spec_text("/claimRef/name");
    let name = if claim.is_empty() { address.name() } else { claim };
    Key::new(address.namespace(), name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pool() -> PoolKey {
        PoolKey { kind: "InClusterIPPool", key: Key::new("ns", "pool") }
    }

    fn plan() -> Plan {
        Plan::in_cluster(&json!({"addresses": ["10.0.0.10-10.0.0.12"], "prefix": 24})).unwrap()
    }

    fn object(claim: &str, uid: &str, address: &str) -> Object {
        serde_json::from_value(json!({
            "metadata": {"name": claim, "namespace": "ns", "uid": uid},
            "spec": {"claimRef": {"name": claim}, "address": address},
        }))
        .unwrap()
    }

    fn pick(ledger: &mut Ledger, claim: &str) -> Option<String> {
        let lease = ledger.pick(&pool(), &Key::new("ns", claim), &plan(), false)?;
        Some(lease.address.to_string())
    }

    #[test]
    fn two_claims_never_get_one_address_and_a_repeated_pick_changes_nothing() {
        let mut ledger = Ledger::default();
        assert_eq!(pick(&mut ledger, "a").as_deref(), Some("10.0.0.10"));
        assert_eq!(pick(&mut ledger, "b").as_deref(), Some("10.0.0.11"));
        assert_eq!(pick(&mut ledger, "a").as_deref(), Some("10.0.0.10"));
        assert_eq!(pick(&mut ledger, "c").as_deref(), Some("10.0.0.12"));
        assert_eq!(pick(&mut ledger, "d"), None);
    }

    #[test]
    fn the_late_news_of_an_old_address_does_not_free_its_successor() {
        let mut ledger = Ledger::default();
        let old = object("a", "1", "10.0.0.10");
        ledger.exists(&pool(), &old);
        assert!(ledger.gone(&pool(), &old));
        pick(&mut ledger, "a");
        assert!(!ledger.gone(&pool(), &old), "picked again, the old object's end means nothing");
        ledger.exists(&pool(), &object("a", "2", "10.0.0.10"));
        assert!(!ledger.gone(&pool(), &old));
        assert_eq!(pick(&mut ledger, "b").as_deref(), Some("10.0.0.11"));
    }

    #[test]
    fn a_pick_without_an_address_is_given_back_when_its_claim_goes() {
        let mut ledger = Ledger::default();
        pick(&mut ledger, "a");
        assert!(ledger.abandon(&pool(), &Key::new("ns", "a")));
        assert_eq!(pick(&mut ledger, "b").as_deref(), Some("10.0.0.10"));
        ledger.exists(&pool(), &object("b", "1", "10.0.0.10"));
        assert!(!ledger.abandon(&pool(), &Key::new("ns", "b")), "a made address stays until it is gone");
    }

    #[test]
    fn an_address_held_twice_is_free_only_after_both_are_gone() {
        let mut ledger = Ledger::default();
        let (first, second) = (object("a", "1", "10.0.0.10"), object("b", "2", "10.0.0.10"));
        ledger.exists(&pool(), &first);
        ledger.exists(&pool(), &second);
        ledger.gone(&pool(), &first);
        assert_eq!(pick(&mut ledger, "c").as_deref(), Some("10.0.0.11"));
        ledger.gone(&pool(), &second);
        assert_eq!(pick(&mut ledger, "d").as_deref(), Some("10.0.0.10"));
    }

    #[test]
    fn an_address_outside_the_pool_does_not_lower_the_free_count() {
        let mut ledger = Ledger::default();
        ledger.exists(&pool(), &object("a", "1", "10.0.0.10"));
        ledger.exists(&pool(), &object("b", "2", "10.9.9.9"));
        let counts = ledger.counts(&pool(), &plan());
        assert_eq!(counts, Counts { total: 3, free: 2, used: 2, out_of_range: 1 });
    }
}
