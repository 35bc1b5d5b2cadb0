//! Work queues, counted as Kubernetes' Go client counts them. Depth and unfinished work are read when asked for.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::labels::{Histograms, Labels};

/// Work queues of all controllers.
#[derive(Clone, Debug)]
pub struct Queues {
    adds: Family<Labels<2>, Counter>,
    retries: Family<Labels<2>, Counter>,
    waited: Histograms<Labels<2>>,
    worked: Histograms<Labels<2>>,
}

impl Default for Queues {
    fn default() -> Self {
        Self {
            adds: Family::default(),
            retries: Family::default(),
            waited: Histograms::new_with_constructor(decades),
            worked: Histograms::new_with_constructor(decades),
        }
    }
}

/// From 10 ns to 1000 s, each bucket ten times the one before; the Go client's.
fn decades() -> Histogram {
    Histogram::new(exponential_buckets(1e-8, 10.0, 12))
}

/// The labels of what belongs to a queue. A queue is named as its controller.
pub(super) fn queue(name: &'static str) -> Labels<2> {
    [("name", name), ("controller", name)]
}

impl Queues {
    /// The queue of one controller, all at zero.
    pub fn of(&self, name: &'static str) -> Queue {
        let labels = queue(name);
        Queue {
            adds: self.adds.get_or_create_owned(&labels),
            retries: self.retries.get_or_create_owned(&labels),
            waited: self.waited.get_or_create_owned(&labels),
            worked: self.worked.get_or_create_owned(&labels),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("workqueue_adds", "Keys put into the queue", self.adds.clone());
        registry.register("workqueue_retries", "Keys that are to come back after a pause", self.retries.clone());
        let help = "How long a key waits for a worker";
        registry.register("workqueue_queue_duration_seconds", help, self.waited.clone());
        registry.register("workqueue_work_duration_seconds", "How long the work on a key takes", self.worked.clone());
    }
}

/// The queue of one controller.
#[derive(Clone, Debug)]
pub struct Queue {
    adds: Counter,
    retries: Counter,
    waited: Histogram,
    worked: Histogram,
}

impl Default for Queue {
    fn default() -> Self {
        Queues::default().of("")
    }
}

impl Queue {
    /// A key was added.
    pub fn added(&self) {
        self.adds.inc();
    }

    /// A key comes back after a pause.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// A key got its worker after this time.
    pub fn taken(&self, waited: Duration) {
        self.waited.observe(waited.as_secs_f64());
    }

    /// The work on a key took this long.
    pub fn finished(&self, worked: Duration) {
        self.worked.observe(worked.as_secs_f64());
    }
}
