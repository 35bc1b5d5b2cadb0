//! Rule 2: matching is by UID, and nothing that is being deleted is adopted.

use super::super::world::{World, address_of};
use super::super::{HardwareWrite, Report, Rule};

/// A Hardware is written.
pub(in super::super) fn check(world: &World, write: &HardwareWrite<'_>, report: &mut Report<'_>) {
    let (Some(after), true) = (write.after, write.by_manager) else {
        return;
    };
    let before = write.before;
    let is_new_owner = after.owner.is_some() && before.and_then(|before| before.owner.as_ref()).is_none();
    if is_new_owner && after.terminating {
        report.add(Rule::WrongObject, format!("Hardware {} is reserved while it is being deleted", write.key));
    }
    let machine = after.owner.as_ref().and_then(|owner| world.machines.get(owner));
    for (mac, ip) in &after.ips {
        if before.and_then(|before| before.ips.get(mac)) == Some(ip) {
            continue;
        }
        let Some(address) = address_of(ip) else {
            continue;
        };
        let mut wrong = Vec::new();
        let mut good = false;
        for (key, lease) in world.leases(address) {
            let claim = world.claims.get(&lease.claim);
            match (claim, machine) {
                // A write may be under way when somebody deletes the namespace.
                _ if world.is_ending(&key.namespace) => good = true,
                _ if lease.terminating => wrong.push(format!("IPAddress {key} is being deleted")),
                (None, _) => wrong.push(format!("claim {} of IPAddress {key} does not exist", lease.claim)),
                (Some(claim), _) if claim.terminating => {
                    wrong.push(format!("claim {} is being deleted", lease.claim));
                }
                (Some(claim), Some(machine)) if claim.owner == machine.uid => good = true,
                _ => wrong.push(format!("claim {} belongs to another machine", lease.claim)),
            }
        }
        if !good {
            let why = if wrong.is_empty() { "no IPAddress holds it".to_owned() } else { wrong.join(", ") };
            report.add(Rule::WrongObject, format!("{address} is written to Hardware {}, but {why}", write.key));
        }
    }
}
