//! Everything one machine's decision needs, already read. Nothing in it is a client.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::observed::bmc::Job;
use crate::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine};
use crate::observed::infra::{MachineAddress, TinkerbellCluster, TinkerbellMachine};
use crate::observed::tinkerbell::{Hardware, Template, UserData, Workflow, WorkflowProgress};
use capt_api::contract::hardware_of_provider_id;
use capt_api::meta::{Meta, ObjectKey};

use super::made_for::{Made, MadeFor, made_for};
use super::memory::Memory;
use super::names;
use super::ownership::{Ownership, Twin};
use super::select::Candidate;
use super::step::Step;
use crate::effect::Kind;
use crate::ports::{AddressUse, BmcView, BootstrapSecret, PoolView, Presence};
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

/// The Cluster of a machine.
#[derive(Clone, Debug, Default)]
pub struct ClusterFacts {
    /// Cluster API's Cluster.
    pub capi: Option<Arc<Cluster>>,
    /// Its infrastructure.
    pub infra: Option<Arc<TinkerbellCluster>>,
}

/// The server of a machine, by its Hardware.
#[derive(Clone, Debug)]
pub enum Server {
    /// The machine has none yet; this is what it may take.
    Wanted(Candidate),
    /// There is no Hardware that the machine names or had, or it is on its way out without any.
    Absent,
    /// The Hardware that its spec names, or else the first that carries its labels.
    Found {
        /// The Hardware.
        hardware: Arc<Hardware>,
        /// Whose it is.
        ownership: Ownership,
        /// What it has in common with another one, as long as nothing boots it.
        twin: Option<Twin>,
    },
}

/// What is to be booted on the server, where its Hardware is.
#[derive(Clone, Debug)]
pub struct BootFacts {
    /// The Template made for the machine, and what stands under the machine's name.
    pub template: Made<Template>,
    /// Every Template made for a machine of this name.
    pub templates: Vec<Arc<Template>>,
    /// The Template that the Hardware or the cluster names in place of the generated one.
    pub named_template: Option<(ObjectKey, Option<Arc<Template>>)>,
    /// The Workflow made for the machine, and what stands under the machine's name and was made for somebody else.
    pub workflow: Made<Workflow>,
    /// Every Workflow made for a machine of this name.
    pub workflows: Vec<Arc<Workflow>>,
    /// Whether even the name with a part of the UID stands on what was made for somebody else.
    pub short_name_taken: bool,
}

/// The power of the server, and what may change it.
#[derive(Clone, Debug)]
pub struct PowerFacts {
    /// Whether BMC kinds are served.
    pub presence: Presence,
    /// Every Job made for a machine of this name.
    pub jobs: Vec<Arc<Job>>,
    /// Every Job for a BMC of Hardware that must be released.
    pub bmc_jobs: Vec<Arc<Job>>,
    /// False if the server does not let us delete Jobs.
    pub may_delete_jobs: bool,
    /// What may switch the server on and was not asked for at the API server itself in this pass: a watch may be behind.
    pub unconfirmed: Vec<(Kind, ObjectKey)>,
}

/// The address of the machine, from the pool to who uses it.
#[derive(Clone, Debug)]
pub struct AddressFacts {
    /// Whether IPAM kinds are served.
    pub presence: Presence,
    /// What the server said last when claims or addresses could not be read.
    pub trouble: Option<String>,
    /// The pool.
    pub pool: PoolView,
    /// The claim of the expected name, whoever owns it.
    pub claim: Option<Arc<IPAddressClaim>>,
    /// The claims that the machine owns.
    pub claims: Vec<Arc<IPAddressClaim>>,
    /// The Hardware that carries the address of that claim, where the claim is on its way out and was made for an
    /// earlier machine.
    pub carrier: Option<(ObjectKey, IpAddr)>,
    /// The address that the claim names, or that names the claim.
    pub ip_address: Option<Arc<IPAddress>>,
    /// Who else uses that address.
    pub users: Vec<AddressUse>,
}

