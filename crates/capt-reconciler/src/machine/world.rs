//! Everything one machine's decision needs, already read. Nothing in it is a client.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::observed::bmc::Job;
use crate::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine};
use crate::observed::infra::{MachineAddress, TinkerbellCluster, TinkerbellMachine};
use crate::observed::tinkerbell::{Hardware, Template, UserData, Workflow, WorkflowProgress};
use capt_api::contract::{
    CLUSTER_NAME_LABEL, INFRASTRUCTURE_GROUP, REINSTALL_ANNOTATION, claim_name, hardware_of_provider_id,
    legacy_power_off_job_name,
};
use capt_api::meta::{Meta, ObjectKey};

use super::belonging::{Belonging, Made, belonging, made};
use super::lease;
use super::memory::Memory;
use super::names;
use super::orphan;
use super::ownership::{self, Ownership, Twin};
use super::release::boot_jobs;
use super::select::{self, Candidate};
use super::step::Step;
use crate::effect::Kind;
use crate::ports::{AddressUse, BmcView, BootstrapSecret, PoolView, Presence, Stores};
use crate::settings::Settings;

/// What one pass over a machine has learnt that no store holds.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// The bootstrap Secret, once it was read.
    pub bootstrap: Option<BootstrapSecret>,
    /// What is known to stand rightly in the Hardware's `spec.userData`, from an earlier look at the Secret.
    pub known_user_data: Option<UserData>,
    /// Free Hardware that another machine is just about to reserve.
    pub avoid: BTreeSet<ObjectKey>,
    /// Why the namespace of the Hardware cannot be watched, once that was tried.
    pub unwatchable: Option<String>,
    /// Objects that no watch tells of and that were looked at.
    pub looked_at: Vec<(Kind, ObjectKey)>,
    /// What the BMC's Machine says, once it was asked.
    pub bmc: Option<BmcView>,
    /// Namespaces in which nothing can be made, for they are being deleted.
    pub ending_namespaces: BTreeSet<String>,
    /// What was remembered of this machine from earlier passes.
    pub memory: Memory,
}

/// Everything one machine's decision needs.
#[derive(Clone, Debug)]
pub struct World {
    /// The machine.
    pub machine: Arc<TinkerbellMachine>,
    /// The Cluster API Machine that owns it.
    pub owner: Option<Arc<Machine>>,
    /// The Cluster it belongs to.
    pub cluster: Option<Arc<Cluster>>,
    /// That Cluster's infrastructure.
    pub tinkerbell_cluster: Option<Arc<TinkerbellCluster>>,
    /// The machine's Hardware: the one its spec names, or else the first that carries its labels.
    pub hardware: Option<Arc<Hardware>>,
    /// Whose that Hardware is.
    pub ownership: Ownership,
    /// What that Hardware has in common with another one, as long as nothing boots it.
    pub twin: Option<Twin>,
    /// Whether the machine was ready once: it is never installed again without a person's word.
    pub was_ready: bool,
    /// All Hardware that must be released before the machine may go.
    pub to_release: Vec<Arc<Hardware>>,
    /// The Hardware to reserve, where the machine has none yet.
    pub candidate: Candidate,
    /// The Template made for the machine where its Hardware is, and what stands under the machine's name there.
    pub template: Made<Template>,
    /// Every Template made for a machine of this name.
    pub templates: Vec<Arc<Template>>,
    /// The Template that the Hardware or the cluster names in place of the generated one.
    pub named_template: Option<(ObjectKey, Option<Arc<Template>>)>,
    /// The Workflow made for the machine.
    pub workflow: Option<Arc<Workflow>>,
    /// What stands under the machine's name there and was made for somebody else.
    pub workflow_in_the_way: Option<(Belonging, Arc<Workflow>)>,
    /// Whether even the name with a part of the UID stands on what was made for somebody else.
    pub short_name_taken: bool,
    /// Every Workflow made for a machine of this name.
    pub workflows: Vec<Arc<Workflow>>,
    /// Every Job made for a machine of this name.
    pub jobs: Vec<Arc<Job>>,
    /// Every Job for a BMC of Hardware that must be released.
    pub bmc_jobs: Vec<Arc<Job>>,
    /// Whether the stores tell of the Workflow and the Job. Always so unless Tinkerbell is in another cluster.
    pub is_watched: bool,
    /// Objects of this machine that no watch tells of and that were not looked at.
    pub unseen: Vec<(Kind, ObjectKey)>,
    /// What may switch the server on and was not asked for at the server itself in this pass: a watch may be behind.
    pub unconfirmed: Vec<(Kind, ObjectKey)>,
    /// False if the server does not let us delete Jobs.
    pub may_delete_jobs: bool,
    /// Whether BMC kinds are served.
    pub bmc: Presence,
    /// Whether IPAM kinds are served.
    pub ipam: Presence,
    /// The claim of the expected name, whoever owns it.
    pub claim: Option<Arc<IPAddressClaim>>,
    /// The Hardware that carries the address of that claim, where the claim is on its way out and was made for an
    /// earlier machine.
    pub carrier: Option<(ObjectKey, IpAddr)>,
    /// What the server said last when claims or addresses could not be read.
    pub ipam_trouble: Option<String>,
    /// The claims that the machine owns.
    pub claims: Vec<Arc<IPAddressClaim>>,
    /// The address that the claim names, or that names the claim.
    pub address: Option<Arc<IPAddress>>,
    /// Who else uses that address.
    pub address_users: Vec<AddressUse>,
    /// The pool.
    pub pool: PoolView,
    /// What this pass has learnt.
    pub pass: Pass,
    /// What the operator set.
    pub settings: Arc<Settings>,
}

