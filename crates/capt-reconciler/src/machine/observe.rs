//! Observe: the World of one machine is made of the stores.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::observed::cluster_api::Machine;
use crate::observed::infra::TinkerbellMachine;
use crate::observed::tinkerbell::Hardware;
use capt_api::contract::{
    CLUSTER_NAME_LABEL, INFRASTRUCTURE_GROUP, REINSTALL_ANNOTATION, claim_name, legacy_power_off_job_name,
};
use capt_api::meta::{Meta, ObjectKey};

use super::address::claimant::{Claimant, address_of, claimant};
use super::address::orphan;
use super::belonging::{Belonging, Made, belonging, made};
use super::names;
use super::ownership::{self, Ownership};
use super::release::boot_jobs;
use super::select::{self, Candidate};
use super::world::{Pass, World, recorded_namespace};
use crate::effect::Kind;
use crate::ports::{AddressUse, PoolView, Presence, Stores};
use crate::settings::Settings;

/// Reads the world of one machine, or nothing if there is no such machine.
pub fn observe(stores: &impl Stores, key: &ObjectKey, pass: &Pass, settings: &Arc<Settings>) -> Option<World> {
    let machine = stores.tinkerbell_machine(key)?;
    let in_namespace = |name: &str| ObjectKey::new(key.namespace.clone(), name);

    let owner = ownership::owner_of(stores, &machine);
    let cluster = cluster_name(&machine, owner.as_deref()).and_then(|name| stores.cluster(&in_namespace(&name)));
    let tinkerbell_cluster = cluster
        .as_ref()
        .and_then(|cluster| cluster.spec.infrastructure_ref.as_ref())
        .filter(|reference| reference.is_to(INFRASTRUCTURE_GROUP, "TinkerbellCluster"))
        .and_then(|reference| stores.tinkerbell_cluster(&in_namespace(&reference.name)));

    let labelled = stores.hardware_of(key);
    let hardware = find_hardware(stores, &machine, owner.as_deref(), &labelled);
    let ownership = hardware.as_ref().map(|found| ownership::ownership(stores, &machine, found)).unwrap_or_default();
    let to_release = to_release(stores, &machine, hardware.as_ref(), labelled);
    let was_ready = ownership::was_ready(&machine, owner.as_deref());

    let ipam = stores.ipam();
    let claim = (ipam == Presence::Ready).then(|| stores.claim(&in_namespace(&claim_name(&key.name)))).flatten();
    let claims = if ipam == Presence::Ready { stores.claims_of(machine.uid()) } else { Vec::new() };
    let address = claim.as_ref().and_then(|claim| address_of(stores, claim));
    let pool = match &machine.spec.ipam_pool_ref {
        Some(reference) if ipam == Presence::Ready => stores.pool(&key.namespace, reference),
        _ => PoolView::Unknown,
    };

    let mut world = World {
        owner,
        cluster,
        tinkerbell_cluster,
        hardware,
        ownership,
        twin: None,
        was_ready,
        to_release,
        candidate: Candidate::NotLooked,
        template: Made::default(),
        templates: stores.templates_of(key),
        named_template: None,
        workflow: None,
        workflow_in_the_way: None,
        short_name_taken: false,
        workflows: stores.workflows_of(key),
        jobs: stores.jobs_of(key),
        bmc_jobs: Vec::new(),
        is_watched: true,
        unseen: Vec::new(),
        unconfirmed: Vec::new(),
        may_delete_jobs: stores.may_delete_jobs(),
        bmc: stores.bmc(),
        ipam,
        carrier: None,
        ipam_trouble: None,
        claim,
        claims,
        address,
        address_users: Vec::new(),
        pool,
        pass: pass.clone(),
        settings: Arc::clone(settings),
        machine,
    };

    if ipam == Presence::Syncing {
        world.ipam_trouble = stores.trouble_with(Kind::IPAddressClaim);
    }
    if let Some(claim) = &world.claim
        && claim.is_terminating()
        && claimant(claim, &world.machine) == Claimant::Stale
    {
        let mine = world.hardware.as_ref().map(|hardware| hardware.key());
        world.carrier = orphan::carrier(stores, claim).filter(|(hardware, _)| Some(hardware) != mine.as_ref());
    }

    let target = world.target_namespace();
    let of_the_name = ObjectKey::new(target.clone(), key.name.clone());
    let short = ObjectKey::new(target.clone(), names::short(&world.machine));
    let job = ObjectKey::new(target.clone(), legacy_power_off_job_name(&key.name));
    world.template = made(&world.machine, &target, &world.templates, stores.template(&of_the_name));
    let workflow = made(&world.machine, &target, &world.workflows, stores.workflow(&of_the_name));
    (world.workflow, world.workflow_in_the_way) = (workflow.own, workflow.in_the_way);
    world.short_name_taken = stores.workflow(&short).is_some_and(|found| is_anothers(&world.machine, &*found))
        || stores.template(&short).is_some_and(|found| is_anothers(&world.machine, &*found));
    let bmcs: BTreeSet<ObjectKey> = world.to_release.iter().filter_map(|hardware| hardware.bmc()).collect();
    world.bmc_jobs = bmcs.iter().flat_map(|bmc| stores.jobs_of_bmc(bmc)).collect();
    world.named_template = named_template(&world, &target).map(|key| {
        let found = stores.template(&key);
        (key, found)
    });
    // What is released next may be elsewhere.
    let releasing = world.to_release.first().filter(|_| world.machine.is_terminating());
    world.is_watched = stores.covers(Kind::Workflow, releasing.map_or(&target, |hardware| hardware.namespace()));
    // A machine that never had Hardware has nothing anywhere.
    if world.hardware.is_some() || recorded_namespace(&world.machine).is_some() {
        let named = world.named_template.as_ref().map(|(key, _)| (Kind::Template, key.clone()));
        let own = [
            (Kind::Workflow, of_the_name.clone()),
            (Kind::Workflow, short.clone()),
            (Kind::Template, of_the_name),
            (Kind::Template, short),
            (Kind::Job, job),
        ];
        let own = own.into_iter().chain(jobs_to_look_at(&world, pass));
        let unseen = |(kind, key): &(Kind, ObjectKey)| {
            !stores.covers(*kind, &key.namespace)
                && !pass.looked_at.iter().any(|seen| seen.0 == *kind && seen.1 == *key)
        };
        world.unseen = own.chain(named).filter(unseen).collect();
    }
    world.unconfirmed = to_confirm(&world, pass);
    if let (Some(hardware), Some(address)) = (&world.hardware, &world.address)
        && let Some(address) = capt_ipam_core::canonical(&address.spec.address)
    {
        let users = stores.address_users(address, &hardware.key()).into_iter();
        world.address_users = users.filter(|user| is_in_the_way(stores, &world.machine, user)).collect();
    }
    if world.machine.is_terminating() {
        return Some(world);
    }
    let boots = |hardware: &Hardware| {
        !world.is_in_use()
            || world.machine.annotation(REINSTALL_ANNOTATION).is_some() && !hardware.is_being_reinstalled()
    };
    let twin = world
        .hardware
        .as_ref()
        .filter(|hardware| boots(hardware))
        .and_then(|hardware| ownership::twin(stores, hardware));
    world.twin = twin;
    if world.hardware.is_none() && world.machine.spec.hardware_name.is_empty() && !world.was_ready {
        world.candidate = select::candidate(stores, &world.machine, &pass.avoid);
    }
    Some(world)
}

