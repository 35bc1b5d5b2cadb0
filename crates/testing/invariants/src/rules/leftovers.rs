//! Released Hardware carries nothing of its machine.

use super::super::world::World;
use super::super::{HardwareWrite, Report, Rule};

/// A Hardware is written by the manager so that it is nobody's any more.
pub(in super::super) fn check(world: &World, write: &HardwareWrite<'_>, report: &mut Report<'_>) {
    let (Some(before), Some(after), true) = (write.before, write.after, write.by_manager) else {
        return;
    };
    let was_held = before.owner.is_some() || before.has_finalizer;
    if !was_held || after.owner.is_some() || after.has_finalizer {
        return;
    }
    let let_go = world.is_given_up(write.key);
    let mut left = Vec::new();
    for written in world.standing(write.key) {
        if after.addresses().any(|address| address == written.address) {
            left.push(format!("address {}", written.address));
        }
    }
    for (is_left, name) in
        [(after.has_user_data, "userData"), (after.has_record, "the record"), (after.provisioned, "provisioned")]
    {
        if is_left {
            left.push(name.to_owned());
        }
    }
    if world.is_on(before) && !let_go {
        left.push("power on".to_owned());
    }
    if !left.is_empty() {
        report.add(Rule::Leftovers, format!("Hardware {} is released with {}", write.key, left.join(", ")));
    }
}
