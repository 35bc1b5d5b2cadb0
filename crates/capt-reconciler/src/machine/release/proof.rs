//! Proof: what shows that a server is off.

use std::sync::Arc;

use crate::observed::bmc::{Job, JobOutcome};
use crate::observed::tinkerbell::Hardware;
use capt_api::contract::{FAILED_ATTEMPTS_ANNOTATION, OTHER_JOBS_SEEN_ANNOTATION, legacy_power_off_job_name};
use capt_api::meta::Meta;

use super::boot_jobs;
use crate::machine::made_for::{MadeFor, made_for};
use crate::machine::world::World;
use crate::ports::BmcView;

/// The power-off Jobs of this machine for this Hardware's BMC, under whatever name.
pub(super) fn of_machine<'a>(world: &'a World, hardware: &'a Hardware) -> impl Iterator<Item = &'a Arc<Job>> {
    world.power.jobs.iter().filter(|job| {
        made_for(&***job, &world.machine) == MadeFor::Ours && boot_jobs::is_for(job, hardware) && !job.may_switch_on()
    })
}

/// The last of those that failed.
pub(crate) fn last_failure<'a>(world: &'a World, hardware: &'a Hardware) -> Option<&'a Arc<Job>> {
    let failed = of_machine(world, hardware).filter(|job| matches!(job.outcome(), JobOutcome::Failed(_)));
    failed.max_by_key(|job| failures(job))
}

/// Whether the Job proves that the server is off: it is Completed, was made for this machine and this BMC under a name that
/// no earlier Job had, and no Job that may have switched the server on did anything since.
pub(super) fn is_proof(world: &World, hardware: &Hardware, job: &Job) -> bool {
    let seen = job.annotation(OTHER_JOBS_SEEN_ANNOTATION).and_then(|seen| seen.parse::<u64>().ok()).unwrap_or(0);
    let is_fresh = job.name() != legacy_power_off_job_name(world.machine.name());
    job.outcome() == JobOutcome::Completed
        && is_fresh
        && boot_jobs::of_bmc(world, hardware).all(|other| version(other) <= seen)
}

/// Whether a Job of this machine proves that the server is off.
pub(super) fn is_proven(world: &World, hardware: &Hardware) -> bool {
    of_machine(world, hardware).any(|job| is_proof(world, hardware, job))
}

pub(super) fn version(job: &Job) -> u64 {
    job.resource_version().parse().unwrap_or(u64::MAX)
}

/// How many Jobs have failed, this one included.
pub(super) fn failures(job: &Job) -> u32 {
    job.annotation(FAILED_ATTEMPTS_ANNOTATION).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0).saturating_add(1)
}

/// Whether the power state was read anew because of this Job.
pub(super) fn was_asked(world: &World, hardware: &Hardware, job: &Job) -> bool {
    world.pass.memory.asked.get(&hardware.key()).is_some_and(|name| name == job.name())
}

/// Whether the server is off by what was read of its power after this Job had begun; an older reading proves nothing.
pub(super) fn is_off(world: &World, hardware: &Hardware, job: &Job) -> bool {
    let Some(BmcView::Found(state)) = &world.pass.bmc else { return false };
    let made = job.metadata.creation_timestamp.as_ref().map(|made| made.0);
    let contact_is_new = made.zip(state.contactable_since).is_some_and(|(made, since)| since > made);
    state.power_state == "off" && (was_asked(world, hardware, job) || contact_is_new)
}

/// Whether what the BMC said proves that this server is off.
pub(super) fn proves_off(world: &World, hardware: &Hardware) -> bool {
    let mut failed = world.power.jobs.iter().filter(|job| matches!(job.outcome(), JobOutcome::Failed(_)));
    let quiet = boot_jobs::pending(world, hardware).next().is_none();
    quiet && failed.any(|job| boot_jobs::is_for(job, hardware) && is_off(world, hardware, job))
}
