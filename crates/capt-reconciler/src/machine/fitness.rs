//! What Hardware must have before anything is written to it (difference D16).

use crate::observed::infra::TinkerbellMachine;
use crate::observed::tinkerbell::Hardware;
use capt_api::contract::EXTERNAL_ADDRESS_ANNOTATION;
use capt_api::meta::Meta;

/// What this Hardware lacks to carry this machine, in the words that operators know from Go CAPT, or nothing.
pub fn unmet_requirement(hardware: &Hardware, machine: &TinkerbellMachine) -> Option<String> {
    let unmet = if hardware.is_provisioned() { None } else { unmet_for_installation(hardware) };
    unmet.or_else(|| unmet_by_interface(hardware, machine))
}

/// What it lacks that only an installation needs.
pub fn unmet_for_installation(hardware: &Hardware) -> Option<String> {
    let spec = &hardware.spec;
    if spec.disks.is_empty() {
        return Some("disk configuration is required (spec.disks)".to_owned());
    }
    let id = spec.metadata.as_ref().and_then(|metadata| metadata.instance.as_ref()).map(|instance| &instance.id);
    match id {
        None => Some("hardware has no instance metadata (spec.metadata.instance)".to_owned()),
        Some(id) if id.is_empty() => Some("hardware has no instance ID (spec.metadata.instance.id)".to_owned()),
        Some(_) => None,
    }
}

fn unmet_by_interface(hardware: &Hardware, machine: &TinkerbellMachine) -> Option<String> {
    let spec = &hardware.spec;
    let Some(first) = spec.interfaces.first() else {
        return Some("hardware has no interfaces defined (spec.interfaces)".to_owned());
    };
    let Some(dhcp) = &first.dhcp else {
        return Some("hardware's first interface has no DHCP address defined (spec.interfaces[0].dhcp)".to_owned());
    };
    let address = dhcp.ip.as_ref().map_or("", |ip| ip.address.as_str());
    if machine.spec.ipam_pool_ref.is_some() {
        return dhcp
            .mac
            .is_empty()
            .then(|| "hardware's first interface has no MAC address (spec.interfaces[0].dhcp.mac)".to_owned());
    }
    if address.is_empty() && hardware.annotation(EXTERNAL_ADDRESS_ANNOTATION) == Some("true") {
        return None;
    }
    if address.is_empty() {
        return Some(
            "hardware's first interface has no DHCP IP address defined (spec.interfaces[0].dhcp.ip.address)".to_owned(),
        );
    }
    // An address that we wrote for another machine is nobody's manual choice: its claim may be gone by now.
    let leftover = hardware.reservations().into_iter().any(|record| record.address == address);
    leftover.then(|| {
        format!("the address {address} of hardware's first interface is left over from another machine's reservation (spec.interfaces[0].dhcp.ip)")
    })
}
