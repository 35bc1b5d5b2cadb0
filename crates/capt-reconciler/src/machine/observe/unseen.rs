//! Objects of the machine that no watch tells of, where Tinkerbell is in another cluster.

use std::collections::BTreeSet;

use crate::effect::Kind;
use crate::machine::names;
use crate::machine::world::{BootFacts, PowerFacts, recorded_namespace};
use crate::ports::Stores;
use capt_api::contract::legacy_power_off_job_name;
use capt_api::meta::{Meta, ObjectKey};

use super::Subject;
use super::power::boot_jobs_on;

/// Those that were not looked at in this pass.
pub(super) fn all<S: Stores>(subject: &Subject<'_, S>, boot: &BootFacts, power: &PowerFacts) -> Vec<(Kind, ObjectKey)> {
    let Subject { stores, machine, pass, .. } = subject;
    // A machine that never had Hardware has nothing anywhere.
    if subject.hardware.is_none() && recorded_namespace(machine).is_none() {
        return Vec::new();
    }
    let (own, short) = (subject.in_target(machine.name()), subject.in_target(names::short(machine)));
    let by_name = [
        (Kind::Workflow, own.clone()),
        (Kind::Workflow, short.clone()),
        (Kind::Template, own),
        (Kind::Template, short),
        (Kind::Job, subject.in_target(legacy_power_off_job_name(machine.name()))),
    ];
    let named = boot.named_template.as_ref().map(|(key, _)| (Kind::Template, key.clone()));
    let all = by_name.into_iter().chain(jobs(subject, power)).chain(named);
    all.filter(|(kind, key)| !stores.covers(*kind, &key.namespace))
        .filter(|(kind, key)| !pass.looked_at.iter().any(|seen| seen.0 == *kind && seen.1 == *key))
        .collect()
}

/// Jobs that are known by name: those that are there, those that were asked for, and those that Tinkerbell makes for the
/// machine's Workflow.
fn jobs<S>(subject: &Subject<'_, S>, power: &PowerFacts) -> Vec<(Kind, ObjectKey)> {
    let machine = subject.machine;
    if !machine.is_terminating() {
        return Vec::new();
    }
    let known = power.jobs.iter().chain(&power.bmc_jobs).map(|job| job.key());
    let memory = &subject.pass.memory;
    let asked = memory.unconfirmed_jobs.iter().map(|(of, name)| ObjectKey::new(of.namespace.clone(), name));
    let boot = subject.to_release.iter().flat_map(|hardware| boot_jobs_on(machine, hardware));
    let all: BTreeSet<ObjectKey> = known.chain(asked).chain(boot).collect();
    all.into_iter().map(|key| (Kind::Job, key)).collect()
}
