//! Observe: the World of one machine is made of the stores, part by part.

mod address;
mod boot;
mod power;
mod server;
mod unseen;

use std::sync::Arc;

use crate::observed::cluster_api::Machine;
use crate::observed::infra::TinkerbellMachine;
use crate::observed::tinkerbell::Hardware;
use capt_api::contract::{CLUSTER_NAME_LABEL, INFRASTRUCTURE_GROUP};
use capt_api::meta::{Meta, ObjectKey};

use super::ownership::{self, Ownership};
use super::world::{ClusterFacts, Pass, World, target_namespace};
use crate::effect::Kind;
use crate::ports::Stores;
use crate::settings::Settings;

/// What is known of a machine before its parts are read.
struct Subject<'a, S> {
    stores: &'a S,
    machine: &'a TinkerbellMachine,
    pass: &'a Pass,
    /// Whether it was ready once.
    was_ready: bool,
    /// Its Hardware, and whose that is.
    hardware: Option<(Arc<Hardware>, Ownership)>,
    /// All Hardware that must be released before the machine may go.
    to_release: &'a [Arc<Hardware>],
    /// Where its Hardware, Template, Workflow and Job are.
    namespace: String,
}

impl<S> Subject<'_, S> {
    fn hardware(&self) -> Option<&Arc<Hardware>> {
        self.hardware.as_ref().map(|(hardware, _)| hardware)
    }

    /// Whether an operating system is installed on the Hardware that is the machine's.
    fn is_provisioned(&self) -> bool {
        matches!(&self.hardware, Some((hardware, Ownership::Ours)) if hardware.is_provisioned())
    }

    fn in_target(&self, name: impl Into<String>) -> ObjectKey {
        ObjectKey::new(self.namespace.clone(), name)
    }
}

/// Reads the world of one machine, or nothing if there is no such machine.
pub fn observe(stores: &impl Stores, key: &ObjectKey, pass: &Pass, settings: &Arc<Settings>) -> Option<World> {
    let machine = stores.tinkerbell_machine(key)?;
    let owner = ownership::owner_of(stores, &machine);
    let labelled = stores.hardware_of(key);
    let hardware = server::find(stores, &machine, owner.as_deref(), &labelled);
    let to_release = server::to_release(stores, &machine, hardware.as_ref(), labelled);
    let namespace = target_namespace(&machine, hardware.as_ref(), &to_release);
    let hardware = hardware.map(|found| {
        let ownership = ownership::ownership(stores, &machine, &found);
        (found, ownership)
    });
    let was_ready = ownership::was_ready(&machine, owner.as_deref());
    let subject = Subject { stores, machine: &machine, pass, was_ready, hardware, to_release: &to_release, namespace };
    let cluster = cluster(stores, &machine, owner.as_deref());
    let boot = boot::facts(&subject, &cluster);
    let power = power::facts(&subject, &boot);
    let address = address::facts(&subject);
    // What is released next may be elsewhere.
    let releasing = to_release.first().filter(|_| machine.is_terminating());
    let watched = releasing.map_or(subject.namespace.as_str(), |hardware| hardware.namespace());
    let is_watched = stores.covers(Kind::Workflow, watched);
    let unseen = unseen::all(&subject, &boot, &power);
    let server = server::facts(subject, &boot);
    Some(World {
        owner,
        was_ready,
        cluster,
        server,
        boot,
        power,
        address,
        is_watched,
        unseen,
        pass: pass.clone(),
        settings: Arc::clone(settings),
        to_release,
        machine,
    })
}

/// The machine's Cluster.
fn cluster(stores: &impl Stores, machine: &TinkerbellMachine, owner: Option<&Machine>) -> ClusterFacts {
    let in_namespace = |name: &str| ObjectKey::new(machine.namespace(), name);
    let capi = cluster_name(machine, owner).and_then(|name| stores.cluster(&in_namespace(&name)));
    let infra = capi
        .as_ref()
        .and_then(|cluster| cluster.spec.infrastructure_ref.as_ref())
        .filter(|reference| reference.is_to(INFRASTRUCTURE_GROUP, "TinkerbellCluster"))
        .and_then(|reference| stores.tinkerbell_cluster(&in_namespace(&reference.name)));
    ClusterFacts { capi, infra }
}

/// Name of the machine's Cluster, as far as anything tells.
fn cluster_name(machine: &TinkerbellMachine, owner: Option<&Machine>) -> Option<String> {
    let of_owner = owner.and_then(|owner| {
        owner
            .label(CLUSTER_NAME_LABEL)
            .map(str::to_owned)
            .or_else(|| Some(owner.spec.cluster_name.clone()).filter(|name| !name.is_empty()))
    });
    of_owner.or_else(|| machine.label(CLUSTER_NAME_LABEL).map(str::to_owned))
}
