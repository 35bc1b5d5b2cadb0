//! A controller: its queue, what its keys wait for, and its workers.

mod interests;
mod queue;
mod workers;

use capt_api::meta::ObjectKey;
use capt_reconciler::outcome::Interest;
use parking_lot::Mutex;
use tokio::time::Instant;

pub use interests::Fact;
use interests::Interests;
pub use queue::{Depth, Finish, Queue};
pub use workers::{Reconcile, run};

use crate::metrics::{self, Metrics};

/// A controller as those see it who wake it: its queue, and what its keys wait for.
pub struct Controller {
    /// Its name in the log and in metrics.
    pub name: &'static str,
    /// The work queue.
    pub queue: Queue,
    /// Its reconciles, counted.
    pub reconciles: metrics::Reconcile,
    /// How long deleted objects of it wait.
    pub release_waits: metrics::ReleaseWaits,
    interests: Mutex<Interests>,
    last_failure: Mutex<Option<Failure>>,
}

/// A reconcile that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The object it was about.
    pub object: ObjectKey,
    /// Why, in words that hold no secret.
    pub error: String,
    /// When.
    pub at: Instant,
}

impl Controller {
    /// A controller whose work is counted under this name.
    fn new(name: &'static str, metrics: &Metrics) -> Self {
        Self {
            name,
            queue: Queue::counted(metrics.queues.of(name)),
            reconciles: metrics.reconciles.of(name),
            release_waits: metrics.machines.release_waits(),
            interests: Mutex::default(),
            last_failure: Mutex::default(),
        }
    }

    /// A reconcile failed.
    pub fn failed(&self, object: &ObjectKey, error: String) {
        *self.last_failure.lock() = Some(Failure { object: object.clone(), error, at: Instant::now() });
    }

    /// The reconcile that failed last.
    pub fn last_failure(&self) -> Option<Failure> {
        self.last_failure.lock().clone()
    }

    /// Wakes one key.
    pub fn wake(&self, key: &ObjectKey) {
        self.queue.add(key);
    }

    /// Wakes one key, before others if this is what it waited for.
    pub fn wake_for(&self, key: &ObjectKey, is_awaited: bool) {
        if is_awaited {
            self.queue.add_ahead(key);
        } else {
            self.queue.add(key);
        }
    }

    /// Wakes every key that waits for this.
    fn publish(&self, fact: &Fact) {
        for key in self.interests.lock().publish(fact) {
            self.queue.add(&key);
        }
    }

    /// The work on a key begins: what it waited for so far counts no longer.
    pub fn begin(&self, key: &ObjectKey) {
        self.interests.lock().begin(key);
    }

    /// The work on a key is over, and this is what it waits for from now on. Facts that were published since
    /// [`begin`](Self::begin) count as well: the decision may not have seen them.
    pub fn finish(&self, key: &ObjectKey, interest: Interest, how: Finish) {
        if self.interests.lock().register(key, interest) {
            self.queue.add(key);
        }
        self.queue.finish(key, how);
    }
}

/// All controllers.
pub struct Wake {
    /// The controller of TinkerbellMachines.
    pub machines: Controller,
    /// The controller of TinkerbellClusters.
    pub clusters: Controller,
}

impl Default for Wake {
    fn default() -> Self {
        Self::counted(&Metrics::default())
    }
}

impl Wake {
    /// All controllers, with their work counted.
    pub fn counted(metrics: &Metrics) -> Self {
        Self {
            machines: Controller::new("tinkerbellmachine", metrics),
            clusters: Controller::new("tinkerbellcluster", metrics),
        }
    }

    /// Wakes every key that waits for this.
    pub fn publish(&self, fact: Fact) {
        self.machines.publish(&fact);
        self.clusters.publish(&fact);
    }
}
