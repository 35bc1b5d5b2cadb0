//! What keys wait for although nothing in them names it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;
use capt_api::kube_core::SelectorExt;
use capt_api::meta::ObjectKey;
use capt_reconciler::effect::Kind;
use capt_reconciler::observed::infra::PoolReference;
use capt_reconciler::observed::tinkerbell::Hardware;
use capt_reconciler::outcome::Interest;

/// Something that happened and that a key may wait for.
#[derive(Clone, Debug)]
pub enum Fact {
    /// This Hardware is free, and was not before or was different.
    FreeHardware(Arc<Hardware>),
    /// This Hardware is kept back, or labelled for a machine that is gone, and was not before.
    ParkedHardware(Arc<Hardware>),
    /// This object came, changed or went.
    Object(Kind, Arc<ObjectKey>),
    /// Somebody gave this address up.
    Address(IpAddr),
    /// This Template changed.
    Template(Arc<ObjectKey>),
    /// This pool changed, or all pools of the kind did.
    Pool {
        /// API group.
        group: Arc<str>,
        /// Kind.
        kind: Arc<str>,
        /// The pool; without namespace if its kind is cluster-scoped. None for all.
        key: Option<Arc<ObjectKey>>,
    },
    /// The IPAM kinds became ready or absent.
    IpamKinds,
    /// The BMC kinds became ready or absent.
    BmcKinds,
    /// A Job for this BMC Machine changed.
    JobOfBmc(Arc<ObjectKey>),
}

impl Fact {
    fn concerns(&self, key: &ObjectKey, interest: &Interest) -> bool {
        match self {
            Self::FreeHardware(hardware) | Self::ParkedHardware(hardware) => {
                let empty = BTreeMap::new();
                let labels = hardware.metadata.labels.as_ref().unwrap_or(&empty);
                interest.hardware.iter().any(|selector| selector.matches(labels))
            }
            Self::Object(kind, object) => {
                interest.object.as_ref().is_some_and(|(wanted, key)| wanted == kind && key == &**object)
            }
            Self::Address(address) => interest.address == Some(*address),
            Self::Template(template) => interest.template.as_ref() == Some(&**template),
            Self::Pool { group, kind, key: pool } => interest.pool.as_ref().is_some_and(|wanted| {
                wanted.api_group == **group && wanted.kind == **kind && names(wanted, key, pool.as_deref())
            }),
            Self::IpamKinds => interest.ipam_kinds,
            Self::BmcKinds => interest.bmc_kinds,
            Self::JobOfBmc(bmc) => interest.bmc.as_ref() == Some(&**bmc),
        }
    }
}

fn names(wanted: &PoolReference, machine: &ObjectKey, pool: Option<&ObjectKey>) -> bool {
    pool.is_none_or(|pool| {
        pool.name == wanted.name && (pool.namespace.is_empty() || pool.namespace == machine.namespace)
    })
}

/// Interests by key, and the facts that a decision under way may have missed.
#[derive(Default)]
pub(super) struct Interests {
    waiting: AHashMap<ObjectKey, Interest>,
    /// Number of the next fact when the work on a key began.
    running: AHashMap<ObjectKey, u64>,
    /// The facts since the oldest of those.
    recent: VecDeque<Fact>,
    /// Number of the next fact.
    next: u64,
    /// How many keys wait for one object.
    for_objects: usize,
}

impl Interests {
    pub(super) fn publish(&mut self, fact: &Fact) -> Vec<ObjectKey> {
        if let Fact::Object(..) = fact
            && self.running.is_empty()
            && self.for_objects == 0
        {
            // By far most changes of Hardware and Workflows concern nobody but their machine.
            return Vec::new();
        }
        self.next += 1;
        if !self.running.is_empty() {
            self.recent.push_back(fact.clone());
        }
        let woken = self.waiting.iter().filter(|(key, interest)| fact.concerns(key, interest));
        let mut woken: Vec<_> = woken.map(|(key, _)| key.clone()).collect();
        woken.sort_unstable();
        for key in &woken {
            // It is served soon and then says anew what it waits for.
            self.remove(key);
        }
        woken
    }

