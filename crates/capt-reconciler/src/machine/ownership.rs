//! Whose a server is. Names are not enough: UIDs, the provider IDs of other machines and our own marks are asked as well,
//! so that a server that runs is never given to a second machine.

use crate::observed::cluster_api::Machine;
use crate::observed::infra::TinkerbellMachine;
use crate::observed::tinkerbell::Hardware;
use capt_api::conditions::WORKFLOW_SUCCEEDED;
use capt_api::contract::{
    CLUSTER_API_GROUP, LEGACY_MACHINE_FINALIZER, MACHINE_FINALIZER, MACHINE_UID_ANNOTATION, OWNER_NAME_LABEL,
    OWNER_NAMESPACE_LABEL, PROVISIONED_ANNOTATION, RELEASED_ANNOTATION, RESERVATION_ANNOTATION, SET_ASIDE_ANNOTATION,
    hardware_of_provider_id,
};
use capt_api::meta::{Meta, ObjectKey};

use crate::ports::Stores;

/// Why no machine may take a Hardware by itself, as far as the Hardware tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It carries this machine's labels.
    Labelled(ObjectKey),
    /// It is on its way out.
    Terminating,
    /// It has no labels, but our finalizer or the record of an address: somebody stripped them.
    LostLabels,
    /// It is marked as provisioned, and by no machine that we know.
    Provisioned,
    /// A person keeps it back, for this reason.
    SetAside(String),
    /// Its first interface allows no Workflows.
    NoWorkflows,
}

/// Why no machine may take this Hardware by itself, if anything on it says so.
///
/// The UID of a machine alone says nothing: Go CAPT leaves it behind when it releases a server. Whether that machine
/// lives is asked when the Hardware is [looked at](contender).
pub fn obstacle(hardware: &Hardware) -> Option<Obstacle> {
    if let Some(machine) = hardware.reserved_for() {
        return Some(Obstacle::Labelled(machine));
    }
    if hardware.is_terminating() {
        return Some(Obstacle::Terminating);
    }
    if carries_our_marks(hardware) {
        return Some(Obstacle::LostLabels);
    }
    if hardware.is_provisioned() {
        return Some(Obstacle::Provisioned);
    }
    if let Some(reason) = hardware.set_aside() {
        return Some(Obstacle::SetAside(reason.to_owned()));
    }
    hardware.forbids_workflows().then_some(Obstacle::NoWorkflows)
}

/// Whether nothing on the Hardware speaks against a machine taking it.
pub fn is_free(hardware: &Hardware) -> bool {
    obstacle(hardware).is_none()
}

/// Whether it carries our finalizer, or the record of an address that we wrote.
fn carries_our_marks(hardware: &Hardware) -> bool {
    hardware.has_finalizer(MACHINE_FINALIZER)
        || hardware.has_finalizer(LEGACY_MACHINE_FINALIZER)
        || hardware.annotation(RESERVATION_ANNOTATION).is_some_and(|records| !["", "[]"].contains(&records.trim()))
}

impl Obstacle {
    /// What this means to one who looks for Hardware, and what a person can do about it.
    pub fn tell(&self, hardware: &Hardware, stores: &impl Stores) -> String {
        let key = hardware.key();
        match self {
            Self::Labelled(machine) => {
                let words = stranger(machine, stores);
                format!("Hardware {key} carries the labels of TinkerbellMachine {machine}{words}")
            }
            Self::Terminating => format!("Hardware {key} is being deleted"),
            Self::LostLabels => format!(
                "Hardware {key} has lost its owner labels, and its server may run: {}",
                remedy("if its server is off and not in use")
            ),
            Self::Provisioned => format!(
                "Hardware {key} is marked as provisioned by hand ({PROVISIONED_ANNOTATION}): name it in \
                 spec.hardwareName to use it as it is, or remove the mark"
            ),
            Self::SetAside(reason) => {
                let why = if reason.is_empty() { String::new() } else { format!(": \"{reason}\"") };
                format!("Hardware {key} is set aside ({SET_ASIDE_ANNOTATION}{why})")
            }
            Self::NoWorkflows => {
                format!("Hardware {key} allows no Workflows (spec.interfaces[0].netboot.allowWorkflow is false)")
            }
        }
    }
}

/// The words for labels of a machine that does not exist.
fn stranger(machine: &ObjectKey, stores: &impl Stores) -> String {
    if stores.tinkerbell_machine(machine).is_some() {
        return String::new();
    }
    let remedy = remedy("if that machine is gone for good and the server is off");
    format!(", which does not exist here (it may be another management cluster's): {remedy}")
}

