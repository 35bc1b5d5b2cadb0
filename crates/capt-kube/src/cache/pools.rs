//! Pools of any kind: a kind is watched from the first question about it on.

use std::sync::Arc;

use ahash::AHashMap;
use capt_api::meta::ObjectKey;
use capt_reconciler::observed::cluster_api::Pool;
use capt_reconciler::observed::infra::PoolReference;
use capt_reconciler::ports::PoolView;
use kube::core::ApiResource;
use kube::runtime::watcher::Event;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::controller::{Fact, Wake};
use crate::decode::Guarded;
use crate::store::{Change, Store};
use crate::watch::Sink;

/// How many kinds of pools are watched. Users name them, and each costs a connection.
const MAX_KINDS: usize = 64;

/// The pools of all kinds that somebody named.
pub struct Pools {
    kinds: Mutex<AHashMap<(String, String), Arc<PoolKind>>>,
    wake: Arc<Wake>,
    named: mpsc::UnboundedSender<Arc<PoolKind>>,
    to_watch: Mutex<Option<mpsc::UnboundedReceiver<Arc<PoolKind>>>>,
}

/// The pools of one kind.
pub struct PoolKind {
    /// API group.
    pub group: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    store: Store<Pool, ()>,
    state: Mutex<State>,
    wake: Arc<Wake>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Being read, or not readable for us.
    Unknown,
    NotServed,
    Ready,
}

impl Pools {
    /// No pool is known, and none is watched.
    pub fn new(wake: Arc<Wake>) -> Self {
        let (named, to_watch) = mpsc::unbounded_channel();
        Self { kinds: Mutex::default(), wake, named, to_watch: Mutex::new(Some(to_watch)) }
    }

    /// What we know of a pool that a machine in this namespace names.
    pub fn view(&self, namespace: &str, reference: &PoolReference) -> PoolView {
        let Some(kind) = self.kind(reference) else {
            return PoolView::Unknown;
        };
        let state = *kind.state.lock();
        match state {
            State::Unknown => PoolView::Unknown,
            State::NotServed => PoolView::KindNotServed,
            State::Ready => {
                let in_namespace = kind.store.get(&ObjectKey::new(namespace, &reference.name));
                let cluster_wide = || kind.store.get(&ObjectKey::new("", &reference.name));
                in_namespace.or_else(cluster_wide).map_or(PoolView::NotFound, PoolView::Found)
            }
        }
    }

    fn kind(&self, reference: &PoolReference) -> Option<Arc<PoolKind>> {
        let mut kinds = self.kinds.lock();
        let name = (reference.api_group.clone(), reference.kind.clone());
        if let Some(kind) = kinds.get(&name) {
            return Some(kind.clone());
        }
        // Without a group it would be a core kind, and nobody's pool is.
        if kinds.len() >= MAX_KINDS || reference.api_group.is_empty() || reference.kind.is_empty() {
            return None;
        }
        let kind = Arc::new(PoolKind {
            group: reference.api_group.as_str().into(),
            kind: reference.kind.as_str().into(),
            store: Store::new(()),
            state: Mutex::new(State::Unknown),
            wake: self.wake.clone(),
        });
        kinds.insert(name, kind.clone());
        // Nobody listens before and after the manager runs.
        let _ = self.named.send(kind.clone());
        Some(kind)
    }

    /// The kinds to watch, as they are named. Can be had once.
    pub(crate) fn to_watch(&self) -> Option<mpsc::UnboundedReceiver<Arc<PoolKind>>> {
        self.to_watch.lock().take()
    }

    /// Names and sizes, for diagnostics.
    pub fn counts(&self) -> Vec<(String, usize)> {
        let kinds = self.kinds.lock();
        kinds.values().map(|kind| (format!("{}.{}", kind.kind, kind.group), kind.store.counts().objects)).collect()
    }
}

impl PoolKind {
    fn tell(&self, key: Option<Arc<ObjectKey>>) {
        self.wake.publish(Fact::Pool { group: self.group.clone(), kind: self.kind.clone(), key });
    }

    fn tell_changes(&self, changes: impl IntoIterator<Item = Change<Pool>>) {
        for change in changes {
            self.tell(Some(change.key));
        }
    }

    fn set(&self, state: State) {
        let before = std::mem::replace(&mut *self.state.lock(), state);
        if before != state {
            self.tell(None);
        }
    }
}

impl Sink<Pool> for PoolKind {
    fn event(&self, event: Event<Guarded<Pool>>) -> Vec<ObjectKey> {
        match event {
            Event::Apply(pool) => self.tell_changes(self.store.observed(pool)),
            Event::Delete(pool) => self.tell_changes(self.store.deleted(&pool)),
            Event::Init => self.store.relist_begins(),
            Event::InitApply(pool) => self.tell_changes(self.store.relisted(pool)),
            Event::InitDone => {
                // We never write pools, so that no answer can be newer than the list.
                let (changes, _) = self.store.relist_ends();
                self.tell_changes(changes);
                self.set(State::Ready);
            }
        }
        Vec::new()
    }

    fn resolved(&self, _: &ObjectKey, _: &str, _: Option<Guarded<Pool>>) {}

    fn uid(&self, key: &ObjectKey) -> Option<String> {
        self.store.uid(key)
    }

    fn served(&self, _: ApiResource) {
        if *self.state.lock() == State::NotServed {
            self.set(State::Unknown);
        }
    }

    fn absent(&self) {
        self.tell_changes(self.store.clear());
        self.set(State::NotServed);
    }
}