    fn remove(&mut self, key: &ObjectKey) {
        if self.waiting.remove(key).is_some_and(|interest| interest.object.is_some()) {
            self.for_objects -= 1;
        }
    }

    pub(super) fn begin(&mut self, key: &ObjectKey) {
        self.remove(key);
        self.running.insert(key.clone(), self.next);
    }

    /// Returns whether something that happened since the work began concerns the key.
    pub(super) fn register(&mut self, key: &ObjectKey, interest: Interest) -> bool {
        let began = self.running.remove(key).unwrap_or(self.next);
        let missed = usize::try_from(self.next - began).unwrap_or(usize::MAX);
        let concerned = self.recent.iter().rev().take(missed).any(|fact| fact.concerns(key, &interest));
        if !concerned && !is_empty(&interest) {
            self.for_objects += usize::from(interest.object.is_some());
            self.waiting.insert(key.clone(), interest);
        }
        let oldest = self.running.values().min().map_or(0, |oldest| self.next - oldest);
        let superfluous = self.recent.len().saturating_sub(usize::try_from(oldest).unwrap_or(usize::MAX));
        self.recent.drain(..superfluous);
        concerned
    }
}

fn is_empty(interest: &Interest) -> bool {
    let Interest { hardware, pool, ipam_kinds, bmc_kinds, bmc, template, object, address } = interest;
    let nothing_named = hardware.is_empty() && pool.is_none() && template.is_none() && address.is_none();
    nothing_named && bmc.is_none() && object.is_none() && !ipam_kinds && !bmc_kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("ns", name)
    }

    fn waits_for_address(address: &str) -> Interest {
        Interest { address: Some(address.parse().unwrap()), ..Interest::default() }
    }

    fn freed(address: &str) -> Fact {
        Fact::Address(address.parse().unwrap())
    }

    #[test]
    fn a_fact_between_the_decision_and_its_registration_is_not_lost() {
        let mut interests = Interests::default();
        interests.begin(&key("a"));
        assert!(interests.publish(&freed("10.0.0.1")).is_empty());
        assert!(interests.register(&key("a"), waits_for_address("10.0.0.1")));
        // And it is not remembered for ever.
        interests.begin(&key("a"));
        assert!(!interests.register(&key("a"), waits_for_address("10.0.0.1")));
        assert!(interests.recent.is_empty());
    }

    #[test]
    fn a_slow_decision_does_not_see_what_happened_before_it_began() {
        let mut interests = Interests::default();
        interests.begin(&key("slow"));
        interests.publish(&freed("10.0.0.1"));
        interests.begin(&key("later"));
        interests.publish(&freed("10.0.0.2"));
        assert!(!interests.register(&key("later"), waits_for_address("10.0.0.1")));
        assert!(interests.register(&key("slow"), waits_for_address("10.0.0.1")));
        assert_eq!(interests.publish(&freed("10.0.0.1")), [key("later")]);
    }

    #[test]
    fn a_new_interest_replaces_the_former_one() {
        let mut interests = Interests::default();
        interests.begin(&key("a"));
        interests.register(&key("a"), waits_for_address("10.0.0.1"));
        interests.begin(&key("a"));
        interests.register(&key("a"), waits_for_address("10.0.0.2"));
        assert!(interests.publish(&freed("10.0.0.1")).is_empty());
        assert_eq!(interests.publish(&freed("10.0.0.2")), [key("a")]);
    }

    #[test]
    fn a_pool_of_another_namespace_wakes_nobody() {
        let mut interests = Interests::default();
        let pool = PoolReference { api_group: "g".into(), kind: "P".into(), name: "p".into() };
        let fact = |namespace: &str| Fact::Pool {
            group: "g".into(),
            kind: "P".into(),
            key: Some(Arc::new(ObjectKey::new(namespace, "p"))),
        };
        interests.register(&key("a"), Interest { pool: Some(pool), ..Interest::default() });
        assert!(interests.publish(&fact("other")).is_empty());
        assert_eq!(interests.publish(&fact("")), [key("a")]);
    }
}
