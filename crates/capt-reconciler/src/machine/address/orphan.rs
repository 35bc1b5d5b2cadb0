//! Claims that nobody answers for: their machine is gone, our finalizer is not. They are let go once no Hardware carries
//! the address: a server may still run with it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::observed::cluster_api::IPAddressClaim;
use capt_api::contract::{
    CLAIM_FINALIZER, HARDWARE_NAME_ANNOTATION, HARDWARE_NAMESPACE_ANNOTATION, INFRASTRUCTURE_GROUP, MACHINE_NAME_LABEL,
    MACHINE_NAMESPACE_LABEL, claim_name,
};
use capt_api::meta::{Meta, ObjectKey, group_of};

use super::claim::release_finalizer;
use super::claimant::address_of;
use crate::effect::{Stage, Write};
use crate::outcome::Interest;
use crate::ports::{Presence, Stores};

/// What is to be done about the claim of a machine that does not exist.
#[derive(Clone, Debug)]
pub enum Orphan {
    /// Nothing.
    None,
    /// Our finalizer comes off.
    LetGo(Box<Write>),
    /// A Hardware still carries its address.
    Held {
        /// The claim.
        claim: Arc<IPAddressClaim>,
        /// Text for a person.
        message: String,
        /// What ends it.
        interest: Box<Interest>,
    },
}

/// Looks at the claim that a machine of this name left behind. Only one that is being deleted is touched: a restore may
/// bring claims back before their machines.
pub fn claim_of_nobody(stores: &impl Stores, machine: &ObjectKey) -> Orphan {
    if stores.ipam() != Presence::Ready || stores.tinkerbell_machine(machine).is_some() {
        return Orphan::None;
    }
    let key = ObjectKey::new(machine.namespace.clone(), claim_name(&machine.name));
    let Some(claim) = stores.claim(&key) else {
        return Orphan::None;
    };
    if !claim.is_terminating() || !claim.has_finalizer(CLAIM_FINALIZER) || !was_made_for(&claim, machine) {
        return Orphan::None;
    }
    match carrier(stores, &claim) {
        None => Orphan::LetGo(Box::new(release_finalizer(&claim, Stage::ReleaseClaims))),
        Some((hardware, address)) => {
            let message = held(&claim, &hardware, address);
            Orphan::Held {
                claim,
                message,
                interest: Box::new(Interest { address: Some(address), ..Interest::default() }),
            }
        }
    }
}

/// Why a claim whose machine is gone is kept, and what to do.
pub fn held(claim: &IPAddressClaim, hardware: &ObjectKey, address: IpAddr) -> String {
    format!(
        "IPAddressClaim {} is being deleted and its TinkerbellMachine is gone, but Hardware {hardware} still carries its \
         address {address}: switch that server off, then take dhcp.ip, the owner labels and our finalizer off the Hardware",
        claim.key()
    )
}

fn was_made_for(claim: &IPAddressClaim, machine: &ObjectKey) -> bool {
    match claim.controller() {
        Some(owner) => {
            owner.kind == "TinkerbellMachine"
                && group_of(&owner.api_version) == INFRASTRUCTURE_GROUP
                && owner.name == machine.name
        }
        None => {
            claim.label(MACHINE_NAME_LABEL) == Some(machine.name.as_str())
                && claim.label(MACHINE_NAMESPACE_LABEL) == Some(machine.namespace.as_str())
        }
    }
}

/// A Hardware that carries the claim's address. Some providers take the IPAddress away before us: then the Hardware
/// that the claim was made for tells, by its record.
pub fn carrier(stores: &impl Stores, claim: &IPAddressClaim) -> Option<(ObjectKey, IpAddr)> {
    let address = address_of(stores, claim).and_then(|found| capt_ipam_core::canonical(&found.spec.address));
    if let Some(address) = address {
        let users = stores.address_users(address, &ObjectKey::new("", ""));
        let user = users.into_iter().find(|user| user.kind == "Hardware" && user.role == "address");
        return user.map(|user| (user.key, address));
    }
    let name = claim.annotation(HARDWARE_NAME_ANNOTATION)?;
    let namespace = claim.annotation(HARDWARE_NAMESPACE_ANNOTATION)?;
    let hardware = stores.hardware(&ObjectKey::new(namespace, name))?;
    let recorded = hardware
        .reservations()
        .into_iter()
        .find(|entry| entry.claim_uid == claim.uid() && hardware.addresses().any(|address| address == entry.address))?;
    Some((hardware.key(), capt_ipam_core::canonical(&recorded.address)?))
}