/// Everything one machine's decision needs.
#[derive(Clone, Debug)]
pub struct World {
    /// The machine.
    pub machine: Arc<TinkerbellMachine>,
    /// The Cluster API Machine that owns it.
    pub owner: Option<Arc<Machine>>,
    /// Whether the machine was ready once: it is never installed again without a person's word.
    pub was_ready: bool,
    /// Its Cluster.
    pub cluster: ClusterFacts,
    /// Its server.
    pub server: Server,
    /// All Hardware that must be released before the machine may go.
    pub to_release: Vec<Arc<Hardware>>,
    /// What is to be booted.
    pub boot: BootFacts,
    /// The server's power.
    pub power: PowerFacts,
    /// Its address.
    pub address: AddressFacts,
    /// Whether the stores tell of the Workflow and the Job. Always so unless Tinkerbell is in another cluster.
    pub is_watched: bool,
    /// Objects of this machine that no watch tells of and that were not looked at.
    pub unseen: Vec<(Kind, ObjectKey)>,
    /// What this pass has learnt.
    pub pass: Pass,
    /// What the operator set.
    pub settings: Arc<Settings>,
}

impl Server {
    /// The Hardware, whoever has it.
    pub fn hardware(&self) -> Option<&Arc<Hardware>> {
        match self {
            Self::Found { hardware, .. } => Some(hardware),
            Self::Wanted(_) | Self::Absent => None,
        }
    }

    /// The Hardware, if it carries the machine's labels and nothing says that it is another's.
    pub fn reserved(&self) -> Option<&Arc<Hardware>> {
        match self {
            Self::Found { hardware, ownership: Ownership::Ours, .. } => Some(hardware),
            _ => None,
        }
    }

    /// The free Hardware that the machine is about to take.
    pub fn candidate(&self) -> Option<&Arc<Hardware>> {
        match self {
            Self::Wanted(Candidate::Found(hardware)) => Some(hardware),
            _ => None,
        }
    }

    /// What the Hardware has in common with another one, as long as nothing boots it.
    pub fn twin(&self) -> Option<&Twin> {
        match self {
            Self::Found { twin, .. } => twin.as_ref(),
            Self::Wanted(_) | Self::Absent => None,
        }
    }
}

impl World {
    /// The machine's key.
    pub fn key(&self) -> ObjectKey {
        self.machine.key()
    }

    /// The machine's Hardware, if it carries the machine's labels and nothing says that it is another's.
    pub fn reserved(&self) -> Option<&Arc<Hardware>> {
        self.server.reserved()
    }

    /// Whether the mark of the installed system is lost, and is to be put back: the machine was ready, and nobody
    /// installs its server again.
    pub fn has_lost_its_mark(&self, hardware: &Hardware) -> bool {
        let installs = self.boot.workflow.own.as_ref().is_some_and(|workflow| {
            matches!(workflow.progress(), WorkflowProgress::Pending | WorkflowProgress::Running)
                && made_for(&**workflow, &self.machine) == MadeFor::Ours
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
        self.was_ready || self.is_provisioned() || self.boot.workflow.own.is_some()
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
        target_namespace(&self.machine, self.server.hardware(), &self.to_release)
    }
}

/// The namespace that the machine itself remembers.
pub(super) fn recorded_namespace(machine: &TinkerbellMachine) -> Option<String> {
    let status = machine.status.as_ref().map(|status| status.target_namespace.clone()).filter(|ns| !ns.is_empty());
    status.or_else(|| hardware_of_provider_id(&machine.spec.provider_id).map(|key| key.namespace))
}

/// Where the machine's Hardware, Template, Workflow and Job are.
pub(super) fn target_namespace(
    machine: &TinkerbellMachine,
    hardware: Option<&Arc<Hardware>>,
    to_release: &[Arc<Hardware>],
) -> String {
    let of_hardware = hardware.or(to_release.first()).map(|hardware| hardware.namespace().to_owned());
    of_hardware.or_else(|| recorded_namespace(machine)).unwrap_or_else(|| machine.namespace().to_owned())
}
