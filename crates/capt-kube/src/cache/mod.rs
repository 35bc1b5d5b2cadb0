//! Everything we know, kind by kind, and what each change leads to.

mod denial;
mod handlers;
mod holds;
mod kind_cache;
mod kinds;
mod pools;
mod watch_filter;

use std::sync::Arc;

use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::ports::Presence;
use kube::Resource;
use kube::runtime::watcher::Event;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::controller::Wake;
use crate::decode::Guarded;
use crate::metrics::{Machines, Metrics};
use crate::store::{Addresses, Change};
use crate::watch::Sink;
use denial::Denial;
pub use holds::Held;
pub use kind_cache::{Cached, Home, KindCache, Need, ShelfState, Trouble, Version};
pub use kinds::{Kinds, Visitor};
pub use pools::{PoolKind, Pools};
pub use watch_filter::{Selected, WatchFilter};

/// Everything we know.
pub struct Cache {
    /// The objects, kind by kind.
    pub kinds: Kinds,
    /// Pools of all kinds that somebody named.
    pub pools: Pools,
    /// Who uses which address.
    pub addresses: Arc<Mutex<Addresses>>,
    /// The controllers.
    pub wake: Arc<Wake>,
    /// What happens to machines, counted.
    pub metrics: Machines,
    /// Which Cluster API objects are ours.
    pub watch_filter: WatchFilter,
    /// Whether we may delete Jobs.
    pub job_deletion: Denial,
}

impl Cache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::counted(&Metrics::default())
    }

    /// An empty cache; what happens to its objects is counted.
    pub fn counted(metrics: &Metrics) -> Self {
        let addresses = Arc::<Mutex<Addresses>>::default();
        let wake = Arc::new(Wake::counted(metrics));
        Self {
            kinds: Kinds::new(&addresses),
            pools: Pools::new(wake.clone()),
            addresses,
            wake,
            metrics: metrics.machines.clone(),
            watch_filter: WatchFilter::default(),
            job_deletion: Denial::default(),
        }
    }

    /// The same cache, where only Cluster API objects that pass the filter wake anybody. It still takes in all.
    #[must_use]
    pub fn filtered(self, watch_filter: WatchFilter) -> Self {
        Self { watch_filter, ..self }
    }

    /// Takes in an object that the server returned to a request of ours.
    pub fn answered<K: Cached>(&self, object: Guarded<K>) {
        let meta = object.meta();
        // A terminating object that lost its last finalizer is gone, whatever the answer looks like.
        let finished = meta.deletion_timestamp.is_some() && meta.finalizers.as_ref().is_none_or(Vec::is_empty);
        if finished {
            self.gone::<K>(&ObjectKey::of(meta), object.uid());
        } else {
            self.tell(K::kind_cache(self).store.answered(object));
        }
    }

    /// Takes in that the object with this UID is gone, from an answer.
    pub fn gone<K: Cached>(&self, key: &ObjectKey, uid: &str) {
        self.tell(K::kind_cache(self).store.gone(key, uid));
    }

    /// Takes in an event of a watch over all namespaces, or one. Returns objects that the server must be asked about.
    pub(crate) fn take_in<K: Cached>(&self, event: Event<Guarded<K>>, namespace: Option<&str>) -> Vec<ObjectKey> {
        let kind_cache = K::kind_cache(self);
        let mut doubtful = Vec::new();
        match event {
            Event::Apply(object) => self.tell(kind_cache.store.observed(object)),
            Event::Delete(object) => self.tell(kind_cache.store.deleted(&object)),
            Event::Init => {
                kind_cache.store.relist_begins_in(namespace);
                kind_cache.state.send_modify(|state| state.listed = Some(Instant::now()));
            }
            Event::InitApply(object) => self.tell(kind_cache.store.relisted(object)),
            Event::InitDone => {
                let (changes, questions) = kind_cache.store.relist_ends_in(namespace);
                self.tell(changes);
                doubtful = questions;
            }
        }
        kind_cache.state.send_modify(|state| state.last_event = Some(Instant::now()));
        doubtful
    }

    /// The kind is served, and what is to be known of it in advance is known.
    pub(crate) fn mark_ready<K: Cached>(&self) {
        let kind_cache = K::kind_cache(self);
        let news = kind_cache.state.send_if_modified(|state| {
            let news = state.presence != Presence::Ready;
            state.presence = Presence::Ready;
            news
        });
        if news {
            tracing::info!(kind = %K::kind(&kind_cache.state().version), objects = kind_cache.store.counts().objects, "cache synced");
            K::presence_changed(self);
        }
    }

    fn tell<K: Cached>(&self, changes: impl IntoIterator<Item = Change<K>>) {
        for change in changes {
            K::changed(self, &change);
        }
    }

    /// Whether kinds that we cannot do without came back after they were gone, and are being read. At the start nobody works
    /// before they are in memory.
    pub fn is_reading(&self) -> bool {
        let mut found = ReadAgain(false);
        self.kinds.visit(&mut found);
        found.0
    }
}

/// Whether a kind that we cannot do without is being read again.
struct ReadAgain(bool);

impl<'a> Visitor<'a> for ReadAgain {
    fn kind<K: Cached>(&mut self, kind_cache: &'a KindCache<K>) {
        self.0 |= K::NEED == Need::Required && kind_cache.state.borrow().is_read_again();
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Cached> Sink<K> for Cache {
    fn event(&self, event: Event<Guarded<K>>) -> Vec<ObjectKey> {
        let filled = matches!(event, Event::InitDone);
        let doubtful = self.take_in(event, None);
        if filled {
            self.mark_ready::<K>();
        }
        doubtful
    }

    fn resolved(&self, key: &ObjectKey, uid: &str, now: Option<Guarded<K>>) {
        match now {
            Some(object) => self.answered(object),
            None => self.gone::<K>(key, uid),
        }
    }

    fn uid(&self, key: &ObjectKey) -> Option<String> {
        K::kind_cache(self).store.uid(key)
    }

    fn served(&self, version: K::DynamicType) {
        K::kind_cache(self).state.send_modify(|state| {
            state.version = version;
            if state.presence == Presence::Absent {
                state.presence = Presence::Syncing;
            }
        });
    }

    fn absent(&self) {
        let kind_cache = K::kind_cache(self);
        if kind_cache.state().presence == Presence::Absent {
            return;
        }
        self.tell(kind_cache.store.clear());
        kind_cache.state.send_modify(|state| {
            state.presence = Presence::Absent;
            state.was_absent = true;
        });
        K::presence_changed(self);
    }

    fn failed(&self, error: &str) {
        let mut trouble = K::kind_cache(self).trouble.lock();
        trouble.restarts += 1;
        trouble.last = Some((error.to_owned(), Instant::now()));
    }
}
