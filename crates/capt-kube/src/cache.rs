//! Everything we know, kind by kind, and what each change leads to.

use std::net::IpAddr;
use std::sync::Arc;

use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine};
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};
use capt_reconciler::ports::Presence;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::decode::Guarded;
use crate::external::denial::Denial;
use crate::metrics::{Machines, Metrics};
use crate::pools::Pools;
use crate::store::{Addresses, AddressesOf, Change, Grouped, HardwareIndex, Index, MachineIndex, Store};
use crate::wake::{self, Fact, Wake, WatchFilter};

/// A kind that we keep in memory.
pub trait Cached:
    Resource<Scope = NamespaceResourceScope, DynamicType: Copy + Default + Send + Sync>
    + DeserializeOwned
    + Clone
    + Send
    + Sync
    + 'static
{
    /// Its index.
    type Index: Index<Self> + 'static;

    /// Its place in the cache.
    fn shelf(cache: &Cache) -> &Shelf<Self>;

    /// Wakes whom a change concerns.
    fn changed(cache: &Cache, change: &Change<Self>);

    /// Wakes whom it concerns that the kind became ready or absent.
    fn presence_changed(_: &Cache) {}
}

/// The objects of one kind, and how well we know them.
pub struct Shelf<K: Cached> {
    /// The objects.
    pub store: Store<K, K::Index>,
    /// Told when something speaks against the kind being served.
    pub(crate) doubted: tokio::sync::Notify,
    state: watch::Sender<ShelfState<K::DynamicType>>,
    trouble: Mutex<Trouble>,
}

/// What went wrong with the watch of a kind.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// Times it failed and was begun again.
    pub restarts: u64,
    /// Why it failed last, in words that hold no secret, and when.
    pub last: Option<(String, Instant)>,
}

/// How well we know the objects of a kind.
#[derive(Clone, Copy, Debug)]
pub struct ShelfState<D> {
    /// Whether the kind is served and all objects are known.
    pub presence: Presence,
    /// Whether the server once said that it does not serve the kind.
    pub was_absent: bool,
    /// The version in use.
    pub version: D,
    /// When the watch last began with a list of all objects.
    pub listed: Option<Instant>,
    /// When the watch last had anything to say.
    pub last_event: Option<Instant>,
}

impl<D> ShelfState<D> {
    fn is_read_again(&self) -> bool {
        self.was_absent && self.presence == Presence::Syncing
    }
}

impl<K: Cached> Shelf<K> {
    fn new(index: K::Index) -> Self {
        let state = ShelfState {
            presence: Presence::Syncing,
            was_absent: false,
            version: K::DynamicType::default(),
            listed: None,
            last_event: None,
        };
        Self {
            store: Store::new(index),
            doubted: tokio::sync::Notify::new(),
            state: watch::Sender::new(state),
            trouble: Mutex::default(),
        }
    }

    /// What went wrong with the watch.
    pub fn trouble(&self) -> Trouble {
        self.trouble.lock().clone()
    }

    /// How well we know the objects.
    pub fn state(&self) -> ShelfState<K::DynamicType> {
        *self.state.borrow()
    }

