//! The reconcilers' ports, on Kubernetes.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use capt_api::kube_core::{Selector, SelectorExt};
use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::effect::{Kind, Write};
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine};
use capt_reconciler::observed::infra::{PoolReference, TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};
use capt_reconciler::ports::{
    AddressUse, BmcQuestion, BmcView, BootstrapSecret, Clock, Event, PoolView, Presence, Stores, WriteError, Writer,
};
use jiff::Timestamp;

use crate::api::KubeWriter;
use crate::cache::Cache;
use crate::clock::TokioClock;
use crate::events::Events;
use crate::external::namespaces::Namespaces;

/// How many free Hardware are looked at under one lock.
const BATCH: usize = 64;

/// How many Hardware that are kept back are looked at, to name some of them to a machine that finds none.
const MOST_PARKED: usize = 256;

/// Reads from memory, writes to the server.
#[derive(Clone)]
pub struct Ports {
    cache: Arc<Cache>,
    writer: KubeWriter,
    events: Events,
    clock: TokioClock,
    external: Option<Arc<Namespaces>>,
}

impl Ports {
    /// Ports over this cache.
    pub fn new(cache: Arc<Cache>, writer: KubeWriter, events: Events, clock: TokioClock) -> Self {
        Self { cache, writer, events, clock, external: None }
    }

    /// The same ports, with Tinkerbell in another cluster, where only these namespaces are watched.
    #[must_use]
    pub fn with_external(self, namespaces: Arc<Namespaces>) -> Self {
        Self { external: Some(namespaces), ..self }
    }
}

impl Stores for Ports {
    fn tinkerbell_machine(&self, key: &ObjectKey) -> Option<Arc<TinkerbellMachine>> {
        self.cache.kinds.tinkerbell_machines.store.get(key)
    }

    fn tinkerbell_cluster(&self, key: &ObjectKey) -> Option<Arc<TinkerbellCluster>> {
        self.cache.kinds.tinkerbell_clusters.store.get(key)
    }

    fn machine(&self, key: &ObjectKey) -> Option<Arc<Machine>> {
        self.cache.kinds.machines.store.get(key)
    }

    fn cluster(&self, key: &ObjectKey) -> Option<Arc<Cluster>> {
        self.cache.kinds.clusters.store.get(key)
    }

    fn hardware(&self, key: &ObjectKey) -> Option<Arc<Hardware>> {
        self.cache.kinds.hardware.store.get(key)
    }

    fn hardware_of(&self, machine: &ObjectKey) -> Vec<Arc<Hardware>> {
        self.cache.kinds.hardware.store.lookup(|(index, _)| index.of_owner(machine))
    }

    fn visit_free_hardware(&self, selector: &Selector, visit: &mut dyn FnMut(&Arc<Hardware>) -> ControlFlow<()>) {
        let mut last: Option<ObjectKey> = None;
        let no_labels = std::collections::BTreeMap::new();
        // In batches, so that the visitor runs without the lock and may ask the stores itself.
        loop {
            let ask = |(index, _): &(crate::store::HardwareIndex, _)| index.candidates(selector, last.as_ref(), BATCH);
            let batch = self.cache.kinds.hardware.store.lookup(ask);
            for hardware in &batch {
                let labels = hardware.metadata.labels.as_ref().unwrap_or(&no_labels);
                if selector.matches(labels) && visit(hardware).is_break() {
                    return;
                }
            }
            match batch.last() {
                Some(hardware) if batch.len() == BATCH => last = Some(hardware.key()),
                _ => return,
            }
        }
    }

    fn visit_parked_hardware(&self, selector: &Selector, visit: &mut dyn FnMut(&Arc<Hardware>) -> ControlFlow<()>) {
        let no_labels = std::collections::BTreeMap::new();
        for hardware in self.cache.kinds.hardware.store.lookup(|(index, _)| index.parked(selector, MOST_PARKED)) {
            let labels = hardware.metadata.labels.as_ref().unwrap_or(&no_labels);
            // An orphan may have found its machine a moment ago.
            let is_held = hardware.reserved_for().is_some_and(|machine| self.tinkerbell_machine(&machine).is_some());
            if selector.matches(labels) && !is_held && visit(&hardware).is_break() {
                return;
            }
        }
    }

    fn hardware_with_mac(&self, mac: &str) -> Vec<ObjectKey> {
        let keys = self.cache.kinds.hardware.store.index(|(index, _)| index.of_mac(mac));
        keys.iter().map(|key| (**key).clone()).collect()
    }

    fn machines_on(&self, hardware: &ObjectKey) -> Vec<Arc<TinkerbellMachine>> {
        self.cache.kinds.tinkerbell_machines.store.lookup(|(_, index)| index.on(hardware))
    }

    fn machine_with_uid(&self, uid: &str) -> Option<ObjectKey> {
        self.cache.kinds.tinkerbell_machines.store.index(|(_, index)| index.with_uid(uid))
    }

    fn template(&self, key: &ObjectKey) -> Option<Arc<Template>> {
        self.cache.kinds.templates.store.get(key)
    }

