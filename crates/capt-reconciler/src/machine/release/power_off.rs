//! Power off: a Job made for this very server and deletion switches it off and says so. Until then its address stays its.
//!
//! Each Job has a name of its own: rufio finds the Tasks of a Job by the Job's name, so that under a name used before a
//! Task that an earlier Job left behind may end the new Job without any call to the BMC (decision 18).

use std::sync::Arc;
use std::time::Duration;

use crate::observed::bmc::{Job, JobOutcome};
use crate::observed::tinkerbell::Hardware;
use capt_api::conditions::Reason;
use capt_api::contract::{FAILED_ATTEMPTS_ANNOTATION, OTHER_JOBS_SEEN_ANNOTATION};
use capt_api::meta::{Meta, ObjectKey};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::proof::{failures, is_off, is_proof, last_failure, of_machine, version};
use super::{bmc, boot_jobs, let_go};
use crate::backoff::Backoff;
use crate::clock;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::made_for::{self, MadeFor, made_for};
use crate::machine::step::{Concern, Step, Wait};
use crate::machine::world::World;
use crate::outcome::Interest;
use crate::ports::Presence;

/// How long after it was made a Job that failed is followed by the next, by the number of failures so far (1 or more).
pub const RETRIES: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));

/// The next step of this stage, or nothing when the server is off, or is let go without proof.
pub(super) fn step(world: &World, now: Timestamp) -> Option<Step> {
    let hardware = world.to_release.first()?;
    let key = hardware.bmc()?;
    if let_go::why(world, hardware).is_some() {
        return None;
    }
    if world.power.presence == Presence::Syncing {
        let message = "reading the BMC Jobs that exist";
        let interest = Interest { bmc_kinds: true, ..Interest::default() };
        return Some(bmc::waiting(message.to_owned()).woken_by(interest).into());
    }
    if let Some(look) = world.look_at_jobs() {
        return Some(look);
    }
    if let Some(step) = boot_jobs::step(world, hardware, now) {
        return Some(step);
    }
    let mine: Vec<&Arc<Job>> = of_machine(world, hardware).collect();
    if let Some(running) = mine.iter().find(|job| !job.is_over()) {
        return bmc::while_it_runs(world, hardware, running, &key, now);
    }
    if mine.iter().any(|job| is_proof(world, hardware, job)) {
        // Stores that were behind may have told of a Workflow only after this Job was made; Tinkerbell may boot for it yet.
        return boot_jobs::quiet(world, hardware, now);
    }
    if let Some(last) = last_failure(world, hardware) {
        return after_failure(world, hardware, last, &key, now);
    }
    next_job(world, hardware, &key, 0, now)
}

/// The next Job: once nothing has stirred for a while, and the server itself knows of nothing that may switch it on.
fn next_job(world: &World, hardware: &Hardware, key: &ObjectKey, failed: u32, now: Timestamp) -> Option<Step> {
    boot_jobs::quiet(world, hardware, now)
        .or_else(|| confirm(world))
        .or_else(|| Some(create(world, hardware, key, failed, now).into()))
}

/// The BMC would not: is the server off all the same? If nobody says so the next Job follows, later and later.
fn after_failure(world: &World, hardware: &Hardware, job: &Job, key: &ObjectKey, now: Timestamp) -> Option<Step> {
    if let Some(step) = supersede(world, hardware, job) {
        return Some(step);
    }
    if let Some(look) = bmc::look(world, hardware, job, key) {
        return Some(look);
    }
    if is_off(world, hardware, job) {
        return boot_jobs::quiet(world, hardware, now);
    }
    let failures = failures(job);
    let (age, pause) = (clock::age(job.metadata.creation_timestamp.as_ref(), now), RETRIES.after(failures));
    if age >= pause {
        // The next Job is made before this one goes, so that the count outlives a crash in between.
        return next_job(world, hardware, key, failures, now);
    }
    let JobOutcome::Failed(words) = job.outcome() else { return None };
    let message = format!(
        "bmc job {} failed: power-off of Hardware {} via BMC {} failed (attempt {failures}, retrying): {words}{}; {}",
        job.key(),
        hardware.key(),
        key.name,
        bmc::last_words(world),
        let_go::how(hardware)
    );
    let reason = bmc::reason(world).unwrap_or(Reason::PowerOffFailed);
    let look_again = (age / 2).max(Duration::from_secs(2));
    let requeue = pause.saturating_sub(age).min(look_again);
    Some(Wait::problem(Concern::Deleting, reason, message).again_after(requeue).into())
}

/// Failed Jobs before the last one are of no more use.
fn supersede(world: &World, hardware: &Hardware, last: &Job) -> Option<Step> {
    let earlier = of_machine(world, hardware).find(|job| job.is_over() && job.uid() != last.uid())?;
    (world.power.may_delete_jobs && !earlier.is_terminating()).then(|| delete(earlier).into())
}

/// Deletes a Job of ours.
pub(super) fn delete(job: &Job) -> Write {
    Write::new(Stage::PowerOff, Kind::Job, job.key(), Verb::Delete { uid: job.uid().to_owned() })
}

fn create(world: &World, hardware: &Hardware, bmc: &ObjectKey, failed: u32, now: Timestamp) -> Write {
    let name = world.pass.memory.power_off_job(&world.machine, &hardware.key(), now);
    let key = ObjectKey::new(hardware.namespace(), name);
    let mut metadata = made_for::metadata(&world.machine, &world.settings, &key);
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        if failed > 0 {
            annotations.insert(FAILED_ATTEMPTS_ANNOTATION.to_owned(), json!(failed.to_string()));
        }
        if let Some(seen) = boot_jobs::of_bmc(world, hardware).map(|job| version(job)).max() {
            annotations.insert(OTHER_JOBS_SEEN_ANNOTATION.to_owned(), json!(seen.to_string()));
        }
    }
    let body = json!({
        "metadata": metadata,
        "spec": {
            "machineRef": {"name": bmc.name, "namespace": bmc.namespace},
            "tasks": [{"powerAction": "off"}],
        },
    });
    Write::new(Stage::PowerOff, Kind::Job, key, Verb::Create(body))
}

/// The question, before the server is switched off and again before it is released, whether the API server itself knows of
/// nothing that may switch it on. What it answers is in the stores from then on, and the stages before this one deal with
/// it.
pub(super) fn confirm(world: &World) -> Option<Step> {
    let hardware = world.to_release.first()?;
    if let_go::why(world, hardware).is_some() {
        return None;
    }
    let (kind, key) = world.power.unconfirmed.first()?;
    Some(Step::Look(*kind, key.clone()))
}

/// Once the Hardware is released its Jobs go too.
pub(super) fn clean_up(world: &World) -> Option<Step> {
    if !world.power.may_delete_jobs || world.power.presence == Presence::Absent {
        return None;
    }
    if let Some(look) = world.look_at_jobs() {
        return Some(look);
    }
    let ours = |job: &&Arc<Job>| {
        !job.is_terminating() && matches!(made_for(&***job, &world.machine), MadeFor::Ours | MadeFor::Stale)
    };
    world.power.jobs.iter().find(ours).map(|job| delete(job).into())
}
