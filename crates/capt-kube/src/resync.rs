//! The resync: every object is worked on once in a while, whatever the watches said.

use std::time::Duration;

use crate::cache::Cache;
use crate::chance;

/// Queues all TinkerbellMachines and TinkerbellClusters once in each period, for ever; never if it is zero. The server
/// is asked nothing: an object about which there is nothing to do costs a look into memory.
///
/// Each pause is up to a tenth shorter or longer than the period, so that replicas and restarts do not fall in step.
pub async fn resync(cache: &Cache, period: Duration) {
    let random = chance::fresh();
    for round in 0_u64.. {
        if period.is_zero() {
            return std::future::pending().await;
        }
        tokio::time::sleep(chance::spread(&random, round, period, 0.1)).await;
        let clusters = cache.kinds.tinkerbell_clusters.store.keys();
        let machines = cache.kinds.tinkerbell_machines.store.keys();
        tracing::debug!(clusters = clusters.len(), machines = machines.len(), "resync");
        clusters.iter().for_each(|key| cache.wake.clusters.wake(key));
        machines.iter().for_each(|key| cache.wake.machines.wake(key));
    }
}