    fn workflow(&self, key: &ObjectKey) -> Option<Arc<Workflow>> {
        self.cache.kinds.workflows.store.get(key)
    }

    fn job(&self, key: &ObjectKey) -> Option<Arc<Job>> {
        self.cache.kinds.jobs.store.get(key)
    }

    fn templates_of(&self, machine: &ObjectKey) -> Vec<Arc<Template>> {
        self.cache.kinds.templates.store.lookup(|by_machine| by_machine.members(machine))
    }

    fn workflows_of(&self, machine: &ObjectKey) -> Vec<Arc<Workflow>> {
        self.cache.kinds.workflows.store.lookup(|by_machine| by_machine.members(machine))
    }

    fn jobs_of(&self, machine: &ObjectKey) -> Vec<Arc<Job>> {
        self.cache.kinds.jobs.store.lookup(|(by_machine, _)| by_machine.members(machine))
    }

    fn jobs_of_bmc(&self, bmc: &ObjectKey) -> Vec<Arc<Job>> {
        self.cache.kinds.jobs.store.lookup(|(_, by_bmc)| by_bmc.members(bmc))
    }

    fn covers(&self, kind: Kind, namespace: &str) -> bool {
        let Some(namespaces) = &self.external else { return true };
        match kind {
            Kind::Template => false,
            Kind::Workflow | Kind::Job => namespaces.is_watched(namespace),
            Kind::TinkerbellCluster | Kind::TinkerbellMachine | Kind::Hardware | Kind::IPAddressClaim => true,
        }
    }

    fn may_delete_jobs(&self) -> bool {
        !self.cache.job_deletion.stands()
    }

    fn bmc(&self) -> Presence {
        self.cache.kinds.jobs.state().presence
    }

    fn ipam(&self) -> Presence {
        match (self.cache.kinds.claims.state().presence, self.cache.kinds.ip_addresses.state().presence) {
            (Presence::Absent, _) | (_, Presence::Absent) => Presence::Absent,
            (Presence::Ready, Presence::Ready) => Presence::Ready,
            _ => Presence::Syncing,
        }
    }

    fn trouble_with(&self, kind: Kind) -> Option<String> {
        let last = |trouble: crate::cache::Trouble| trouble.last.map(|(words, _)| words);
        match kind {
            Kind::IPAddressClaim => {
                last(self.cache.kinds.claims.trouble()).or_else(|| last(self.cache.kinds.ip_addresses.trouble()))
            }
            Kind::Job => last(self.cache.kinds.jobs.trouble()),
            _ => None,
        }
    }

    fn claim(&self, key: &ObjectKey) -> Option<Arc<IPAddressClaim>> {
        self.cache.kinds.claims.store.get(key)
    }

    fn claims_of(&self, owner_uid: &str) -> Vec<Arc<IPAddressClaim>> {
        self.cache.kinds.claims.store.lookup(|by_owner| by_owner.members(owner_uid))
    }

    fn address(&self, key: &ObjectKey) -> Option<Arc<IPAddress>> {
        self.cache.kinds.ip_addresses.store.get(key)
    }

    fn pool(&self, namespace: &str, reference: &PoolReference) -> PoolView {
        self.cache.pools.view(namespace, reference)
    }

    fn address_users(&self, address: IpAddr, except: &ObjectKey) -> Vec<AddressUse> {
        self.cache.addresses.lock().users(address, except)
    }

    fn is_in_earnest(&self, user: &AddressUse) -> bool {
        let cluster = match user.kind {
            "Cluster" => Some(user.key.clone()),
            "TinkerbellCluster" => {
                self.tinkerbell_cluster(&user.key).and_then(|cluster| crate::owner::cluster_of(&*cluster))
            }
            _ => return true,
        };
        let Some(cluster) = cluster else { return false };
        let machines =
            self.cache.kinds.tinkerbell_machines.store.lookup(|(by_cluster, _)| by_cluster.members(&cluster));
        machines.iter().any(|machine| !machine.spec.hardware_name.is_empty())
    }
}

impl Writer for Ports {
    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.writer.write(write).await
    }

    async fn bootstrap_secret(&self, key: &ObjectKey) -> Result<BootstrapSecret, WriteError> {
        self.writer.bootstrap_secret(key).await
    }

    async fn watch_namespace(&self, namespace: &str) -> Result<(), WriteError> {
        match &self.external {
            Some(namespaces) => {
                namespaces.ensure(namespace).await.map_err(|error| WriteError::Transient(error.to_string()))
            }
            None => Ok(()),
        }
    }

    async fn look(&self, kind: Kind, key: &ObjectKey) -> Result<(), WriteError> {
        self.writer.look(kind, key).await
    }

    async fn ask_bmc(&self, question: &BmcQuestion) -> BmcView {
        self.writer.ask_bmc(question).await
    }

    fn event(&self, event: Event) {
        self.cache.metrics.event(event.notice.reason);
        self.events.send(event);
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
