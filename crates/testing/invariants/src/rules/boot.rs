//! Nothing boots before its address is on the Hardware: Template and Workflow come last. Rule 8: nothing that was ready
//! is installed again.

use serde_json::Value;

use super::super::world::World;
use super::super::write::{Write, controller_uid, meta};
use super::super::{Report, Rule};

const MACHINE_UID: &str = "capt.tinkerbell.org/machine-uid";

/// A Template or Workflow is created by the manager.
pub(in super::super) fn check(world: &World, write: &Write<'_>, new: &Value, report: &mut Report<'_>) {
    let marked = meta(new, "annotations", MACHINE_UID).unwrap_or_else(|| controller_uid(new));
    let Some(key) = world.machine_of_uid.get(marked) else {
        let what = format!("{} {} is made for no machine that lives", write.resource, write.key());
        report.add(Rule::BootWithoutAddress, what);
        return;
    };
    let machine = world.machines.get(key);
    let again = machine.is_some_and(|machine| world.was_ready(&machine.uid) && !machine.reinstall);
    if again && write.resource == "workflows" {
        let what = format!("Workflow {} is made for machine {key}, which was ready", write.key());
        report.add(Rule::InstalledAgain, what);
    }
    let Some(machine) = machine.filter(|machine| machine.has_pool) else {
        return;
    };
    let hardware = machine.hardware.as_ref().and_then(|hardware| world.hardware.get(hardware));
    if hardware.is_none_or(|hardware| hardware.addresses().next().is_none()) {
        let what = format!("{} of machine {key} is made, which has a pool and no address", write.resource);
        report.add(Rule::BootWithoutAddress, what);
    }
}
