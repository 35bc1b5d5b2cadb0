//! What goes on, in numbers, for diagnostics and metrics.

mod claims;
mod collector;

use std::sync::{Arc, OnceLock};

use capt_reconciler::ports::Presence;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cache::{Cache, Cached, KindCache, Visitor};
use crate::controller::Controller;
use crate::events::Events;
use crate::lease::LeaderState;
pub use claims::PoolClaims;
pub(crate) use collector::State;

/// What goes on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The kinds we keep in memory.
    pub kinds: Vec<KindSnapshot>,
    /// The kinds of pools that somebody named, with the number of pools.
    pub pools: Vec<(String, usize)>,
    /// The claims of machines, by pool.
    pub claims: Vec<PoolClaims>,
    /// The work queues.
    pub queues: Vec<QueueSnapshot>,
    /// The leader election, once it began.
    pub lease: Option<LeaseSnapshot>,
    /// Events that were dropped because too many waited.
    pub events_dropped: u64,
}

/// What we know of the lead.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseSnapshot {
    /// The Lease's name.
    pub name: String,
    /// Whether we lead.
    pub leading: bool,
    /// Who holds the Lease.
    pub holder: String,
}

/// A kind we keep in memory, and its watch.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindSnapshot {
    /// The kind.
    pub kind: String,
    /// `Absent`, `Syncing` or `Ready`.
    pub presence: String,
    /// Number of objects.
    pub objects: usize,
    /// Objects among them that do not decode.
    pub invalid: usize,
    /// Seconds since the watch last began with a list of all objects.
    pub age_seconds: Option<f64>,
    /// Seconds since the watch last had anything to say.
    pub quiet_seconds: Option<f64>,
    /// Times the watch failed and was begun again.
    pub restarts: u64,
    /// Why it failed last.
    pub last_failure: Option<FailureSnapshot>,
}

/// Something that went wrong.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureSnapshot {
    /// The object it was about, if it was about one.
    pub object: Option<String>,
    /// What, in words that hold no secret.
    pub error: String,
    /// Seconds since.
    pub seconds_ago: f64,
}

/// A work queue and its controller.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueSnapshot {
    /// The controller.
    pub controller: &'static str,
    /// Keys that wait for a worker.
    pub ready: usize,
    /// Keys being worked on.
    pub running: usize,
    /// Keys that wait for a time.
    pub delayed: usize,
    /// Seconds that the work under way takes so far, all keys together.
    pub unfinished_seconds: f64,
    /// The same for the key with most of it.
    pub longest_seconds: f64,
    /// The reconcile that failed last.
    pub last_failure: Option<FailureSnapshot>,
}

/// Where snapshots come from.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) cache: Arc<Cache>,
    pub(crate) events: Events,
    pub(crate) standing: Arc<OnceLock<watch::Receiver<LeaderState>>>,
    /// Name of the Lease, if there is an election.
    pub(crate) lease: Option<String>,
}

impl Source {
    pub(crate) fn read(&self) -> Snapshot {
        let cache = &self.cache;
        let mut kinds = KindSnapshots::default();
        cache.kinds.visit(&mut kinds);
        let standing = self.standing.get().map(|standing| standing.borrow().clone());
        Snapshot {
            kinds: kinds.0,
            pools: cache.pools.counts(),
            claims: claims::count(cache),
            queues: vec![
                queue("tinkerbellmachine", &cache.wake.machines),
                queue("tinkerbellcluster", &cache.wake.clusters),
            ],
            lease: standing.zip(self.lease.clone()).map(|(now, name)| LeaseSnapshot {
                name,
                leading: now.leading,
                holder: now.holder,
            }),
            events_dropped: self.events.dropped(),
        }
    }
}

impl KindSnapshot {
    /// Whether all objects of the kind are in memory.
    pub fn is_ready(&self) -> bool {
        self.presence == Presence::Ready.as_str()
    }
}

#[derive(Default)]
struct KindSnapshots(Vec<KindSnapshot>);

impl<'a> Visitor<'a> for KindSnapshots {
    fn kind<K: Cached>(&mut self, kind_cache: &'a KindCache<K>) {
        self.0.push(kind(kind_cache));
    }
}

fn kind<K: Cached>(kind_cache: &KindCache<K>) -> KindSnapshot {
    let state = kind_cache.state();
    let trouble = kind_cache.trouble();
    let counts = kind_cache.store.counts();
    let seconds = |at: Instant| at.elapsed().as_secs_f64();
    KindSnapshot {
        kind: K::kind(&state.version).into_owned(),
        presence: state.presence.as_str().to_owned(),
        objects: counts.objects,
        invalid: counts.invalid,
        age_seconds: state.listed.map(seconds),
        quiet_seconds: state.last_event.map(seconds),
        restarts: trouble.restarts,
        last_failure: trouble.last.map(|(error, at)| FailureSnapshot { object: None, error, seconds_ago: seconds(at) }),
    }
}

fn queue(controller: &'static str, of: &Controller) -> QueueSnapshot {
    let depth = of.queue.depth();
    QueueSnapshot {
        controller,
        ready: depth.ready,
        running: depth.running,
        delayed: depth.delayed,
        unfinished_seconds: depth.unfinished.as_secs_f64(),
        longest_seconds: depth.longest.as_secs_f64(),
        last_failure: of.last_failure().map(|failure| FailureSnapshot {
            object: Some(failure.object.to_string()),
            error: failure.error,
            seconds_ago: failure.at.elapsed().as_secs_f64(),
        }),
    }
}
