//! The watch filter: which Cluster API objects are ours, where several managers share a cluster.
//!
//! It decides whose changes wake anybody and who is worked on, never what is read: an address that stands on another
//! manager's object is in use all the same. Hardware, Workflows, Jobs and claims carry no such label and are never
//! asked for one (difference D13).

use std::sync::Arc;
use std::time::Duration;

use capt_api::contract::WATCH_FILTER_LABEL;
use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::outcome::{Interest, Outcome};

use super::{Cache, Cached};
use crate::controller::Reconcile;

/// How long work waits for objects that are being read.
const READING: Duration = Duration::from_secs(1);

/// The value that the label of our objects has; everything is ours without one.
#[derive(Clone, Debug, Default)]
pub struct WatchFilter(Option<Arc<str>>);

impl WatchFilter {
    /// A filter on the label's value; an empty one filters nothing.
    pub fn new(value: &str) -> Self {
        Self((!value.is_empty()).then(|| value.into()))
    }

    /// Whether the object is ours.
    pub fn passes(&self, object: &impl Meta) -> bool {
        self.0.as_deref().is_none_or(|value| object.label(WATCH_FILTER_LABEL) == Some(value))
    }
}

/// Works on objects of one kind that pass the filter, and leaves the others alone.
pub struct Selected<R, K> {
    reconciler: R,
    cache: Arc<Cache>,
    kind: std::marker::PhantomData<fn() -> K>,
}

impl<R, K: Cached> Selected<R, K> {
    /// The reconciler, for the objects of the cache that pass the cache's filter.
    pub fn new(reconciler: R, cache: Arc<Cache>) -> Self {
        Self { reconciler, cache, kind: std::marker::PhantomData }
    }
}

impl<R: Reconcile, K: Cached> Reconcile for Selected<R, K> {
    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        // A store that is being filled again lacks what it does not know yet: a machine that is being deleted would give
        // its addresses up because its server is nowhere to be seen.
        if self.cache.is_reading() {
            return Outcome::settled(Some(READING), Interest::default());
        }
        let object = K::kind_cache(&self.cache).store.get(key);
        // Of one that is gone there is nothing to work on, but perhaps something to forget.
        if object.is_some_and(|object| !self.cache.watch_filter.passes(&*object)) {
            return Outcome::settled(None, Interest::default());
        }
        self.reconciler.reconcile(key).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use capt_reconciler::observed::infra::TinkerbellMachine;
    use capt_reconciler::observed::tinkerbell::Hardware;
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::watch::Sink;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Reconcile for Arc<Counting> {
        async fn reconcile(&self, _: &ObjectKey) -> Outcome {
            self.0.fetch_add(1, SeqCst);
            Outcome::settled(None, Interest::default())
        }
    }

    #[tokio::test]
    async fn nobody_is_worked_on_while_the_servers_are_being_read_anew() {
        let (cache, work) = (Arc::new(Cache::new()), Arc::new(Counting::default()));
        let selected = Selected::<_, TinkerbellMachine>::new(work.clone(), cache.clone());
        let key = ObjectKey::new("default", "m");
        Sink::<Hardware>::event(&*cache, Event::InitDone);
        selected.reconcile(&key).await;
        assert_eq!(work.0.load(SeqCst), 1);
        Sink::<Hardware>::absent(&*cache);
        selected.reconcile(&key).await;
        assert_eq!(work.0.load(SeqCst), 2, "a kind that is not there blocks nothing");
        Sink::<Hardware>::served(&*cache, ());
        let Outcome::Settled { requeue, .. } = selected.reconcile(&key).await else { panic!("no failure") };
        assert_eq!(work.0.load(SeqCst), 2, "its Hardware would seem to be gone");
        assert!(requeue.is_some());
        Sink::<Hardware>::event(&*cache, Event::InitDone);
        selected.reconcile(&key).await;
        assert_eq!(work.0.load(SeqCst), 3);
    }
}