/// Jobs that are known by name, where no watch tells of them: those that are there, those that were asked for, and
/// those that Tinkerbell makes for the machine's Workflow.
fn jobs_to_look_at(world: &World, pass: &Pass) -> Vec<(Kind, ObjectKey)> {
    if !world.machine.is_terminating() {
        return Vec::new();
    }
    let known = world.jobs.iter().chain(&world.bmc_jobs).map(|job| job.key());
    let asked = pass.memory.unconfirmed_jobs.iter().map(|(of, name)| ObjectKey::new(of.namespace.clone(), name));
    let boot = world.to_release.iter().flat_map(|hardware| boot_jobs_on(&world.machine, hardware));
    let all: BTreeSet<ObjectKey> = known.chain(asked).chain(boot).collect();
    all.into_iter().map(|key| (Kind::Job, key)).collect()
}

/// The Jobs that Tinkerbell makes to boot a Workflow of this machine on this Hardware.
fn boot_jobs_on(machine: &TinkerbellMachine, hardware: &Hardware) -> Vec<ObjectKey> {
    let jobs = names::both(machine).into_iter().flat_map(|workflow| names::boot_jobs(machine, &workflow));
    jobs.map(|job| ObjectKey::new(hardware.namespace(), job)).collect()
}

/// What the server itself is asked for before a server is given up that may yet be switched on: the Workflow under both
/// of its names, and the Jobs that Tinkerbell makes of it. The answer to a creation may have been lost, and no watch is
/// sure to have told of what it made.
fn to_confirm(world: &World, pass: &Pass) -> Vec<(Kind, ObjectKey)> {
    let Some(hardware) = world.to_release.first().filter(|_| world.machine.is_terminating()) else {
        return Vec::new();
    };
    if hardware.bmc().is_none() || !boot_jobs::may_stir(world) {
        return Vec::new();
    }
    let workflows = names::both(&world.machine)
        .into_iter()
        .map(|name| (Kind::Workflow, ObjectKey::new(hardware.namespace(), name)));
    let jobs = boot_jobs_on(&world.machine, hardware).into_iter().map(|job| (Kind::Job, job));
    let mut all: Vec<_> = workflows.chain(jobs).collect();
    all.retain(|asked| !pass.looked_at.contains(asked));
    all
}

