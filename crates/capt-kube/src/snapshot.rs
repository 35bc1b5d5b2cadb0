//! What goes on, in numbers, for diagnostics.

use serde::Serialize;

use crate::cache::{Cache, Cached, Shelf};
use crate::lease::Standing;
use crate::wake::Controller;

/// What goes on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The kinds we keep in memory.
    pub kinds: Vec<KindSnapshot>,
    /// The kinds of pools that somebody named, with the number of pools.
    pub pools: Vec<(String, usize)>,
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
    /// Whether we lead.
    pub leading: bool,
    /// Who holds the Lease.
    pub holder: String,
}

/// A kind we keep in memory.
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
    /// Seconds since the watch last had anything to say.
    pub quiet_seconds: Option<f64>,
}

/// A work queue.
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
}

impl Snapshot {
    pub(crate) fn of(cache: &Cache, events_dropped: u64, standing: Option<&Standing>) -> Self {
        Self {
            kinds: vec![
                kind(&cache.tinkerbell_machines),
                kind(&cache.tinkerbell_clusters),
                kind(&cache.machines),
                kind(&cache.clusters),
                kind(&cache.hardware),
                kind(&cache.templates),
                kind(&cache.workflows),
                kind(&cache.jobs),
                kind(&cache.claims),
                kind(&cache.ip_addresses),
            ],
            pools: cache.pools.counts(),
            queues: vec![
                queue("tinkerbellmachine", &cache.wake.machines),
                queue("tinkerbellcluster", &cache.wake.clusters),
            ],
            lease: standing.map(|now| LeaseSnapshot { leading: now.leading, holder: now.holder.clone() }),
            events_dropped,
        }
    }
}

fn kind<K: Cached>(shelf: &Shelf<K>) -> KindSnapshot {
    let state = shelf.state();
    let counts = shelf.store.counts();
    KindSnapshot {
        kind: K::kind(&state.version).into_owned(),
        presence: format!("{:?}", state.presence),
        objects: counts.objects,
        invalid: counts.invalid,
        quiet_seconds: state.last_event.map(|at| at.elapsed().as_secs_f64()),
    }
}

fn queue(controller: &'static str, of: &Controller) -> QueueSnapshot {
    let depth = of.queue.depth();
    QueueSnapshot { controller, ready: depth.ready, running: depth.running, delayed: depth.delayed }
}
