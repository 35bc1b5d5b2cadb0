//! The machine's server, by its Hardware.

use std::sync::Arc;

use crate::machine::ownership::{self, Ownership};
use crate::machine::select;
use crate::machine::world::{BootFacts, Server, recorded_namespace};
use crate::observed::cluster_api::Machine;
use crate::observed::infra::TinkerbellMachine;
use crate::observed::tinkerbell::Hardware;
use crate::ports::Stores;
use capt_api::contract::REINSTALL_ANNOTATION;
use capt_api::meta::{Meta, ObjectKey};

use super::Subject;

pub(super) fn facts<S: Stores>(subject: Subject<'_, S>, boot: &BootFacts) -> Server {
    let is_provisioned = subject.is_provisioned();
    let Subject { stores, machine, pass, was_ready, hardware, .. } = subject;
    match hardware {
        Some((hardware, ownership)) => {
            let is_in_use = was_ready || is_provisioned || boot.workflow.own.is_some();
            let boots =
                !is_in_use || machine.annotation(REINSTALL_ANNOTATION).is_some() && !hardware.is_being_reinstalled();
            let twin = if boots && !machine.is_terminating() { ownership::twin(stores, &hardware) } else { None };
            Server::Found { hardware, ownership, twin }
        }
        None if machine.is_terminating() || !machine.spec.hardware_name.is_empty() || was_ready => Server::Absent,
        None => Server::Wanted(select::candidate(stores, machine, &pass.avoid)),
    }
}

/// The Hardware that the machine's spec names; without a name the first that is the machine's by its labels, or the one
/// that its owner's provider ID names. Once the spec names one, no other is ever considered (difference D8).
pub(super) fn find(
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
pub(super) fn to_release(
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
