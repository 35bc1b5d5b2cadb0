//! A stand-in for an IPAM provider of Cluster API, in two families.
//!
//! The families differ in what a consumer must survive: the in-cluster one frees an address the moment its claim is
//! deleted, Metal3's waits for every other finalizer on the claim.

mod claim;
mod conditions;
mod ledger;
mod options;
mod plan;
mod pool;
mod ranges;
mod release;
mod shared;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::engine::{Clock, Store, Tasks, kinds, work};

pub use options::{ConditionShape, Family, Options};
use shared::Shared;

/// Finalizers of a family.
#[derive(Clone, Copy)]
struct Finalizers {
    claim: &'static str,
    /// On IPAddresses, if the family protects them.
    address: Option<&'static str>,
    pool: &'static str,
}

impl Finalizers {
    fn of(family: Family) -> Self {
        match family {
            Family::InCluster => Self {
                claim: "ipam.cluster.x-k8s.io/ReleaseAddress",
                address: Some("ipam.cluster.x-k8s.io/ProtectAddress"),
                pool: "ipam.cluster.x-k8s.io/ProtectPool",
            },
            Family::Metal3 => {
                Self { claim: "ipam.metal3.io/ipaddressclaim", address: None, pool: "ippool.ipam.metal3.io" }
            }
        }
    }
}

/// What the workers share.
struct Provider {
    shared: Arc<Shared>,
    finalizers: Finalizers,
    clock: Clock,
    clusters: Arc<Store>,
    claims: Arc<Store>,
    addresses: Arc<Store>,
    /// One per pool kind, in the order of [`Shared::pool_kinds`].
    pools: Vec<Arc<Store>>,
}

/// A running IPAM provider.
pub struct IpamProvider {
    tasks: Tasks,
    shared: Arc<Shared>,
}

impl IpamProvider {
    /// Starts a provider on a client of its own. It stops when `token` is cancelled, or by [`Self::stop`].
    pub fn start(client: &Client, options: Options, token: &CancellationToken) -> Self {
        let tasks = Tasks::under(token);
        let shared = Arc::new(Shared::new(&tasks, options));
        let (s1, s2, s3) = (Arc::clone(&shared), Arc::clone(&shared), Arc::clone(&shared));
        let clusters = Store::start(&tasks, client, &kinds::CLUSTER, move |c| s1.cluster_changed(c));
        let claims = Store::start(&tasks, client, &kinds::CLAIM, move |c| s2.claim_changed(c));
        let addresses = Store::start(&tasks, client, &kinds::ADDRESS, move |c| s3.address_changed(c));
        let pools = shared.pool_kinds().iter().map(|kind| {
            let shared = Arc::clone(&shared);
            Store::start(&tasks, client, kind, move |c| shared.pool_changed(kind, c))
        });
        let provider = Arc::new(Provider {
            pools: pools.collect(),
            shared: Arc::clone(&shared),
            finalizers: Finalizers::of(shared.options.family),
            clock: Clock::start(shared.options.start_time),
            clusters,
            claims,
            addresses,
        });
        let workers = tasks.clone();
        tasks.spawn(async move {
            provider.wait_synced().await;
            let shared = &provider.shared;
            work(
                &workers,
                &shared.claim_queue,
                &Arc::new(claim::Claims(Arc::clone(&provider))),
                shared.options.workers,
            );
            work(&workers, &shared.pool_queue, &Arc::new(pool::Pools(Arc::clone(&provider))), 1);
        });
        Self { tasks, shared }
    }

    /// The provider goes down: it does nothing until [`Self::resume`].
    pub fn pause(&self) {
        self.shared.down.store(true, Ordering::SeqCst);
    }

    /// The provider comes up again, and looks at everything that happened meanwhile.
    pub fn resume(&self) {
        self.shared.down.store(false, Ordering::SeqCst);
        self.shared.wake_all();
    }

    /// Stops the provider for good.
    pub async fn stop(&self) {
        self.tasks.stop().await;
    }
}

impl Provider {
    async fn wait_synced(&self) {
        self.clusters.wait_synced().await;
        self.claims.wait_synced().await;
        self.addresses.wait_synced().await;
        for pools in &self.pools {
            pools.wait_synced().await;
        }
    }

    /// The store of a pool kind.
    fn pools(&self, kind: &str) -> Option<&Arc<Store>> {
        let at = self.shared.pool_kinds().iter().position(|k| k.kind == kind)?;
        self.pools.get(at)
    }
}