impl World {
    /// The machine's key.
    pub fn key(&self) -> ObjectKey {
        self.machine.key()
    }

    /// The machine's Hardware, if it carries the machine's labels and nothing says that it is another's.
    pub fn reserved(&self) -> Option<&Arc<Hardware>> {
        self.hardware.as_ref().filter(|_| self.ownership == Ownership::Ours)
    }

    /// Whether the mark of the installed system is lost, and is to be put back: the machine was ready, and nobody
    /// installs its server again.
    pub fn has_lost_its_mark(&self, hardware: &Hardware) -> bool {
        let installs = self.workflow.as_ref().is_some_and(|workflow| {
            matches!(workflow.progress(), WorkflowProgress::Pending | WorkflowProgress::Running)
                && belonging(&**workflow, &self.machine) == Belonging::Ours
        });
        self.was_ready && !hardware.is_provisioned() && !hardware.is_being_reinstalled() && !installs
    }

    /// The look that must come before the absence of the machine's own Workflow or Template is believed.
    pub fn look_for_own(&self, kind: Kind) -> Option<Step> {
        let short = || self.look_first(kind, &names::short(&self.machine));
        self.look_first(kind, self.machine.name()).or_else(short)
    }

    /// The look that must come before the absence of an object of this name is believed.
    pub fn look_first(&self, kind: Kind, name: &str) -> Option<Step> {
        let (kind, key) = self.unseen.iter().find(|(unseen, key)| *unseen == kind && key.name == name)?;
        Some(Step::Look(*kind, key.clone()))
    }

    /// The look at a Job that no watch tells of, one after the other.
    pub fn look_at_jobs(&self) -> Option<Step> {
        let (kind, key) = self.unseen.iter().find(|(unseen, _)| *unseen == Kind::Job)?;
        Some(Step::Look(*kind, key.clone()))
    }

    /// Whether an operating system is installed on the machine's Hardware.
    pub fn is_provisioned(&self) -> bool {
        self.reserved().is_some_and(|hardware| hardware.is_provisioned())
    }

    /// Whether the server may be running on its address: it is or was provisioned, or is being provisioned.
    pub fn is_in_use(&self) -> bool {
        self.was_ready || self.is_provisioned() || self.workflow.is_some()
    }

    /// The address that the machine was ready with, by its own status or the one of its owner.
    pub fn bound_address(&self) -> Option<&str> {
        let own = self.machine.status.as_ref().map(|status| status.addresses.as_slice()).unwrap_or_default();
        let of_owner = self.owner.as_ref().map(|owner| owner.status.addresses.as_slice()).unwrap_or_default();
        let internal = |addresses: &'_ [MachineAddress]| addresses.iter().position(|a| a.type_ == "InternalIP");
        let found = internal(own).and_then(|at| own.get(at)).or_else(|| of_owner.get(internal(of_owner)?));
        found.map(|address| address.address.as_str())
    }

    /// The namespace of the machine's Hardware, Template, Workflow and Job (difference D4).
    pub fn target_namespace(&self) -> String {
        let of_hardware =
            self.hardware.as_ref().or(self.to_release.first()).map(|hardware| hardware.namespace().to_owned());
        of_hardware
            .unwrap_or_else(|| recorded_namespace(&self.machine).unwrap_or_else(|| self.machine.namespace().to_owned()))
    }
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

/// The namespace that the machine itself remembers.
fn recorded_namespace(machine: &TinkerbellMachine) -> Option<String> {
    let status = machine.status.as_ref().map(|status| status.target_namespace.clone()).filter(|ns| !ns.is_empty());
    status.or_else(|| hardware_of_provider_id(&machine.spec.provider_id).map(|key| key.namespace))
}

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
        && lease::claimant(claim, &world.machine) == lease::Claimant::Stale
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

/// The address that the claim names. Status does not travel with `clusterctl move`: until the provider has filled it in
/// again, the address of the claim's own name that names the claim is its address. A server that does not use it yet waits
/// for the claim all the same.
pub(super) fn address_of(stores: &impl Stores, claim: &IPAddressClaim) -> Option<Arc<IPAddress>> {
    let named = |name: &str| stores.address(&ObjectKey::new(claim.namespace(), name));
    match claim.status.address_name() {
        Some(name) => named(name),
        None => named(claim.name()).filter(|address| address.spec.claim_ref.name == claim.name()),
    }
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
