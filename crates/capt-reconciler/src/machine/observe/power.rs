//! The server's power, and what may change it.

use std::collections::BTreeSet;

use crate::effect::Kind;
use crate::machine::names;
use crate::machine::release::boot_jobs;
use crate::machine::world::{BootFacts, PowerFacts};
use crate::observed::infra::TinkerbellMachine;
use crate::observed::tinkerbell::Hardware;
use crate::ports::Stores;
use capt_api::meta::{Meta, ObjectKey};

use super::Subject;

pub(super) fn facts<S: Stores>(subject: &Subject<'_, S>, boot: &BootFacts) -> PowerFacts {
    let stores = subject.stores;
    let bmcs: BTreeSet<ObjectKey> = subject.to_release.iter().filter_map(|hardware| hardware.bmc()).collect();
    PowerFacts {
        presence: stores.bmc(),
        jobs: stores.jobs_of(&subject.machine.key()),
        bmc_jobs: bmcs.iter().flat_map(|bmc| stores.jobs_of_bmc(bmc)).collect(),
        may_delete_jobs: stores.may_delete_jobs(),
        unconfirmed: to_confirm(subject, boot),
    }
}

/// The Jobs that Tinkerbell makes to boot a Workflow of this machine on this Hardware.
pub(super) fn boot_jobs_on(machine: &TinkerbellMachine, hardware: &Hardware) -> Vec<ObjectKey> {
    let jobs = names::both(machine).into_iter().flat_map(|workflow| names::boot_jobs(machine, &workflow));
    jobs.map(|job| ObjectKey::new(hardware.namespace(), job)).collect()
}

/// What the server itself is asked for before a server is given up that may yet be switched on: the Workflow under both
/// of its names, and the Jobs that Tinkerbell makes of it. The answer to a creation may have been lost, and no watch is
/// sure to have told of what it made.
fn to_confirm<S>(subject: &Subject<'_, S>, boot: &BootFacts) -> Vec<(Kind, ObjectKey)> {
    let machine = subject.machine;
    let Some(hardware) = subject.to_release.first().filter(|_| machine.is_terminating()) else {
        return Vec::new();
    };
    if hardware.bmc().is_none() || !boot_jobs::may_stir(machine, &boot.workflows, subject.is_provisioned()) {
        return Vec::new();
    }
    let workflows =
        names::both(machine).into_iter().map(|name| (Kind::Workflow, ObjectKey::new(hardware.namespace(), name)));
    let jobs = boot_jobs_on(machine, hardware).into_iter().map(|job| (Kind::Job, job));
    let mut all: Vec<_> = workflows.chain(jobs).collect();
    all.retain(|asked| !subject.pass.looked_at.contains(asked));
    all
}
