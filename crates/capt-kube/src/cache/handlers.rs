//! One function a kind: from a change to the keys it concerns.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use capt_api::contract::INFRASTRUCTURE_GROUP;
use capt_api::meta::{Meta, ObjectKey};
use capt_reconciler::effect::Kind;
use capt_reconciler::machine::ownership::{Obstacle, obstacle};
use capt_reconciler::observed::bmc::{Job, JobOutcome};
use capt_reconciler::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine};
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow, WorkflowProgress};
use kube::Resource;

use super::Cache;
use crate::controller::Fact;
use crate::owner::{cluster_of, owning_machine};
use crate::store::{Change, HardwareIndex, is_free, named_hardware, of_endpoint, of_hardware};

/// Both sides of a change.
fn sides<K>(change: &Change<K>) -> impl Iterator<Item = &K> {
    change.old.as_deref().into_iter().chain(change.new.as_deref())
}

/// Whether a part of the object is not what it was; coming and going count.
fn differs<K, T: PartialEq>(change: &Change<K>, part: impl Fn(&K) -> T) -> bool {
    change.old.as_deref().map(&part) != change.new.as_deref().map(&part)
}

/// A Machine concerns the TinkerbellMachine it is made of.
pub fn machine_changed(cache: &Cache, change: &Change<Machine>) {
    if !sides(change).any(|machine| cache.watch_filter.passes(machine)) {
        return;
    }
    let keys: BTreeSet<_> = sides(change).filter_map(infra_machine).collect();
    for key in keys {
        cache.wake.machines.wake(&key);
    }
}

/// The TinkerbellMachine that a Machine names.
fn infra_machine(machine: &Machine) -> Option<ObjectKey> {
    let reference = &machine.spec.infrastructure_ref;
    let ours = reference.is_to(INFRASTRUCTURE_GROUP, "TinkerbellMachine");
    (ours && !reference.name.is_empty()).then(|| ObjectKey::new(machine.namespace(), &reference.name))
}

/// A Cluster concerns its TinkerbellCluster; its machines only in what they look at.
pub fn cluster_changed(cache: &Cache, change: &Change<Cluster>) {
    // Whoever's Cluster it is: an address that it gives up is free for our machines.
    freed(cache, change, |cluster| of_endpoint(cluster.spec.control_plane_endpoint.as_ref()).into_iter().collect());
    if !sides(change).any(|cluster| cache.watch_filter.passes(cluster)) {
        return;
    }
    let mut infra: BTreeSet<ObjectKey> = BTreeSet::new();
    for cluster in sides(change) {
        if let Some(reference) = &cluster.spec.infrastructure_ref
            && reference.is_to(INFRASTRUCTURE_GROUP, "TinkerbellCluster")
        {
            infra.insert(ObjectKey::new(cluster.namespace(), &reference.name));
        }
    }
    let owned = cache.kinds.tinkerbell_clusters.store.index(|(by_cluster, _)| by_cluster.members(&*change.key));
    infra.extend(owned.iter().map(|key| (**key).clone()));
    for key in &infra {
        cache.wake.clusters.wake(key);
    }
    let relevant = |cluster: &Cluster| {
        (
            (cluster.is_paused_by_spec(), cluster.is_paused()),
            cluster.status.infrastructure_ready,
            cluster.status.initialization.clone(),
            cluster.spec.control_plane_endpoint.clone(),
            cluster.uid().to_owned(),
        )
    };
    if differs(change, relevant) {
        wake_machines_of(cache, &change.key);
    }
}

/// A TinkerbellCluster concerns itself, and its machines in what they look at.
pub fn infra_cluster_changed(cache: &Cache, change: &Change<TinkerbellCluster>) {
    freed(cache, change, |cluster| of_endpoint(cluster.spec.control_plane_endpoint.as_ref()).into_iter().collect());
    if !sides(change).any(|cluster| cache.watch_filter.passes(cluster)) {
        return;
    }
    cache.wake.clusters.wake(&change.key);
    let relevant = |cluster: &TinkerbellCluster| {
        let status = cluster.status.as_ref();
        (
            status.map(|status| (status.ready, status.initialization.clone())),
            cluster.spec.clone(),
            cluster.is_terminating(),
        )
    };
    if differs(change, relevant) {
        let clusters: BTreeSet<_> = sides(change).filter_map(cluster_of).collect();
        for cluster in clusters {
            wake_machines_of(cache, &cluster);
        }
    }
}

