//! Rule 3: what a person wrote stays.

use super::super::world::World;
use super::super::{HardwareWrite, Report, Rule};

/// A Hardware is written: only what the manager wrote itself may it change.
pub(in super::super) fn check(world: &World, write: &HardwareWrite<'_>, report: &mut Report<'_>) {
    let (Some(before), Some(after), true) = (write.before, write.after, write.by_manager) else {
        return;
    };
    let written = world.written.get(write.key);
    for (mac, ip) in &before.ips {
        let is_ours = written.and_then(|written| written.get(mac)).is_some_and(|written| written.ip == *ip);
        if !is_ours && after.ips.get(mac) != Some(ip) {
            let what = format!("{ip} on {mac} of Hardware {} was written by somebody else", write.key);
            report.add(Rule::ManualAddress, what);
        }
    }
}