fn remedy(condition: &str) -> String {
    format!(
        "{condition}, take off the address that is not yours (dhcp.ip), then remove the labels {OWNER_NAME_LABEL} and {OWNER_NAMESPACE_LABEL}, the finalizer \
         {MACHINE_FINALIZER} and the annotations {MACHINE_UID_ANNOTATION}, {RESERVATION_ANNOTATION} and \
         {PROVISIONED_ANNOTATION}"
    )
}

/// Whose a Hardware is, as one machine sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// The machine's: it carries its labels, and nothing says that they are another machine's.
    Ours,
    /// Nobody's labels are on it, and nothing else says that it is another machine's.
    #[default]
    Unlabelled,
    /// Another machine's, in these words.
    Others(String),
}

/// Whose this Hardware is, as this machine sees it.
pub fn ownership(stores: &impl Stores, machine: &TinkerbellMachine, hardware: &Hardware) -> Ownership {
    let key = hardware.key();
    let uid = hardware.machine_uid();
    let living = |uid: &str| stores.machine_with_uid(uid);
    match hardware.reserved_for() {
        Some(other) if other != machine.key() => {
            let words = stranger(&other, stores);
            Ownership::Others(format!("Hardware {key} carries the labels of TinkerbellMachine {other}{words}"))
        }
        Some(_) if uid == Some(machine.uid()) => Ownership::Ours,
        Some(_) => match uid {
            Some(uid) => match living(uid) {
                Some(other) => Ownership::Others(format!(
                    "Hardware {key} carries this machine's name, but the UID of TinkerbellMachine {other}"
                )),
                // After `clusterctl move` or a restore we have a new UID.
                None if names_exactly(stores, machine, &key) => Ownership::Ours,
                None => Ownership::Others(format!(
                    "Hardware {key} carries this machine's name and the UID {uid} of a machine that does not exist \
                     here: another management cluster may use the server"
                )),
            },
            None => match rival(stores, machine, hardware) {
                Some(other) => Ownership::Others(named_by(&key, &other)),
                None => Ownership::Ours,
            },
        },
        None if uid == Some(machine.uid()) => Ownership::Unlabelled,
        None => unlabelled(stores, machine, hardware),
    }
}

/// Nobody's labels are on the Hardware, nor our UID.
fn unlabelled(stores: &impl Stores, machine: &TinkerbellMachine, hardware: &Hardware) -> Ownership {
    let key = hardware.key();
    let marked = carries_our_marks(hardware);
    if let Some(uid) = hardware.machine_uid() {
        if let Some(other) = stores.machine_with_uid(uid) {
            return Ownership::Others(format!("Hardware {key} carries the UID of TinkerbellMachine {other}"));
        }
        if marked {
            return Ownership::Others(format!(
                "Hardware {key} has lost its owner labels and carries the UID {uid} of a machine that does not exist \
                 here: another management cluster may use the server"
            ));
        }
    }
    if let Some(other) = rival(stores, machine, hardware) {
        return Ownership::Others(named_by(&key, &other));
    }
    let was_ours = || {
        has_held(stores, machine) || hardware.reservations().iter().any(|record| record.machine_uid == machine.uid())
    };
    if marked && !was_ours() {
        return Ownership::Others(format!(
            "Hardware {key} carries the finalizer or the reservation of a machine that nothing names: {}",
            remedy("if its server is off and not in use")
        ));
    }
    Ownership::Unlabelled
}

fn named_by(hardware: &ObjectKey, machine: &ObjectKey) -> String {
    format!("Hardware {hardware} is the server of TinkerbellMachine {machine}, whose provider ID names it")
}

/// Another machine whose provider ID names the Hardware. It is no rival of one that is known to have held the server
/// while nothing says so of it: anybody can write a provider ID.
fn rival(stores: &impl Stores, machine: &TinkerbellMachine, hardware: &Hardware) -> Option<ObjectKey> {
    let key = hardware.key();
    let others = stores.machines_on(&key);
    let mut rivals = others.iter().filter(|other| {
        other.uid() != machine.uid()
            && hardware_of_provider_id(&other.spec.provider_id).as_ref() == Some(&key)
            && !has_given_back(other, hardware)
    });
    let held = has_held(stores, machine);
    rivals.find(|other| !held || has_held(stores, other)).map(|other| other.key())
}

/// Who holds Hardware that [is free](is_free) as far as it tells itself, and how it shows.
pub fn contender(stores: &impl Stores, hardware: &Hardware) -> Option<String> {
    let key = hardware.key();
    if let Some(machine) = hardware.machine_uid().and_then(|uid| stores.machine_with_uid(uid)) {
        return Some(format!("Hardware {key} carries the UID of TinkerbellMachine {machine}"));
    }
    let namers = stores.machines_on(&key);
    let namer = namers.iter().find(|machine| !has_given_back(machine, hardware))?;
    Some(format!("Hardware {key} is named by TinkerbellMachine {}", namer.key()))
}

