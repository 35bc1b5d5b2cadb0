//! Everything we know, kind by kind, and what each change leads to.

mod denial;
mod handlers;
mod holds;
mod pools;
mod shelf;
mod watch_filter;

use std::sync::Arc;

use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine};
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};
use capt_reconciler::ports::Presence;
use kube::Resource;
use kube::runtime::watcher::Event;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::controller::{Fact, Wake};
use crate::decode::Guarded;
use crate::metrics::{Machines, Metrics};
use crate::owner::{cluster_of, owning_machine};
use crate::store::{Addresses, AddressesOf, Change, Grouped, HardwareIndex, MachineIndex};
use crate::watch::Sink;
use denial::Denial;
pub use holds::Held;
pub use pools::{PoolKind, Pools};
pub use shelf::{Cached, Shelf, ShelfState, Trouble};
pub use watch_filter::{Selected, WatchFilter};

/// The index over TinkerbellClusters.
pub type ClusterIndex = (Grouped<TinkerbellCluster, ObjectKey>, AddressesOf);

/// The index over Jobs: by machine and by BMC.
pub type JobIndex = (Grouped<Job, ObjectKey>, Grouped<Job, ObjectKey>);

/// The BMC Machine that a Job is for.
fn bmc_of(job: &Job) -> Option<ObjectKey> {
    let reference = &job.spec.machine_ref;
    Some(ObjectKey::new(&reference.namespace, &reference.name))
}

/// Everything we know.
pub struct Cache {
    /// TinkerbellMachines, by cluster, by the Hardware they name and by UID.
    pub tinkerbell_machines: Shelf<TinkerbellMachine>,
    /// TinkerbellClusters, by cluster.
    pub tinkerbell_clusters: Shelf<TinkerbellCluster>,
    /// Machines, by cluster.
    pub machines: Shelf<Machine>,
    /// Clusters.
    pub clusters: Shelf<Cluster>,
    /// Hardware, by owner, and free by label.
    pub hardware: Shelf<Hardware>,
    /// Templates, by the machine they are for.
    pub templates: Shelf<Template>,
    /// Workflows, by the machine they are for.
    pub workflows: Shelf<Workflow>,
    /// BMC Jobs, by the machine they are for and by BMC.
    pub jobs: Shelf<Job>,
    /// IPAddressClaims, by UID of their controller.
    pub claims: Shelf<IPAddressClaim>,
    /// IPAddresses.
    pub ip_addresses: Shelf<IPAddress>,
    /// Pools of all kinds that somebody named.
    pub pools: Pools,
    /// Who uses which address.
    pub addresses: Arc<Mutex<Addresses>>,
    /// The controllers.
    pub wake: Arc<Wake>,
    /// What happens to machines, counted.
    pub metrics: Machines,
    /// Which Cluster API objects are ours.
    pub watch_filter: WatchFilter,
    /// Whether we may delete Jobs.
    pub job_deletion: Denial,
}