    /// Waits until the kind's presence is as wanted.
    pub async fn until(&self, wanted: impl Fn(Presence) -> bool) {
        // The sender lives as long as we do.
        let _ = self.state.subscribe().wait_for(|state| wanted(state.presence)).await;
    }
}

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
            tinkerbell_clusters: Shelf::new((Grouped::by(wake::cluster_of), AddressesOf(addresses.clone()))),
            machines: Shelf::new(Grouped::by(|machine: &Machine| {
                Some(ObjectKey::new(machine.namespace(), &machine.spec.cluster_name))
            })),
            clusters: Shelf::new(AddressesOf(addresses.clone())),
            hardware: Shelf::new(by_owner),
            templates: Shelf::new(Grouped::by(wake::owning_machine)),
            workflows: Shelf::new(Grouped::by(wake::owning_machine)),
            jobs: Shelf::new((Grouped::by(wake::owning_machine), Grouped::by(bmc_of))),
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
    pub(crate) fn take_in<K: Cached>(
        &self,
        event: kube::runtime::watcher::Event<Guarded<K>>,
        namespace: Option<&str>,
    ) -> Vec<ObjectKey> {
        use kube::runtime::watcher::Event;
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

    /// Takes Hardware out of the free ones while it is written. Nothing if another writer has it.
    pub fn hold_hardware(self: &Arc<Self>, key: &ObjectKey) -> Option<Held> {
        let got = self.hardware.store.index_mut(|(index, _)| index.hold(key));
        got.then(|| Held { cache: self.clone(), what: What::Hardware(key.clone()) })
    }

    /// Keeps an address for a Hardware while it is written.
    ///
    /// # Errors
    /// The Hardware that has the address or is about to get it.
    pub fn hold_address(self: &Arc<Self>, address: IpAddr, hardware: &ObjectKey) -> Result<Held, ObjectKey> {
        self.addresses.lock().hold(address, hardware)?;
        Ok(Held { cache: self.clone(), what: What::Address(address, hardware.clone()) })
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

/// Something kept from other writers until this is dropped, however the write ends.
pub struct Held {
    cache: Arc<Cache>,
    what: What,
}

enum What {
    Hardware(ObjectKey),
    Address(IpAddr, ObjectKey),
}

impl Drop for Held {
    fn drop(&mut self) {
        match &self.what {
            What::Hardware(key) => {
                self.cache.hardware.store.index_mut(|(index, _)| index.release(key));
                wake::publish_if_available(&self.cache, key);
            }
            What::Address(address, hardware) => {
                let unused = {
                    let mut addresses = self.cache.addresses.lock();
                    addresses.release(*address);
                    // As seen by nobody in particular: not even the Hardware it was meant for has it.
                    addresses.users(*address, &ObjectKey::new("", "")).is_empty()
                };
                if unused {
                    tracing::debug!(%address, %hardware, "reserved address was not written, released again");
                    self.cache.wake.publish(Fact::Address(*address));
                }
            }
        }
    }
}

/// Where the events of a watch go.
pub trait Sink<K: Resource>: Send + Sync {
    /// Takes in one event. Returns objects that the server must be asked about (see [`Store::relist_ends`]).
    fn event(&self, event: kube::runtime::watcher::Event<Guarded<K>>) -> Vec<ObjectKey>;
    /// Takes in the answer to such a question: the object as it is now, or that it is gone.
    fn resolved(&self, key: &ObjectKey, uid: &str, now: Option<Guarded<K>>);
    /// The UID of an object as we know it.
    fn uid(&self, key: &ObjectKey) -> Option<String>;
    /// The server serves the kind in this version; its objects are about to be read.
    fn served(&self, version: K::DynamicType);
    /// The server does not serve the kind.
    fn absent(&self);
    /// The watch failed and is begun again; why, in words that hold no secret.
    fn failed(&self, _error: &str) {}
}

impl<K: Cached> Sink<K> for Cache {
    fn event(&self, event: kube::runtime::watcher::Event<Guarded<K>>) -> Vec<ObjectKey> {
        let filled = matches!(event, kube::runtime::watcher::Event::InitDone);
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
    wake::infra_machine_changed
);
cached!(TinkerbellCluster, ClusterIndex, tinkerbell_clusters, wake::infra_cluster_changed);
cached!(Machine, Grouped<Machine, ObjectKey>, machines, wake::machine_changed);
cached!(Cluster, AddressesOf, clusters, wake::cluster_changed);
cached!(Hardware, (HardwareIndex, AddressesOf), hardware, wake::hardware_changed);
cached!(Template, Grouped<Template, ObjectKey>, templates, wake::template_changed);
cached!(Workflow, Grouped<Workflow, ObjectKey>, workflows, |cache: &Cache, change: &Change<Workflow>| {
    cache.metrics.workflow_changed(change);
    wake::workflow_changed(cache, change);
});
cached!(Job, JobIndex, jobs, wake::job_changed, Fact::BmcKinds);
cached!(IPAddressClaim, Grouped<IPAddressClaim, String>, claims,
    |cache: &Cache, change: &Change<IPAddressClaim>| {
        cache.metrics.claim_changed(change);
        wake::claim_changed(cache, change);
    },
    Fact::IpamKinds);
cached!(IPAddress, (), ip_addresses, wake::ip_address_changed, Fact::IpamKinds);
