use std::collections::VecDeque;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use ahash::{AHashMap, AHashSet};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Error, Tasks};

/// Delay after the first failure of a key; doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(10);
/// Longest delay after a conflict or a missing object: the watch soon brings the news.
const LONGEST_EXPECTED_RETRY: Duration = Duration::from_millis(500);
/// Longest delay after any other failure.
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// What a key can be.
pub(crate) trait QueueKey: Clone + Eq + Hash + Debug + Send + Sync + 'static {}
impl<K: Clone + Eq + Hash + Debug + Send + Sync + 'static> QueueKey for K {}

/// Keys that want a look. A key waits at most once, and is never worked on by two workers at the same time.
pub(crate) struct Queue<K> {
    inner: Arc<Inner<K>>,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

struct Inner<K> {
    tasks: Tasks,
    state: Mutex<State<K>>,
    ready: Notify,
}

struct State<K> {
    waiting: VecDeque<K>,
    queued: AHashSet<K>,
    running: AHashSet<K>,
    /// Keys that were added while a worker had them.
    again: AHashSet<K>,
    failures: AHashMap<K, u32>,
    /// Keys with a timer under way for [`Queue::add_soon`].
    soon: AHashSet<K>,
}

impl<K: QueueKey> Queue<K> {
    pub(crate) fn new(tasks: &Tasks) -> Self {
        Self {
            inner: Arc::new(Inner {
                tasks: tasks.clone(),
                state: Mutex::new(State {
                    waiting: VecDeque::new(),
                    queued: AHashSet::new(),
                    running: AHashSet::new(),
                    again: AHashSet::new(),
                    failures: AHashMap::new(),
                    soon: AHashSet::new(),
                }),
                ready: Notify::new(),
            }),
        }
    }

    /// Asks for a look at once.
    pub(crate) fn add(&self, key: K) {
        let mut state = self.inner.state.lock();
        if state.running.contains(&key) {
            state.again.insert(key);
        } else if state.queued.insert(key.clone()) {
            state.waiting.push_back(key);
            drop(state);
            self.inner.ready.notify_one();
        }
    }

    /// Asks for a look after a while.
    pub(crate) fn add_after(&self, key: K, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        let queue = self.clone();
        self.inner.tasks.spawn(async move {
            tokio::time::sleep(delay).await;
            queue.add(key);
        });
    }

    /// Asks for one look after a while, however often it is asked for in between.
    pub(crate) fn add_soon(&self, key: K, delay: Duration) {
        if !self.inner.state.lock().soon.insert(key.clone()) {
            return;
        }
        let queue = self.clone();
        self.inner.tasks.spawn(async move {
            tokio::time::sleep(delay).await;
            queue.inner.state.lock().soon.remove(&key);
            queue.add(key);
        });
    }

    async fn next(&self) -> K {
        loop {
            let ready = self.inner.ready.notified();
            {
                let mut state = self.inner.state.lock();
                if let Some(key) = state.waiting.pop_front() {
                    state.queued.remove(&key);
                    state.running.insert(key.clone());
                    if !state.waiting.is_empty() {
                        self.inner.ready.notify_one();
                    }
                    return key;
                }
            }
            ready.await;
        }
    }

    fn done(&self, key: &K) {
        let mut state = self.inner.state.lock();
        state.running.remove(key);
        let again = state.again.remove(key);
        drop(state);
        if again {
            self.add(key.clone());
        }
    }

    /// Counts a failure and gives the delay before the next try.
    fn failed(&self, key: &K, longest: Duration) -> Duration {
        let mut state = self.inner.state.lock();
        let failures = state.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        let doublings = (*failures - 1).min(16);
        FIRST_RETRY.saturating_mul(1 << doublings).min(longest)
    }

    fn succeeded(&self, key: &K) {
        self.inner.state.lock().failures.remove(key);
    }
}

/// What happens to a key after a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing until an event asks for it.
    Wait,
    /// Another look after this time.
    After(Duration),
}

/// Looks at one key and does what there is to do. Must be safe to repeat.
pub(crate) trait Reconcile: Send + Sync + 'static {
    type Key: QueueKey;

    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Result<Next, Error>> + Send;
}

/// Starts `workers` workers on a queue.
pub(crate) fn work<R: Reconcile>(tasks: &Tasks, queue: &Queue<R::Key>, reconciler: &Arc<R>, workers: usize) {
    for _ in 0..workers {
        let queue = queue.clone();
        let reconciler = Arc::clone(reconciler);
        tasks.spawn(async move {
            loop {
                let key = queue.next().await;
                let result = reconciler.reconcile(&key).await;
                queue.done(&key);
                match result {
                    Ok(next) => {
                        queue.succeeded(&key);
                        if let Next::After(delay) = next {
                            queue.add_after(key, delay);
                        }
                    }
                    Err(error) if error.is_expected() => {
                        tracing::trace!(?key, %error, "will look again");
                        let delay = queue.failed(&key, LONGEST_EXPECTED_RETRY);
                        queue.add_after(key, delay);
                    }
                    Err(error) => {
                        tracing::debug!(?key, %error, "failed, will try again");
                        let delay = queue.failed(&key, LONGEST_RETRY);
                        queue.add_after(key, delay);
                    }
                }
            }
        });
    }
}
