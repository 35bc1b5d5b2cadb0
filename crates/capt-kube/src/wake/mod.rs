//! Waking: which keys a change concerns.

mod interests;
mod mappers;

use capt_api::meta::ObjectKey;
use capt_reconciler::outcome::Interest;
use parking_lot::Mutex;

pub use interests::Fact;
use interests::Interests;
pub use mappers::{
    claim_changed, cluster_changed, cluster_of, hardware_changed, infra_cluster_changed, ip_address_changed,
    machine_changed, owned_changed, publish_if_available, template_changed,
};

use crate::queue::{Finish, Queue};

/// A controller as those see it who wake it: its queue, and what its keys wait for.
#[derive(Default)]
pub struct Controller {
    /// The work queue.
    pub queue: Queue,
    interests: Mutex<Interests>,
}

impl Controller {
    /// Wakes one key.
    pub fn wake(&self, key: &ObjectKey) {
        self.queue.add(key);
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
#[derive(Default)]
pub struct Wake {
    /// The controller of TinkerbellMachines.
    pub machines: Controller,
    /// The controller of TinkerbellClusters.
    pub clusters: Controller,
}

impl Wake {
    /// Wakes every key that waits for this.
    pub fn publish(&self, fact: Fact) {
        self.machines.publish(&fact);
        self.clusters.publish(&fact);
    }
}
