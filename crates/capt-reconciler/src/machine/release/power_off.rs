//! Power off: a Job made for this very machine switches the server off and says so. Until then its address stays its.

use std::time::Duration;

use capt_api::bmc::{Job, JobOutcome};
use capt_api::conditions::reasons;
use capt_api::contract::{FAILED_ATTEMPTS_ANNOTATION, power_off_job_name};
use capt_api::meta::{Meta, ObjectKey};
use capt_api::tinkerbell::{BmcReference, Hardware};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::belonging::{self, Belonging, belonging};
use crate::machine::step::{Concern, Step, Wait};
use crate::machine::world::World;
use crate::outcome::Interest;
use crate::ports::Presence;

/// First pause after a failed Job; doubled with every further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause between two Jobs.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How long after it was made a Job that failed is replaced, by the number of failures so far (1 or more).
pub fn retry_after(failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
}

/// The next step of this stage, or nothing when the server is off (or nobody can tell).
pub(super) fn step(world: &World, now: Timestamp) -> Option<Step> {
    let hardware = world.to_release.first()?;
    let bmc = hardware.spec.bmc_ref.as_ref()?;
    match world.bmc {
        Presence::Absent => return None,
        Presence::Syncing => {
            let message = "reading the BMC Jobs that exist";
            let interest = Interest { bmc_kinds: true, ..Interest::default() };
            return Some(
                Wait::expected(Concern::Deleting, reasons::WAITING_FOR_POWER_OFF, message).woken_by(interest).into(),
            );
        }
        Presence::Ready => {}
    }
    if let Some(look) = world.look_first(Kind::Job, &power_off_job_name(world.machine.name())) {
        return Some(look);
    }
    let Some(job) = &world.job else {
        return Some(create(world, hardware, bmc).into());
    };
    let wait =
        |message: String| Some(Wait::expected(Concern::Deleting, reasons::WAITING_FOR_POWER_OFF, message).into());
    if job.is_terminating() {
        return wait(format!("Job {} of an earlier attempt is being deleted", job.key()));
    }
    if !is_proof(world, hardware, bmc, job) {
        // Somebody else's Job proves nothing about this server.
        if !world.may_delete_jobs {
            let message = format!(
                "bmc job {} was not made for this machine, is in its way, and we may not delete Jobs: not retriable \
                 until a person deletes it",
                job.key()
            );
            return Some(undeletable(message));
        }
        return Some(delete(job).into());
    }
    match job.outcome() {
        JobOutcome::Completed => None,
        JobOutcome::Pending => {
            wait(format!("Job {} switches off Hardware {} through BMC {}", job.key(), hardware.key(), bmc.name))
        }
        JobOutcome::Failed(words) => Some(retry(world, hardware, bmc, job, &words, now)),
    }
}

/// A Job counts if it was made for this very machine and for the BMC of this Hardware (defect D6).
fn is_proof(world: &World, hardware: &Hardware, bmc: &BmcReference, job: &Job) -> bool {
    belonging(job, &world.machine) == Belonging::Ours
        && job.spec.machine_ref.name == bmc.name
        && job.spec.machine_ref.namespace == hardware.namespace()
}

/// How many Jobs have failed, this one included.
pub(crate) fn failures(job: &Job) -> u32 {
    job.annotation(FAILED_ATTEMPTS_ANNOTATION).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0).saturating_add(1)
}

fn retry(world: &World, hardware: &Hardware, bmc: &BmcReference, job: &Job, words: &str, now: Timestamp) -> Step {
    let failures = failures(job);
    let age = job
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(LONGEST_PAUSE, |made| now.duration_since(made.0).unsigned_abs());
    let pause = retry_after(failures);
    if !world.may_delete_jobs {
        let message = format!(
            "bmc job {} failed: Hardware {} could not be switched off through BMC {}; not retriable until a person \
             deletes the Job, for we may not delete Jobs: {words}",
            job.key(),
            hardware.key(),
            bmc.name
        );
        return undeletable(message);
    }
    if age >= pause {
        return delete(job).into();
    }
    let message = format!(
        "bmc job {} failed: Hardware {} could not be switched off through BMC {} ({failures} so far, tried again): {words}",
        job.key(),
        hardware.key(),
        bmc.name
    );
    Wait::problem(Concern::Deleting, reasons::POWER_OFF_FAILED, message).again_after(pause.saturating_sub(age)).into()
}

/// A Job that only a person can remove. Its deletion wakes us; the pause is for the day when we get the right to do it.
fn undeletable(message: String) -> Step {
    Wait::problem(Concern::Deleting, reasons::POWER_OFF_FAILED, message).again_after(LONGEST_PAUSE).into()
}

fn delete(job: &Job) -> Write {
    Write::new(Stage::PowerOff, Kind::Job, job.key(), Verb::Delete { uid: job.uid().to_owned() })
}

fn create(world: &World, hardware: &Hardware, bmc: &BmcReference) -> Write {
    let key = ObjectKey::new(hardware.namespace(), power_off_job_name(world.machine.name()));
    let mut metadata = belonging::metadata(world, &key);
    if let (Some(failed), Some(Value::Object(annotations))) =
        (world.pass.failed_power_offs, metadata.get_mut("annotations"))
    {
        annotations.insert(FAILED_ATTEMPTS_ANNOTATION.to_owned(), json!(failed.to_string()));
    }
    let body = json!({
        "metadata": metadata,
        "spec": {
            "machineRef": {"name": bmc.name, "namespace": hardware.namespace()},
            "tasks": [{"powerAction": "off"}],
        },
    });
    Write::new(Stage::PowerOff, Kind::Job, key, Verb::Create(body))
}

/// Once the Hardware is released its Job goes too: it would lie to a later machine of the same name.
pub(super) fn clean_up(world: &World) -> Option<Step> {
    if !world.may_delete_jobs || world.bmc == Presence::Absent {
        return None;
    }
    if let Some(look) = world.look_first(Kind::Job, &power_off_job_name(world.machine.name())) {
        return Some(look);
    }
    let job = world.job.as_ref().filter(|job| !job.is_terminating())?;
    match belonging(&**job, &world.machine) {
        Belonging::Ours | Belonging::Stale => Some(delete(job).into()),
        Belonging::OfThisName | Belonging::Foreign => None,
    }
}