/// By label, and by way of the Machines for those that have none (yet).
fn wake_machines_of(cache: &Cache, cluster: &ObjectKey) {
    let labelled = cache.kinds.tinkerbell_machines.store.index(|(by_cluster, _)| by_cluster.members(cluster));
    let mut keys: BTreeSet<ObjectKey> = labelled.iter().map(|key| (**key).clone()).collect();
    let machines = cache.kinds.machines.store.lookup(|by_cluster| by_cluster.members(cluster));
    keys.extend(machines.iter().filter_map(|machine| infra_machine(machine)));
    for key in &keys {
        cache.wake.machines.wake(key);
    }
}

/// A TinkerbellMachine concerns itself. Hardware that it names no longer may be free, and Hardware that is labelled for it
/// may have become an orphan, or cease to be one.
pub fn infra_machine_changed(cache: &Cache, change: &Change<TinkerbellMachine>) {
    cache.wake.machines.wake(&change.key);
    if change.old.is_some() != change.new.is_some() {
        for hardware in cache.kinds.hardware.store.index(|(index, _)| index.of_owner(&change.key)) {
            note_orphan(cache, &hardware, &change.key);
            if change.new.is_none() {
                publish_parked(cache, &hardware);
            }
        }
    }
    let named = |side: &Option<Arc<TinkerbellMachine>>| -> Vec<ObjectKey> {
        side.as_deref().into_iter().flat_map(named_hardware).collect()
    };
    // One on its way out names its Hardware to the end, and may give it back before.
    let going = change.new.as_ref().is_some_and(|machine| machine.is_terminating());
    let (old, new) = (named(&change.old), if going { Vec::new() } else { named(&change.new) });
    for hardware in old.iter().filter(|hardware| !new.contains(hardware)) {
        publish_if_available(cache, hardware);
        wake_named(cache, hardware);
    }
}

/// Takes down whether the machine exists whose labels the Hardware carries.
fn note_orphan(cache: &Cache, hardware: &Arc<ObjectKey>, machine: &ObjectKey) {
    let is_orphan = cache.kinds.tinkerbell_machines.store.get(machine).is_none();
    cache.kinds.hardware.store.index_mut(|(index, _)| index.note_orphan(hardware, is_orphan));
}

/// Wakes the machines that name this Hardware.
fn wake_named(cache: &Cache, hardware: &ObjectKey) {
    for machine in cache.kinds.tinkerbell_machines.store.index(|(_, index)| index.on(hardware)) {
        cache.wake.machines.wake(&machine);
    }
}

/// Tells those who wait for Hardware why this one is not to be had: they name it.
fn publish_parked(cache: &Cache, key: &ObjectKey) {
    if let Some(hardware) = cache.kinds.hardware.store.get(key) {
        cache.wake.publish(Fact::ParkedHardware(hardware));
    }
}

/// Hardware concerns the machines whose name it carries or carried and those that name it; free or kept back, it concerns
/// those who look for one. A MAC that it gives up concerns the other Hardware with that MAC.
pub fn hardware_changed(cache: &Cache, change: &Change<Hardware>) {
    let owners: BTreeSet<_> = sides(change).filter_map(Hardware::reserved_for).collect();
    for key in &owners {
        cache.wake.machines.wake(key);
    }
    wake_named(cache, &change.key);
    let owner = |side: &Option<Arc<Hardware>>| side.as_deref().and_then(Hardware::reserved_for);
    if let Some(machine) = owner(&change.new)
        && owner(&change.old).as_ref() != Some(&machine)
    {
        note_orphan(cache, &change.key, &machine);
    }
    given_up_macs(cache, change);
    let kind = |side: &Option<Arc<Hardware>>| side.as_deref().map(obstacle);
    if let (before, Some(Some(now))) = (kind(&change.old), kind(&change.new))
        && !matches!(now, Obstacle::Labelled(_) | Obstacle::Terminating)
        && before != Some(Some(now))
    {
        publish_parked(cache, &change.key);
    }
    cache.wake.publish(Fact::Object(Kind::Hardware, change.key.clone()));
    freed(cache, change, |hardware| of_hardware(hardware).map(|(_, address)| address).collect());
    if let Some(hardware) = &change.new
        && is_free(hardware)
    {
        publish_if_available(cache, &change.key);
    }
}

/// Two Hardware with one MAC are in each other's way until one of them gives it up.
fn given_up_macs(cache: &Cache, change: &Change<Hardware>) {
    let macs = |side: &Option<Arc<Hardware>>| -> Vec<String> {
        side.as_deref().into_iter().flat_map(Hardware::macs).collect()
    };
    let (old, new) = (macs(&change.old), macs(&change.new));
    if old == new {
        return;
    }
    for mac in old.iter().filter(|mac| !new.contains(mac)) {
        for other in cache.kinds.hardware.store.lookup(|(index, _)| index.of_mac(mac)) {
            if let Some(machine) = other.reserved_for() {
                cache.wake.machines.wake(&machine);
            }
            publish_if_available(cache, &other.key());
        }
    }
}

