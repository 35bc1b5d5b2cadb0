//! Rule 1: no two machines hold one Hardware, whatever became of its labels. Rule 9: a released server stays off.

use serde_json::Value;

use super::super::world::{Machine, World};
use super::super::write::Key;
use super::super::{HardwareWrite, Report, Rule};

/// A Hardware is written: its labels go from one machine to another only by way of being free, and no machine loses its
/// Hardware while it lives.
pub(in super::super) fn check(world: &World, write: &HardwareWrite<'_>, report: &mut Report<'_>) {
    taken_from_others(world, write, report);
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

/// A Hardware gets a new owner: nobody else may hold it, with labels or without.
fn taken_from_others(world: &World, write: &HardwareWrite<'_>, report: &mut Report<'_>) {
    let Some(after) = write.after.filter(|_| write.by_manager) else {
        return;
    };
    let before = write.before.and_then(|before| before.owner.as_ref());
    // From one machine to another at one stroke is told already.
    let Some(next) = after.owner.as_ref().filter(|_| before.is_none()) else {
        return;
    };
    let uid = world.machines.get(next).map(|machine| &*machine.uid);
    let is_other = |machine: &Machine| Some(&*machine.uid) != uid;
    let keeps = |machine: &Machine| !machine.terminating || world.is_on(after);
    let holder = world.holder(write.key).filter(|(_, holder)| is_other(holder) && keeps(holder));
    let named = || world.named(write.key).find(|(_, other)| is_other(other) && !other.terminating);
    if let Some((other, _)) = holder.or_else(named) {
        let what = format!("Hardware {} is given to machine {next}, and machine {other} has it", write.key);
        report.add(Rule::HardwareShared, what);
    }
}

/// The server of a BMC Machine was switched on: somebody must hold its Hardware.
pub(in super::super) fn switched_on(world: &World, bmc: &Key, report: &mut Report<'_>) {
    if world.is_let_go(bmc) {
        return;
    }
    let mut all = world.of_bmc(bmc);
    let is_free = |key: &&Key| {
        world.holder(key).is_none() && world.hardware.get(*key).is_some_and(|hardware| hardware.owner.is_none())
    };
    if let Some(hardware) = all.next().filter(is_free)
        && all.all(|key| is_free(&key))
    {
        let what = format!("the server of Hardware {hardware} is switched on, and no machine has it");
        report.add(Rule::OnAfterRelease, what);
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
