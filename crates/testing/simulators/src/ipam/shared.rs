//! What the watches keep up to date for the workers: the ledger, who waits, and who to wake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::engine::{Change, Key, Kind, Object, Queue, Tasks, Timers, is_paused, kinds};

use super::ledger::{Ledger, PoolKey, holder};
use super::options::{Family, Options};

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) claim_queue: Queue<Key>,
    pub(crate) pool_queue: Queue<PoolKey>,
    pub(crate) down: AtomicBool,
    index: Mutex<Index>,
    pub(crate) timers: Timers,
}

#[derive(Default)]
struct Index {
    /// Pools that are there, used or not.
    pools: BTreeSet<PoolKey>,
    of_pool: BTreeMap<PoolKey, BTreeSet<Key>>,
    of_cluster: BTreeMap<Key, BTreeSet<Key>>,
    /// Claims that found their pool empty.
    waiting: BTreeMap<PoolKey, BTreeSet<Key>>,
}

impl Shared {
    pub(crate) fn new(tasks: &Tasks, options: Options) -> Self {
        Self {
            options,
            ledger: Mutex::default(),
            claim_queue: Queue::new(tasks),
            pool_queue: Queue::new(tasks),
            down: AtomicBool::new(false),
            index: Mutex::default(),
            timers: Timers::default(),
        }
    }

    /// The pool kinds of this provider.
    pub(crate) fn pool_kinds(&self) -> &'static [&'static Kind] {
        static IN_CLUSTER: [&Kind; 2] = [&kinds::IN_CLUSTER_POOL, &kinds::GLOBAL_IN_CLUSTER_POOL];
        static METAL3: [&Kind; 1] = [&kinds::METAL3_POOL];
        match self.options.family {
            Family::InCluster => &IN_CLUSTER,
            Family::Metal3 => &METAL3,
        }
    }

    /// The pool that a claim names, if it is of this provider's kinds.
    pub(crate) fn pool_of_claim(&self, claim: &Object) -> Option<PoolKey> {
        self.pool_named(claim, self.options.answers_to_pool_name)
    }

    /// The pool that an address is from, if it is of this provider's kinds.
    pub(crate) fn pool_of_address(&self, address: &Object) -> Option<PoolKey> {
        self.pool_named(address, false)
    }

    fn pool_named(&self, object: &Object, by_name_only: bool) -> Option<PoolKey> {
        let names = |kind: &Kind| {
            kind.group == object.spec_text("/poolRef/apiGroup") && kind.kind == object.spec_text("/poolRef/kind")
        };
        let kind = self.pool_kinds().iter().find(|kind| by_name_only || names(kind))?;
        let namespace = if kind.namespaced { object.namespace() } else { "" };
        Some(PoolKey { kind: kind.kind, key: Key::new(namespace, object.spec_text("/poolRef/name")) })
    }

    pub(crate) fn is_down(&self) -> bool {
        self.options.never_answers || self.down.load(Ordering::SeqCst)
    }

    /// Looks at everything again.
    pub(crate) fn wake_all(&self) {
        let index = self.index.lock();
        index.pools.iter().for_each(|pool| self.pool_queue.add(pool.clone()));
        for (pool, claims) in &index.of_pool {
            self.pool_queue.add(pool.clone());
            claims.iter().for_each(|claim| self.claim_queue.add(claim.clone()));
        }
    }

    pub(crate) fn claim_changed(&self, change: &Change<'_>) {
        let Some(pool) = change.after.or(change.before).and_then(|claim| self.pool_of_claim(claim)) else {
            return;
        };
        let cluster = change.after.or(change.before).and_then(|claim| cluster_of(claim));
        {
            let mut index = self.index.lock();
            let present = change.after.is_some();
            keep(&mut index.of_pool, pool.clone(), change.key, present);
            if let Some(cluster) = cluster {
                keep(&mut index.of_cluster, cluster, change.key, present);
            }
            if !present {
                keep(&mut index.waiting, pool.clone(), change.key, false);
            }
        }
        if let (Some(before), None) = (change.before, change.after) {
            self.timers.forget(before.uid());
            if self.ledger.lock().abandon(&pool, change.key) {
                self.freed(&pool);
            }
        }
        self.claim_queue.add(change.key.clone());
    }

    pub(crate) fn address_changed(&self, change: &Change<'_>) {
        let Some(object) = change.after.or(change.before) else {
            return;
        };
        let Some(pool) = self.pool_of_address(object) else {
            return;
        };
        let freed = match change.after {
            Some(address) => {
                self.ledger.lock().exists(&pool, address);
                false
            }
            None => self.ledger.lock().gone(&pool, object),
        };
        if freed {
            self.freed(&pool);
        }
        if change.differs_in(|address| address.is_terminating()) {
            self.claim_queue.add(holder(object));
            self.pool_queue.add_soon(pool, self.options.status_interval);
        }
    }

    pub(crate) fn pool_changed(&self, kind: &'static Kind, change: &Change<'_>) {
        let pool = PoolKey { kind: kind.kind, key: change.key.clone() };
        if change.after.is_some() {
            self.index.lock().pools.insert(pool.clone());
        } else {
            self.index.lock().pools.remove(&pool);
        }
        let matters = |pool: &Object| {
            let paused = is_paused(pool);
            (pool.spec.clone(), pool.is_terminating(), paused, pool.uid().to_owned())
        };
        if !change.differs_in(matters) {
            return;
        }
        if let Some(claims) = self.index.lock().of_pool.get(&pool) {
            claims.iter().for_each(|claim| self.claim_queue.add(claim.clone()));
        }
        self.pool_queue.add(pool);
    }

    pub(crate) fn cluster_changed(&self, change: &Change<'_>) {
        if !change.differs_in(is_paused) {
            return;
        }
        if let Some(claims) = self.index.lock().of_cluster.get(change.key) {
            claims.iter().for_each(|claim| self.claim_queue.add(claim.clone()));
        }
    }

    /// Remembers that a claim waits for an address of the pool to become free.
    pub(crate) fn wait_for(&self, pool: &PoolKey, claim: &Key) {
        keep(&mut self.index.lock().waiting, pool.clone(), claim, true);
    }

    /// The claim has an address now.
    pub(crate) fn stop_waiting(&self, pool: &PoolKey, claim: &Key) {
        keep(&mut self.index.lock().waiting, pool.clone(), claim, false);
    }

    fn freed(&self, pool: &PoolKey) {
        for claim in self.index.lock().waiting.remove(pool).into_iter().flatten() {
            self.claim_queue.add(claim);
        }
    }
}

/// The Cluster a claim names: by its field, else by its label.
pub(crate) fn cluster_of(claim: &Object) -> Option<Key> {
    let field = claim.spec_text("/clusterName");
    let name = if field.is_empty() { claim.label("cluster.x-k8s.io/cluster-name")? } else { field };
    Some(Key::new(claim.namespace(), name))
}

fn keep<K: Ord>(index: &mut BTreeMap<K, BTreeSet<Key>>, under: K, key: &Key, present: bool) {
    if present {
        index.entry(under).or_default().insert(key.clone());
    } else if let Some(keys) = index.get_mut(&under) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(&under);
        }
    }
}