/// Whether a machine on its way out has given this Hardware back: every release leaves its note, every reservation
/// removes it.
fn has_given_back(machine: &TinkerbellMachine, hardware: &Hardware) -> bool {
    machine.is_terminating() && hardware.annotation(RELEASED_ANNOTATION).is_some()
}

/// The Cluster API Machine that owns it.
pub(super) fn owner_of(stores: &impl Stores, machine: &TinkerbellMachine) -> Option<std::sync::Arc<Machine>> {
    let reference = machine.owner(CLUSTER_API_GROUP, "Machine")?;
    let owner = stores.machine(&ObjectKey::new(machine.namespace(), &reference.name))?;
    (owner.uid() == reference.uid).then_some(owner)
}

/// The Hardware that the provider ID of the machine names, or else the one of its owner: Cluster API copies it.
pub fn recorded_hardware(machine: &TinkerbellMachine, owner: Option<&Machine>) -> Option<ObjectKey> {
    hardware_of_provider_id(&machine.spec.provider_id)
        .or_else(|| hardware_of_provider_id(owner?.spec.provider_id.as_deref()?))
}

fn names_exactly(stores: &impl Stores, machine: &TinkerbellMachine, hardware: &ObjectKey) -> bool {
    recorded_hardware(machine, owner_of(stores, machine).as_deref()).as_ref() == Some(hardware)
}

/// Whether the machine was ready once: its server runs a system that somebody uses. Told by the machine itself, and by
/// its owner, whose provider ID Cluster API copies from a ready machine only, and whose Node came up after that: the
/// status of the machine does not survive `clusterctl move`.
pub fn was_ready(machine: &TinkerbellMachine, owner: Option<&Machine>) -> bool {
    let of_machine = machine.status.as_ref().is_some_and(|status| {
        status.ready
            || status.initialization.as_ref().is_some_and(|initialization| initialization.provisioned == Some(true))
            || status.conditions.iter().any(|c| c.type_ == WORKFLOW_SUCCEEDED && c.status == "True")
    });
    let of_owner = owner.is_some_and(|owner| {
        owner.spec.provider_id.as_deref().is_some_and(|id| !id.is_empty()) || owner.status.node_ref.is_some()
    });
    of_machine || of_owner
}

/// Whether anything but what a person can write says that the machine had Hardware.
fn has_held(stores: &impl Stores, machine: &TinkerbellMachine) -> bool {
    machine.status.as_ref().is_some_and(|status| !status.target_namespace.is_empty())
        || was_ready(machine, owner_of(stores, machine).as_deref())
}

/// Whether the deletion of this machine has to release a Hardware that does not carry its labels (any more): somebody
/// stripped them, or replaced the whole object, before the machine gave it back.
pub fn must_be_released(stores: &impl Stores, machine: &TinkerbellMachine, hardware: &Hardware) -> bool {
    if ownership(stores, machine, hardware) != Ownership::Unlabelled {
        return false;
    }
    let is_marked_ours = hardware.machine_uid() == Some(machine.uid()) && carries_our_marks(hardware);
    is_marked_ours || (!has_given_back(machine, hardware) && has_held(stores, machine))
}

/// Something of a Hardware that another Hardware carries as well, so that Tinkerbell cannot tell the two servers apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Twin {
    /// A MAC.
    Mac {
        /// The MAC.
        mac: String,
        /// The other Hardware.
        other: ObjectKey,
    },
    /// An address.
    Address {
        /// The address.
        address: std::net::IpAddr,
        /// The other Hardware.
        other: ObjectKey,
    },
}

/// The first MAC or address that this Hardware shares with another one, in any namespace.
pub fn twin(stores: &impl Stores, hardware: &Hardware) -> Option<Twin> {
    let key = hardware.key();
    let mac = hardware.macs().find_map(|mac| {
        let other = stores.hardware_with_mac(&mac).into_iter().find(|other| *other != key)?;
        Some(Twin::Mac { mac, other })
    });
    mac.or_else(|| {
        hardware.addresses().filter_map(capt_ipam_core::canonical).find_map(|address| {
            let users = stores.address_users(address, &key);
            let other = users.into_iter().find(|user| user.kind == "Hardware" && user.role == "address")?.key;
            Some(Twin::Address { address, other })
        })
    })
}

impl Twin {
    /// What is wrong, with both Hardware.
    pub fn tell(&self, hardware: &ObjectKey) -> String {
        let (what, other) = match self {
            Self::Mac { mac, other } => (format!("MAC {mac}"), other),
            Self::Address { address, other } => (format!("address {address}"), other),
        };
        format!(
            "Hardware {hardware} and Hardware {other} both carry {what}: nothing is booted until one of them gives it up"
        )
    }
}