impl Cache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::counted(&Metrics::default())
    }

    /// An empty cache; what happens to its objects is counted.
    pub fn counted(metrics: &Metrics) -> Self {
        let addresses = Arc::<Mutex<Addresses>>::default();
        let wake = Arc::new(Wake::counted(metrics));
        let by_owner = (HardwareIndex::default(), AddressesOf(addresses.clone()));
        Self {
            tinkerbell_machines: Shelf::new((
                Grouped::by(|machine: &TinkerbellMachine| {
                    let cluster = machine.label(capt_api::contract::CLUSTER_NAME_LABEL)?;
                    Some(ObjectKey::new(machine.namespace(), cluster))
                }),
                MachineIndex::default(),
            )),
            tinkerbell_clusters: Shelf::new((Grouped::by(cluster_of), AddressesOf(addresses.clone()))),
            machines: Shelf::new(Grouped::by(|machine: &Machine| {
                Some(ObjectKey::new(machine.namespace(), &machine.spec.cluster_name))
            })),
            clusters: Shelf::new(AddressesOf(addresses.clone())),
            hardware: Shelf::new(by_owner),
            templates: Shelf::new(Grouped::by(owning_machine)),
            workflows: Shelf::new(Grouped::by(owning_machine)),
            jobs: Shelf::new((Grouped::by(owning_machine), Grouped::by(bmc_of))),
            claims: Shelf::new(Grouped::by(|claim: &IPAddressClaim| Some(claim.controller()?.uid.clone()))),
            ip_addresses: Shelf::new(()),
            pools: Pools::new(wake.clone()),
            addresses,
            wake,
            metrics: metrics.machines.clone(),
            watch_filter: WatchFilter::default(),
            job_deletion: Denial::default(),
        }
    }

    /// The same cache, where only Cluster API objects that pass the filter wake anybody. It still takes in all.
    #[must_use]
    pub fn filtered(self, watch_filter: WatchFilter) -> Self {
        Self { watch_filter, ..self }
    }

    /// Takes in an object that the server returned to a request of ours.
    pub fn answered<K: Cached>(&self, object: Guarded<K>) {
        let meta = object.meta();
        // A terminating object that lost its last finalizer is gone, whatever the answer looks like.
        let finished = meta.deletion_timestamp.is_some() && meta.finalizers.as_ref().is_none_or(Vec::is_empty);
        if finished {
            self.gone::<K>(&ObjectKey::of(meta), object.uid());
        } else {
            self.tell(K::shelf(self).store.answered(object));
        }
    }

    /// Takes in that the object with this UID is gone, from an answer.
    pub fn gone<K: Cached>(&self, key: &ObjectKey, uid: &str) {
        self.tell(K::shelf(self).store.gone(key, uid));
    }

    /// Takes in an event of a watch over all namespaces, or one. Returns objects that the server must be asked about.
    pub(crate) fn take_in<K: Cached>(&self, event: Event<Guarded<K>>, namespace: Option<&str>) -> Vec<ObjectKey> {
        let shelf = K::shelf(self);
        let mut doubtful = Vec::new();
        match event {
            Event::Apply(object) => self.tell(shelf.store.observed(object)),
            Event::Delete(object) => self.tell(shelf.store.deleted(&object)),
            Event::Init => {
                shelf.store.relist_begins_in(namespace);
                shelf.state.send_modify(|state| state.listed = Some(Instant::now()));
            }
            Event::InitApply(object) => self.tell(shelf.store.relisted(object)),
            Event::InitDone => {
                let (changes, questions) = shelf.store.relist_ends_in(namespace);
                self.tell(changes);
                doubtful = questions;
            }
        }
        shelf.state.send_modify(|state| state.last_event = Some(Instant::now()));
        doubtful
    }

    /// The kind is served, and what is to be known of it in advance is known.
    pub(crate) fn mark_ready<K: Cached>(&self) {
        let shelf = K::shelf(self);
        let news = shelf.state.send_if_modified(|state| {
            let news = state.presence != Presence::Ready;
            state.presence = Presence::Ready;
            news
        });
        if news {
            tracing::info!(kind = %K::kind(&shelf.state().version), objects = shelf.store.counts().objects, "cache synced");
            K::presence_changed(self);
        }
    }

    fn tell<K: Cached>(&self, changes: impl IntoIterator<Item = Change<K>>) {
        for change in changes {
            K::changed(self, &change);
        }
    }

    /// Whether kinds that we cannot do without came back after they were gone, and are being read. At the start nobody works
    /// before they are in memory.
    pub fn is_reading(&self) -> bool {
        [
            self.hardware.state.borrow().is_read_again(),
            self.workflows.state.borrow().is_read_again(),
            self.templates.state.borrow().is_read_again(),
            self.machines.state.borrow().is_read_again(),
            self.clusters.state.borrow().is_read_again(),
            self.tinkerbell_clusters.state.borrow().is_read_again(),
            self.tinkerbell_machines.state.borrow().is_read_again(),
        ]
        .contains(&true)
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Cached> Sink<K> for Cache {
    fn event(&self, event: Event<Guarded<K>>) -> Vec<ObjectKey> {
        let filled = matches!(event, Event::InitDone);
        let doubtful = self.take_in(event, None);
        if filled {
            self.mark_ready::<K>();
        }
        doubtful
    }

    fn resolved(&self, key: &ObjectKey, uid: &str, now: Option<Guarded<K>>) {
        match now {
            Some(object) => self.answered(object),
            None => self.gone::<K>(key, uid),
        }
    }

    fn uid(&self, key: &ObjectKey) -> Option<String> {
        K::shelf(self).store.uid(key)
    }

    fn served(&self, version: K::DynamicType) {
        K::shelf(self).state.send_modify(|state| {
            state.version = version;
            if state.presence == Presence::Absent {
                state.presence = Presence::Syncing;
            }
        });
    }

    fn absent(&self) {
        let shelf = K::shelf(self);
        if shelf.state().presence == Presence::Absent {
            return;
        }
        self.tell(shelf.store.clear());
        shelf.state.send_modify(|state| {
            state.presence = Presence::Absent;
            state.was_absent = true;
        });
        K::presence_changed(self);
    }

    fn failed(&self, error: &str) {
        let mut trouble = K::shelf(self).trouble.lock();
        trouble.restarts += 1;
        trouble.last = Some((error.to_owned(), Instant::now()));
    }
}

/// Implements [`Cached`]: kind, index, shelf, what a change and what its presence leads to.
macro_rules! cached {
    ($kind:ty, $index:ty, $shelf:ident, $changed:expr $(, $fact:expr)?) => {
        impl Cached for $kind {
            type Index = $index;
            fn shelf(cache: &Cache) -> &Shelf<Self> {
                &cache.$shelf
            }
            fn changed(cache: &Cache, change: &Change<Self>) {
                ($changed)(cache, change);
            }
            $(fn presence_changed(cache: &Cache) {
                cache.wake.publish($fact);
            })?
        }
    };
}

cached!(
    TinkerbellMachine,
    (Grouped<TinkerbellMachine, ObjectKey>, MachineIndex),
    tinkerbell_machines,
    handlers::infra_machine_changed
);
cached!(TinkerbellCluster, ClusterIndex, tinkerbell_clusters, handlers::infra_cluster_changed);
cached!(Machine, Grouped<Machine, ObjectKey>, machines, handlers::machine_changed);
cached!(Cluster, AddressesOf, clusters, handlers::cluster_changed);
cached!(Hardware, (HardwareIndex, AddressesOf), hardware, handlers::hardware_changed);
cached!(Template, Grouped<Template, ObjectKey>, templates, handlers::template_changed);
cached!(Workflow, Grouped<Workflow, ObjectKey>, workflows, |cache: &Cache, change: &Change<Workflow>| {
    cache.metrics.workflow_changed(change);
    handlers::workflow_changed(cache, change);
});
cached!(Job, JobIndex, jobs, handlers::job_changed, Fact::BmcKinds);
cached!(IPAddressClaim, Grouped<IPAddressClaim, String>, claims,
    |cache: &Cache, change: &Change<IPAddressClaim>| {
        cache.metrics.claim_changed(change);
        handlers::claim_changed(cache, change);
    },
    Fact::IpamKinds);
cached!(IPAddress, (), ip_addresses, handlers::ip_address_changed, Fact::IpamKinds);
