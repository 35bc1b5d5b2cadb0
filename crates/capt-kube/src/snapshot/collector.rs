//! The snapshot as metrics: what is a matter of state, read when somebody asks.

use std::collections::BTreeSet;
use std::fmt;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{Snapshot, Source};

/// Pools whose claims are told of although there are none any more. An alert needs the zero; a cluster that makes and
/// deletes pools all the time must not make series without end.
const MOST_PAST_POOLS: usize = 256;

const NO_LABELS: [(&str, &str); 0] = [];

/// Depths, sizes, ages, and who leads.
pub(crate) struct State {
    source: Source,
    past_pools: Mutex<BTreeSet<(String, String)>>,
}

impl State {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, past_pools: Mutex::default() }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.source.read();
        queues(&mut encoder, &now)?;
        watches(&mut encoder, &now)?;
        self.claims(&mut encoder, &now)?;
        let help = "Events that were dropped because too many waited.";
        counters(&mut encoder, ("capt_events_dropped", help), [(NO_LABELS, now.events_dropped)])?;
        if let Some(standing) = &now.lease {
            let help = "Whether this replica leads.";
            let labels = [("name", standing.name.clone())];
            gauges(&mut encoder, ("leader_election_master_status", help), [(labels, flag(standing.leading))])?;
        }
        Ok(())
    }
}

fn queues(encoder: &mut DescriptorEncoder<'_>, now: &Snapshot) -> fmt::Result {
    let depths = now.queues.iter().map(|queue| {
        // Every key is as urgent as the others, which upstream's queues call priority 0.
        let labels = [("name", queue.controller), ("controller", queue.controller), ("priority", "0")];
        (labels, number(queue.ready))
    });
    gauges(encoder, ("workqueue_depth", "Keys that wait for a worker."), depths)?;
    let labels = |name| [("name", name), ("controller", name)];
    let help = "How long the work under way takes so far, all keys together.";
    let unfinished = now.queues.iter().map(|queue| (labels(queue.controller), queue.unfinished_seconds));
    gauges(encoder, ("workqueue_unfinished_work_seconds", help), unfinished)?;
    let help = "How long the work under way takes so far, on the key with most of it.";
    let longest = now.queues.iter().map(|queue| (labels(queue.controller), queue.longest_seconds));
    gauges(encoder, ("workqueue_longest_running_processor_seconds", help), longest)?;
    let help = "Keys that wait for a time, such as the end of a pause after a failure.";
    let delayed = now.queues.iter().map(|queue| ([("controller", queue.controller)], number(queue.delayed)));
    gauges(encoder, ("capt_queue_delayed", help), delayed)
}

fn watches(encoder: &mut DescriptorEncoder<'_>, now: &Snapshot) -> fmt::Result {
    let kinds = || now.kinds.iter();
    let of = |kind: &str| [("kind", kind.to_owned())];
    let objects = kinds().map(|kind| (of(&kind.kind), number(kind.objects)));
    gauges(encoder, ("capt_store_objects", "Objects in memory."), objects)?;
    let invalid = kinds().map(|kind| (of(&kind.kind), number(kind.invalid)));
    gauges(encoder, ("capt_store_invalid_objects", "Objects in memory that do not decode."), invalid)?;
    let ready = kinds().map(|kind| (of(&kind.kind), flag(kind.is_ready())));
    gauges(encoder, ("capt_store_ready", "Whether all objects of the kind are in memory."), ready)?;
    let age = kinds().filter_map(|kind| Some((of(&kind.kind), kind.age_seconds?)));
    gauges(encoder, ("capt_watch_age_seconds", "Since the watch last began with a list of all objects."), age)?;
    let quiet = kinds().filter_map(|kind| Some((of(&kind.kind), kind.quiet_seconds?)));
    gauges(encoder, ("capt_watch_quiet_seconds", "Since the watch last had anything to say."), quiet)?;
    let restarts = kinds().map(|kind| (of(&kind.kind), kind.restarts));
    counters(encoder, ("capt_watch_restarts", "Times a watch failed and was begun again."), restarts)
}

impl State {
    fn claims(&self, encoder: &mut DescriptorEncoder<'_>, now: &Snapshot) -> fmt::Result {
        let mut counts: Vec<([(&str, String); 3], f64)> = Vec::new();
        let mut count = |pool: &str, kind: &str, state: &str, number: f64| {
            let labels = [("pool", pool.to_owned()), ("pool_kind", kind.to_owned()), ("state", state.to_owned())];
            counts.push((labels, number));
        };
        let mut past = self.past_pools.lock();
        for pool in &now.claims {
            let states = [("pending", pool.pending), ("fulfilled", pool.fulfilled), ("terminating", pool.terminating)];
            for (state, claims) in states {
                count(&pool.pool, &pool.kind, state, claims as f64);
            }
            past.remove(&(pool.pool.clone(), pool.kind.clone()));
        }
        for (pool, kind) in past.iter() {
            for state in ["pending", "fulfilled", "terminating"] {
                count(pool, kind, state, 0.0);
            }
        }
        past.extend(now.claims.iter().map(|pool| (pool.pool.clone(), pool.kind.clone())));
        while past.len() > MOST_PAST_POOLS {
            past.pop_first();
        }
        gauges(encoder, ("capt_ipam_claims", "IPAddressClaims of machines, by pool and state."), counts)
    }
}

fn number(size: usize) -> f64 {
    size as f64
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    values: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn counters<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    values: impl IntoIterator<Item = (L, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in values {
        ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}
