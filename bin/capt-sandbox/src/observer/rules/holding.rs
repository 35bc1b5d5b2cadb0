//! Rule 1: no two machines hold one Hardware.

use serde_json::Value;

use super::super::world::{Machine, World};
use super::super::write::Key;
use super::super::{HardwareWrite, Report, Rule};

/// A Hardware is written: its labels go from one machine to another only by way of being free, and no machine loses its
/// Hardware while it lives.
pub(in super::super) fn check(world: &World, write: &HardwareWrite<'_>, report: &mut Report<'_>) {
    let (Some(before), Some(after)) = (write.before, write.after) else {
        return;
    };
    let Some(holder) = before.owner.as_ref().filter(|_| write.by_manager && before.owner != after.owner) else {
        return;
    };
    if let Some(next) = &after.owner {
        let what = format!("Hardware {} goes from machine {holder} to {next} at one stroke", write.key);
        report.add(Rule::HardwareShared, what);
        return;
    }
    let lives = |machine: &&Machine| !machine.terminating && machine.hardware.as_ref() == Some(write.key);
    if world.machines.get(holder).filter(lives).is_some() {
        let what = format!("Hardware {} is taken from machine {holder}, which is not being deleted", write.key);
        report.add(Rule::HardwareShared, what);
    }
}

/// A machine is written: the Hardware that it names carries its labels when it first names it.
pub(in super::super) fn machine_written(
    world: &World,
    key: &Key,
    old: Option<&Value>,
    new: &Value,
    report: &mut Report<'_>,
) {
    let machine = Machine::read(new);
    let Some(hardware) =
        machine.hardware.filter(|now| old.and_then(|old| Machine::read(old).hardware).as_ref() != Some(now))
    else {
        return;
    };
    let holder = world.hardware.get(&hardware).and_then(|hardware| hardware.owner.as_ref());
    if holder != Some(key) {
        let holder = holder.map_or("nobody".to_owned(), ToString::to_string);
        report.add(Rule::HardwareShared, format!("machine {key} takes Hardware {hardware}, which {holder} holds"));
    }
}