/// Tells those who wait for free Hardware, unless somebody is about to take this one.
pub fn publish_if_available(cache: &Cache, key: &ObjectKey) {
    let available = |index: &(HardwareIndex, _)| index.0.is_available(key);
    if cache.kinds.hardware.store.index(available)
        && let Some(hardware) = cache.kinds.hardware.store.get(key)
    {
        cache.wake.publish(Fact::FreeHardware(hardware));
    }
}

/// Tells those who wait for an address that this object uses no longer.
fn freed<K>(cache: &Cache, change: &Change<K>, addresses: impl Fn(&K) -> BTreeSet<IpAddr>) {
    let of = |side: &Option<Arc<K>>| side.as_deref().map(&addresses).unwrap_or_default();
    let (old, new) = (of(&change.old), of(&change.new));
    for address in old.difference(&new) {
        cache.wake.publish(Fact::Address(*address));
    }
}

/// A claim concerns the machine that controls it, or that its labels or its name name.
pub fn claim_changed(cache: &Cache, change: &Change<IPAddressClaim>) {
    let mut keys: BTreeSet<_> = sides(change).filter_map(owning_machine).collect();
    keys.extend(machine_by_claim_name(cache, &change.key));
    for key in &keys {
        cache.wake.machines.wake(key);
    }
}

/// An address concerns the machine of its claim, which waited for it.
pub fn ip_address_changed(cache: &Cache, change: &Change<IPAddress>) {
    let mut keys = BTreeSet::new();
    for address in sides(change) {
        let claim = ObjectKey::new(address.namespace(), &address.spec.claim_ref.name);
        keys.extend(cache.kinds.claims.store.get(&claim).and_then(|claim| owning_machine(&*claim)));
        keys.extend(machine_by_claim_name(cache, &claim));
    }
    let has_come = change.old.is_none() && change.new.is_some();
    for key in &keys {
        cache.wake.machines.wake_for(key, has_come);
    }
}

/// The machine that the claim's name names, if it exists: it may be in its way.
fn machine_by_claim_name(cache: &Cache, claim: &ObjectKey) -> Option<ObjectKey> {
    let machine = ObjectKey::new(&claim.namespace, claim.name.strip_suffix("-0")?);
    cache.kinds.tinkerbell_machines.store.get(&machine).map(|_| machine)
}

/// A Workflow concerns the machine it is for, which waits for its end.
pub fn workflow_changed(cache: &Cache, change: &Change<Workflow>) {
    let has_ended = |workflow: &Workflow| {
        use WorkflowProgress::{Failed, Succeeded, TimedOut};
        matches!(workflow.progress(), Succeeded | Failed | TimedOut)
    };
    owned_changed(cache, change, has_ended);
    cache.wake.publish(Fact::Object(Kind::Workflow, change.key.clone()));
}

/// A Job concerns the machine it is for, which waits for its end, and who waits for all Jobs of that BMC to end.
pub fn job_changed(cache: &Cache, change: &Change<Job>) {
    if let Some(job) = sides(change).next() {
        let reference = &job.spec.machine_ref;
        cache.wake.publish(Fact::JobOfBmc(Arc::new(ObjectKey::new(&reference.namespace, &reference.name))));
    }
    owned_changed(cache, change, |job| job.outcome() != JobOutcome::Pending);
}

/// A Template concerns the machine it is for, and those that look for it: it may be one that a user wrote.
pub fn template_changed(cache: &Cache, change: &Change<Template>) {
    owned_changed(cache, change, |_| false);
    cache.wake.publish(Fact::Template(change.key.clone()));
    cache.wake.publish(Fact::Object(Kind::Template, change.key.clone()));
}

/// Objects that we make concern the machine they are for. It goes before others when they become what it waits for.
fn owned_changed<K: Resource>(cache: &Cache, change: &Change<K>, is_awaited: impl Fn(&K) -> bool) {
    let became =
        change.old.as_deref().is_some_and(|old| !is_awaited(old)) && change.new.as_deref().is_some_and(is_awaited);
    let keys: BTreeSet<_> = sides(change).filter_map(owning_machine).collect();
    for key in &keys {
        cache.wake.machines.wake_for(key, became);
    }
}
