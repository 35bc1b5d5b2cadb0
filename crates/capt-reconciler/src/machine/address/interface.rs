//! The interface of a Hardware that the address is for, and what stands on it.

use crate::machine::step::Wait;
use crate::machine::world::World;
use crate::observed::tinkerbell::{Hardware, Interface, ReservationRecord};
use capt_api::conditions::Reason;
use capt_api::contract::MAC_ADDRESS_ANNOTATION;
use capt_api::meta::Meta;

use super::claimant::{Claimant, claimant};
use super::problem;

/// Whether the interface carries the recorded address whole.
pub(super) fn carries(interface: &Interface, record: &ReservationRecord) -> bool {
    let ip = interface.dhcp.as_ref().and_then(|dhcp| dhcp.ip.as_ref());
    ip.is_some_and(|ip| ip.address == record.address && ip.netmask == record.netmask && ip.gateway == record.gateway)
}

/// Whether we (for this machine or another) once wrote this address to the Hardware.
pub fn is_recorded(hardware: &Hardware, address: &str) -> bool {
    hardware.reservations().iter().any(|entry| entry.address == address)
}

/// The address that stands on an interface.
pub fn current_address(interface: Option<&Interface>) -> Option<&str> {
    let ip = interface?.dhcp.as_ref()?.ip.as_ref()?;
    Some(ip.address.as_str()).filter(|address| !address.is_empty())
}

/// The interface that the address is for: by the MAC that the claim or the record remembers, whatever its index; the
/// first one while nothing is remembered.
pub fn interface_of(world: &World, hardware: &Hardware) -> Option<usize> {
    let remembered = remembered_mac(world, hardware);
    match remembered {
        Some(mac) => hardware.interface_with_mac(&mac),
        None => hardware.spec.interfaces.first().and_then(|first| first.dhcp.as_ref()).map(|_| 0),
    }
}

fn remembered_mac(world: &World, hardware: &Hardware) -> Option<String> {
    let of_claim = world
        .address
        .claim
        .as_ref()
        .filter(|claim| claimant(claim, &world.machine) != Claimant::Foreign)
        .and_then(|claim| claim.annotation(MAC_ADDRESS_ANNOTATION).map(str::to_owned));
    of_claim
        .or_else(|| {
            hardware
                .reservations()
                .into_iter()
                .find(|entry| entry.machine_uid == world.machine.uid())
                .map(|entry| entry.mac)
        })
        .filter(|mac| !mac.is_empty())
}

pub(super) fn no_interface(world: &World, hardware: &Hardware) -> Wait {
    let which = remembered_mac(world, hardware).map_or_else(
        || "no first interface with spec.interfaces[0].dhcp".to_owned(),
        |mac| format!("no interface with MAC {mac}"),
    );
    problem(Reason::InterfaceNotFound, format!("Hardware {} has {which}", hardware.key()))
}