fn is_anothers(machine: &TinkerbellMachine, object: &impl Meta) -> bool {
    !matches!(belonging(object, machine), Belonging::Ours | Belonging::OfThisName)
}

/// Anybody may write an endpoint into a cluster of his own. In another namespace than ours that alone takes no address away.
fn is_in_the_way(stores: &impl Stores, machine: &TinkerbellMachine, user: &AddressUse) -> bool {
    user.key.namespace == machine.namespace() || stores.is_in_earnest(user)
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

/// The Hardware that the machine's spec names; without a name the first that is the machine's by its labels, or the one
/// that its owner's provider ID names. Once the spec names one, no other is ever considered (difference D8).
fn find_hardware(
    stores: &impl Stores,
    machine: &TinkerbellMachine,
    owner: Option<&Machine>,
    labelled: &[Arc<Hardware>],
) -> Option<Arc<Hardware>> {
    let name = machine.spec.hardware_name.as_str();
    let recorded = ownership::recorded_hardware(machine, owner);
    if name.is_empty() {
        let ours = |hardware: &&Arc<Hardware>| ownership::ownership(stores, machine, hardware) == Ownership::Ours;
        return labelled.iter().find(ours).cloned().or_else(|| stores.hardware(&recorded?));
    }
    let namespace = recorded_namespace(machine)
        .or_else(|| recorded.filter(|recorded| recorded.name == name).map(|recorded| recorded.namespace))
        .or_else(|| {
            labelled.iter().find(|hardware| hardware.name() == name).map(|hardware| hardware.namespace().to_owned())
        })
        .unwrap_or_else(|| machine.namespace().to_owned());
    stores.hardware(&ObjectKey::new(namespace, name))
}

/// Hardware that must be released: all that is the machine's by its labels (difference D3), and the named one if somebody
/// only stripped them. Names alone do not make a server ours: another management cluster may have a machine of this name.
fn to_release(
    stores: &impl Stores,
    machine: &TinkerbellMachine,
    hardware: Option<&Arc<Hardware>>,
    labelled: Vec<Arc<Hardware>>,
) -> Vec<Arc<Hardware>> {
    let mut all = labelled;
    all.retain(|labelled| ownership::ownership(stores, machine, labelled) == Ownership::Ours);
    if let Some(named) = hardware
        && machine.is_terminating()
        && ownership::must_be_released(stores, machine, named)
    {
        all.push(Arc::clone(named));
    }
    all
}

/// The Template that is to be used in place of the generated text. The first of these that is set wins: the machine's own
/// text, the Template that the Hardware's annotation names, the cluster's text, the Template that the cluster names.
fn named_template(world: &World, target_namespace: &str) -> Option<ObjectKey> {
    if !world.machine.spec.template_override.is_empty() {
        return None;
    }
    if let Some(name) = world.hardware.as_ref().and_then(|hardware| hardware.template_override()) {
        return Some(ObjectKey::new(target_namespace, name));
    }
    let cluster = world.tinkerbell_cluster.as_ref()?;
    if !cluster.spec.template_override.is_empty() {
        return None;
    }
    let reference = cluster.spec.template_override_ref.as_ref()?;
    let namespace = reference.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    Some(ObjectKey::new(namespace.unwrap_or(target_namespace), reference.name.clone()))
}
