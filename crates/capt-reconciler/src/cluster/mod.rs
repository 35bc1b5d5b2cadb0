//! TinkerbellCluster: find its Cluster, settle its endpoint, say that it is ready.

pub mod decide;
mod driver;
pub mod report;

pub use driver::ClusterReconciler;

use std::sync::Arc;

use crate::observed::cluster_api::Cluster;
use crate::observed::infra::TinkerbellCluster;
use capt_api::contract::{CLUSTER_API_GROUP, CLUSTER_NAME_LABEL};
use capt_api::meta::{Meta, ObjectKey};

use crate::ports::Stores;

/// Everything one cluster's decision needs.
#[derive(Clone, Debug)]
pub struct World {
    /// The TinkerbellCluster.
    pub infra: Arc<TinkerbellCluster>,
    /// The Cluster: by owner reference, or else by label.
    pub cluster: Option<Arc<Cluster>>,
    /// Whether an owner reference names that Cluster.
    pub is_owned: bool,
}

/// Reads the world of one cluster, or nothing if there is no such cluster.
pub fn observe(stores: &impl Stores, key: &ObjectKey) -> Option<World> {
    let infra = stores.tinkerbell_cluster(key)?;
    let cluster = |name: &str| stores.cluster(&ObjectKey::new(key.namespace.clone(), name));
    let owner = infra
        .owner(CLUSTER_API_GROUP, "Cluster")
        .and_then(|owner| cluster(&owner.name).filter(|found| found.uid() == owner.uid));
    let is_owned = owner.is_some();
    let cluster = owner.or_else(|| infra.label(CLUSTER_NAME_LABEL).and_then(cluster));
    Some(World { infra, cluster, is_owned })
}
