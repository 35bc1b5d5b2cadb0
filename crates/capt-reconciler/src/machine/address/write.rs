//! The write: the reserved address goes to the Hardware, whole and with its record, in one guarded patch; and leaves it
//! the same way.

use std::sync::Arc;

use crate::notice::Notice;
use crate::observed::tinkerbell::{Hardware, Interface, Ip, ReservationRecord};
use capt_api::conditions::Reason;
use capt_api::contract::{GATEWAY_ANNOTATION, RESERVATION_ANNOTATION};
use capt_api::meta::Meta;
use serde_json::{Value, json};

use super::allocation::Placement;
use super::interface::current_address;
use crate::effect::{Hold, Kind, Stage, Verb, Write};
use crate::patch;

/// The write that puts the address on the Hardware.
pub(super) fn write(hardware: &Arc<Hardware>, placement: &Placement) -> Write {
    let Placement { interface, reservation, record, restores } = placement;
    let mac = hardware.spec.interfaces.get(*interface).map_or("", Interface::mac);
    let ip = Ip {
        address: record.address.clone(),
        netmask: record.netmask.clone(),
        gateway: record.gateway.clone(),
        family: Some(reservation.family().number()),
    };
    let others = hardware.reservations().into_iter().filter(|entry| entry.mac != record.mac);
    let records: Vec<ReservationRecord> = others.chain([record.clone()]).collect();

    let mut operations = vec![
        patch::same_version(&**hardware),
        json!({"op": "test", "path": format!("/spec/interfaces/{interface}/dhcp/mac"), "value": mac}),
        json!({"op": "add", "path": format!("/spec/interfaces/{interface}/dhcp/ip"), "value": ip}),
    ];
    operations.push(add_annotation(hardware, &json!(records).to_string()));

    let write = Write::new(Stage::Address, Kind::Hardware, hardware.key(), Verb::Json(Value::Array(operations)))
        .holding(Hold::Address(reservation.address()));
    let (address, key) = (&record.address, hardware.key());
    if *restores {
        let message = format!(
            "restored address {address} on Hardware {key}, removed while IPAddressClaim {}/{} was still bound",
            record.claim_namespace, record.claim_name
        );
        return write.telling(Notice::warning(Reason::AddressRestored, message));
    }
    if reservation.gateway().is_none() {
        let message = format!(
            "wrote address {address} to Hardware {key} without a gateway: the IPAM provider names none, and the machine has no annotation {GATEWAY_ANNOTATION}"
        );
        return write.telling(Notice::warning(Reason::GatewayUnknown, message));
    }
    if reservation.gateway_outside_prefix() {
        let message = format!(
            "wrote address {address}/{} to Hardware {key}, whose gateway {} lies outside that network",
            reservation.prefix(),
            record.gateway
        );
        return write.telling(Notice::warning(Reason::AddressWritten, message));
    }
    write.telling(Notice::normal(Reason::AddressWritten, format!("wrote address {address} to Hardware {key}")))
}

fn add_annotation(hardware: &Hardware, text: &str) -> Value {
    if hardware.metadata.annotations.is_some() {
        json!({"op": "add", "path": format!("/metadata/annotations/{}", patch::escape(RESERVATION_ANNOTATION)), "value": text})
    } else {
        json!({"op": "add", "path": "/metadata/annotations", "value": {RESERVATION_ANNOTATION: text}})
    }
}

/// Operations that take every address we wrote off the Hardware, and the record with them. An address that a person
/// wrote stays. `allocated` are addresses that this machine's claims hold: ours too, even if the record was lost.
pub fn clearing(hardware: &Hardware, allocated: &[String]) -> Vec<Value> {
    let records = hardware.reservations();
    let mut operations = Vec::new();
    for (index, interface) in hardware.spec.interfaces.iter().enumerate() {
        let Some(address) = current_address(Some(interface)) else {
            continue;
        };
        let Some(dhcp) = &interface.dhcp else { continue };
        let recorded =
            records.iter().any(|entry| entry.address == address && entry.mac.eq_ignore_ascii_case(&dhcp.mac));
        if recorded || allocated.iter().any(|allocated| allocated == address) {
            operations.push(
                json!({"op": "test", "path": format!("/spec/interfaces/{index}/dhcp/ip/address"), "value": address}),
            );
            operations.push(json!({"op": "remove", "path": format!("/spec/interfaces/{index}/dhcp/ip")}));
        }
    }
    if hardware.annotation(RESERVATION_ANNOTATION).is_some() {
        operations.push(
            json!({"op": "remove", "path": format!("/metadata/annotations/{}", patch::escape(RESERVATION_ANNOTATION))}),
        );
    }
    operations
}

/// The write that takes our addresses off the Hardware, or nothing if there are none.
pub fn clear(hardware: &Arc<Hardware>) -> Option<Write> {
    let operations = clearing(hardware, &[]);
    if operations.is_empty() {
        return None;
    }
    let all = [patch::same_version(&**hardware)].into_iter().chain(operations).collect();
    Some(Write::new(Stage::Address, Kind::Hardware, hardware.key(), Verb::Json(Value::Array(all))))
}
