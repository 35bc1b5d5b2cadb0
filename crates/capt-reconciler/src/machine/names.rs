//! What the machine's Template and Workflow are called: as the machine, as users and Go CAPT know it, wherever neither a
//! namesake nor the length of what Tinkerbell puts before it forbids that.

use crate::observed::infra::{BootMode, TinkerbellMachine};
use capt_api::contract::{MAX_LABEL_VALUE, short_name};
use capt_api::meta::Meta;

/// The name that is used where the machine's own cannot be.
pub fn short(machine: &TinkerbellMachine) -> String {
    short_name(machine.name(), machine.uid(), longest(machine))
}

/// Both names under which the machine's Workflow and Template may stand.
pub fn both(machine: &TinkerbellMachine) -> [String; 2] {
    [machine.name().to_owned(), short(machine)]
}

/// Names of the Jobs that tink-controller makes to boot a Workflow of this name.
pub fn boot_jobs(machine: &TinkerbellMachine, workflow: &str) -> Vec<String> {
    let mode = machine.spec.boot_options.as_ref().and_then(|options| options.boot_mode);
    let before: &[&str] = match mode {
        None | Some(BootMode::Unknown) => &[],
        Some(BootMode::Netboot) => &["netboot-"],
        Some(BootMode::Iso | BootMode::Isoboot) => &["iso-mount-", "iso-eject-"],
        Some(BootMode::Customboot) => &["customboot-preparing-", "customboot-post-"],
    };
    before.iter().map(|before| format!("{before}{workflow}")).collect()
}

/// How long a Workflow's name may be. tink-controller's boot Jobs put `netboot-`, `iso-mount-` or `customboot-preparing-`
/// before it, and rufio puts a Job's name into a label.
pub fn longest(machine: &TinkerbellMachine) -> usize {
    let mode = machine.spec.boot_options.as_ref().and_then(|options| options.boot_mode);
    let before = match mode {
        None | Some(BootMode::Unknown) => "",
        Some(BootMode::Netboot) => "netboot-",
        Some(BootMode::Iso | BootMode::Isoboot) => "iso-mount-",
        Some(BootMode::Customboot) => "customboot-preparing-",
    };
    MAX_LABEL_VALUE - before.len()
}
