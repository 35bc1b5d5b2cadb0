//! Rule 1: no address is free in its pool while a powered-on server carries it, and no two Hardware carry one address
//! that the manager wrote.

use std::net::IpAddr;

use super::super::world::{World, address_of};
use super::super::write::Key;
use super::super::{HardwareWrite, Report, Rule};

/// A Hardware is written.
pub(in super::super) fn check(world: &World, write: &HardwareWrite<'_>, report: &mut Report<'_>) {
    if !write.by_manager {
        return;
    }
    let is_on = write.before.is_some_and(|before| world.is_on(before));
    for (mac, ip) in write.after.iter().flat_map(|after| &after.ips) {
        if write.before.and_then(|before| before.ips.get(mac)) == Some(ip) {
            continue;
        }
        let Some(address) = address_of(ip) else {
            continue;
        };
        for other in world.carriers(address).filter(|other| *other != write.key) {
            let what = format!("{address} is written to Hardware {} while Hardware {other} carries it", write.key);
            report.add(Rule::AddressTwice, what);
        }
        if is_on && world.leases(address).next().is_none() {
            let what =
                format!("{address} is written to Hardware {}, whose server runs, and no IPAddress holds it", write.key);
            report.add(Rule::AddressFreeInUse, what);
        }
    }
    let let_go = world.is_given_up(write.key);
    // The server goes on using an address that is taken off its Hardware.
    for written in world.standing(write.key).filter(|_| is_on && !let_go) {
        let stays = write.after.is_some_and(|after| after.addresses().any(|address| address == written.address));
        if !stays {
            let what = format!("{} is taken off Hardware {} while its server runs", written.address, write.key);
            report.add(Rule::AddressFreeInUse, what);
        }
    }
}

/// An IPAddress that held this address was changed or is gone.
pub(in super::super) fn address_changed(world: &World, address: IpAddr, report: &mut Report<'_>) {
    for key in world.carriers(address) {
        if world.hardware.get(key).is_some_and(|hardware| world.is_on(hardware)) {
            free_in_use(world, key, report);
        }
    }
    // The Hardware may have been replaced or wiped: the server does not know.
    let is_free = world.leases(address).next().is_none() && world.carriers(address).next().is_none();
    let is_given_up = |bmc: &&Key| world.of_bmc(bmc).any(|hardware| world.is_given_up(hardware));
    for bmc in world.users(address).filter(|bmc| is_free && !is_given_up(bmc)) {
        let what = format!("no IPAddress holds {address}, with which the server of BMC Machine {bmc} runs");
        report.add(Rule::AddressFreeInUse, what);
    }
}

/// The server of a BMC Machine was switched on.
pub(in super::super) fn switched_on(world: &World, bmc: &Key, report: &mut Report<'_>) {
    for key in world.of_bmc(bmc) {
        free_in_use(world, key, report);
    }
}

fn free_in_use(world: &World, hardware: &Key, report: &mut Report<'_>) {
    if world.is_given_up(hardware) {
        return;
    }
    for written in world.standing(hardware).filter(|written| !world.is_leased(written)) {
        let what = format!("no IPAddress holds {}, which Hardware {hardware} carries while it runs", written.address);
        report.add(Rule::AddressFreeInUse, what);
    }
}
