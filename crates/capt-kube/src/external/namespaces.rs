//! Which namespaces are watched, each from the moment on when somebody asks for it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ahash::AHashMap;
use capt_reconciler::backoff::Backoff;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

/// Pauses after failures in a row.
pub const PAUSES: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));
/// How long the first reading of a namespace may take.
const ATTEMPT: Duration = Duration::from_secs(20);

/// Why a namespace is not watched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWatched {
    /// There is no namespace without a name.
    #[error("an empty namespace cannot be watched")]
    Nameless,
    /// The last attempt failed, and it is too early for another.
    #[error("namespace {namespace} of the external Tinkerbell cannot be watched, watch in backoff: {why}")]
    InBackoff {
        /// The namespace.
        namespace: String,
        /// What went wrong.
        why: String,
    },
    /// The watch was stopped before it had begun.
    #[error("the watch of namespace {0} was stopped")]
    Stopped(String),
}

/// Watches one namespace for ever. It says through the channel when all objects are in the store; what it returns is
/// why it ended. A watch that ends before it said so has failed.
pub type Start = Box<dyn Fn(String, oneshot::Sender<()>) -> BoxFuture<'static, String> + Send + Sync>;

type Outcome = Option<Result<(), NotWatched>>;

enum State {
    /// The attempt under way, and what comes of it.
    Trying { number: u64, failures: u32, outcome: watch::Receiver<Outcome> },
    /// Watched.
    Watched { number: u64 },
    /// Not to be tried before this time.
    Failed { failures: u32, until: Instant, why: String },
}

#[derive(Default)]
struct Inner {
    states: AHashMap<String, State>,
    /// Number of the last attempt: what an earlier one has to say counts no longer.
    number: u64,
    tasks: JoinSet<()>,
}

/// The namespaces that are watched, or were to be.
pub struct Namespaces {
    this: Weak<Self>,
    inner: Mutex<Inner>,
    start: Start,
    ended: Box<dyn Fn() + Send + Sync>,
}

impl Namespaces {
    /// No namespace is watched. `ended` is called when a watch ends that had begun well.
    pub fn new(start: Start, ended: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new_cyclic(|this| Self { this: this.clone(), inner: Mutex::default(), start, ended: Box::new(ended) })
    }

    /// Whether the namespace is watched and all its objects were read.
    pub fn is_watched(&self, namespace: &str) -> bool {
        matches!(self.inner.lock().states.get(namespace), Some(State::Watched { .. }))
    }

    /// Has the namespace watched: at once if it is, else after an attempt, which all callers of the time share.
    ///
    /// # Errors
    /// When the attempt fails, or the last one did not long ago.
    pub async fn ensure(&self, namespace: &str) -> Result<(), NotWatched> {
        if namespace.is_empty() {
            return Err(NotWatched::Nameless);
        }
        let Some(mut outcome) = self.attempt(namespace)? else {
            return Ok(());
        };
        let stopped = || NotWatched::Stopped(namespace.to_owned());
        let outcome = outcome.wait_for(Option::is_some).await.map_err(|_| stopped())?;
        outcome.clone().unwrap_or_else(|| Err(stopped()))
    }

    /// Ends all watches.
    pub fn stop_all(&self) {
        let mut inner = self.inner.lock();
        inner.states.clear();
        inner.tasks = JoinSet::new();
    }

    /// The attempt to wait for; none if the namespace is watched.
    fn attempt(&self, namespace: &str) -> Result<Option<watch::Receiver<Outcome>>, NotWatched> {
        let mut inner = self.inner.lock();
        let failures = match inner.states.get(namespace) {
            Some(State::Watched { .. }) => return Ok(None),
            Some(State::Trying { outcome, .. }) => return Ok(Some(outcome.clone())),
            Some(State::Failed { until, why, .. }) if Instant::now() < *until => {
                return Err(NotWatched::InBackoff { namespace: namespace.to_owned(), why: why.clone() });
            }
            Some(State::Failed { failures, .. }) => *failures,
            None => 0,
        };
        while inner.tasks.try_join_next().is_some() {}
        inner.number += 1;
        let number = inner.number;
        let (told, outcome) = watch::channel(None);
        let trying = State::Trying { number, failures, outcome: outcome.clone() };
        inner.states.insert(namespace.to_owned(), trying);
        let (ready, is_ready) = oneshot::channel();
        let work = (self.start)(namespace.to_owned(), ready);
        inner.tasks.spawn(follow(self.this.clone(), namespace.to_owned(), number, work, is_ready, told));
        Ok(Some(outcome))
    }

    /// The attempt is over; nothing if it counts no longer.
    fn tried(&self, namespace: &str, number: u64, result: Result<(), String>) -> Outcome {
        let mut inner = self.inner.lock();
        let state = inner.states.get_mut(namespace)?;
        let State::Trying { number: current, failures, .. } = state else { return None };
        if *current != number {
            return None;
        }
        let failures = *failures;
        match result {
            Ok(()) => {
                info!(namespace, "watching Workflows and Jobs of the external Tinkerbell");
                *state = State::Watched { number };
                Some(Ok(()))
            }
            Err(why) => {
                let pause = PAUSES.after(failures.saturating_add(1));
                warn!(namespace, error = why, failures = failures.saturating_add(1), again_after = ?pause,
                    "failed to watch a namespace of the external Tinkerbell, retrying");
                let (failures, until) = (failures.saturating_add(1), Instant::now() + pause);
                *state = State::Failed { failures, until, why: why.clone() };
                Some(Err(NotWatched::InBackoff { namespace: namespace.to_owned(), why }))
            }
        }
    }

    /// A watch that had begun well is over: the next question starts another.
    fn forget(&self, namespace: &str, number: u64, why: &str) {
        let mut inner = self.inner.lock();
        if !matches!(inner.states.get(namespace), Some(State::Watched { number: current }) if *current == number) {
            return;
        }
        warn!(namespace, error = why, "watch of a namespace of the external Tinkerbell ended");
        inner.states.remove(namespace);
        drop(inner);
        (self.ended)();
    }
}

/// One attempt, from its begin to the end of the watch.
async fn follow(
    registry: Weak<Namespaces>,
    namespace: String,
    number: u64,
    work: BoxFuture<'static, String>,
    is_ready: oneshot::Receiver<()>,
    told: watch::Sender<Outcome>,
) {
    let mut work = std::pin::pin!(AssertUnwindSafe(work).catch_unwind());
    let words = |ended: std::thread::Result<String>| ended.unwrap_or_else(|_| "a fault of ours".to_owned());
    let result = tokio::select! {
        biased;
        ended = &mut work => Err(words(ended)),
        ready = timeout(ATTEMPT, is_ready) => match ready {
            Ok(Ok(())) => Ok(()),
            _ => Err(format!("not read within {} s", ATTEMPT.as_secs())),
        },
    };
    let begun = result.is_ok();
    let Some(outcome) = registry.upgrade().and_then(|registry| registry.tried(&namespace, number, result)) else {
        return;
    };
    told.send_replace(Some(outcome));
    if begun {
        let why = words(work.await);
        if let Some(registry) = registry.upgrade() {
            registry.forget(&namespace, number, &why);
        }
    }
}
