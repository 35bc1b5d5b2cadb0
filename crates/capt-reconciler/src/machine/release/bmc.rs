//! What the BMC's Machine says, where a Job cannot tell: whether the server is off although the BMC calls "off" an error,
//! and why a Job does not get on.

use std::time::Duration;

use crate::observed::bmc::Job;
use crate::observed::tinkerbell::Hardware;
use capt_api::conditions::Reason;
use capt_api::meta::{Meta, ObjectKey};
use jiff::Timestamp;

use super::let_go;
use super::proof::was_asked;
use crate::clock;
use crate::machine::step::{Concern, Step, Wait};
use crate::machine::world::World;
use crate::ports::{BmcQuestion, BmcView};

/// How long a Job may take before we look why.
const OVERDUE: Duration = Duration::from_secs(15);
/// How long it may take before that is a problem by itself: rufio gives an action up after ten minutes.
const STUCK: Duration = Duration::from_secs(90);
/// Longest pause between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// The look at the BMC's Machine, once a pass. The first after a failed Job has rufio read the power state anew.
pub(super) fn look(world: &World, hardware: &Hardware, job: &Job, key: &ObjectKey) -> Option<Step> {
    let anew = job.is_over() && !was_asked(world, hardware, job);
    world.pass.bmc.is_none().then(|| Step::AskBmc(BmcQuestion { key: key.clone(), anew }))
}

/// A wait for a power-off that goes on as it should.
pub(super) fn waiting(message: String) -> Wait {
    Wait::expected(Concern::Deleting, Reason::WaitingForPowerOff, message)
}

/// The wait for a Job that is not over: normal at first, then with what is wrong.
pub(super) fn while_it_runs(
    world: &World,
    hardware: &Hardware,
    job: &Job,
    key: &ObjectKey,
    now: Timestamp,
) -> Option<Step> {
    let age = clock::age(job.metadata.creation_timestamp.as_ref(), now);
    let (job_key, hardware_key) = (job.key(), hardware.key());
    if job.is_terminating() {
        return Some(waiting(format!("Job {job_key} of an earlier attempt is being deleted")).into());
    }
    let message = format!("Job {job_key} switches off Hardware {hardware_key} through BMC {}", key.name);
    if age < OVERDUE {
        return Some(waiting(message).again_after(OVERDUE.saturating_sub(age)).into());
    }
    if world.pass.bmc.is_none() {
        return look(world, hardware, job, key);
    }
    let again = (age / 2).clamp(OVERDUE, LONGEST_LOOK);
    let reason = reason(world).or_else(|| (age >= STUCK).then_some(Reason::PowerOffOverdue));
    let Some(reason) = reason else { return Some(waiting(message).again_after(again).into()) };
    let message = format!(
        "Job {job_key} does not switch off Hardware {hardware_key}: BMC {} has not done so for {} s{}; {}",
        key.name,
        power_off_seconds(age),
        last_words(world),
        let_go::how(hardware)
    );
    Some(Wait::problem(Concern::Deleting, reason, message).again_after(again).into())
}

/// Rounded down to what was a look ago, so that a message does not change with each second.
fn power_off_seconds(age: Duration) -> u64 {
    if age < STUCK { OVERDUE.as_secs() } else { STUCK.as_secs() }
}

/// The reason that tells what is wrong with the BMC, if something is.
pub(super) fn reason(world: &World) -> Option<Reason> {
    match world.pass.bmc.as_ref()? {
        BmcView::Missing => Some(Reason::BmcNotFound),
        BmcView::Found(state) if state.contactable == Some(false) => Some(Reason::BmcNotContactable),
        BmcView::Found(_) | BmcView::Unreadable(_) => None,
    }
}

/// What the BMC's Machine says, as the end of a sentence.
pub(super) fn last_words(world: &World) -> String {
    match &world.pass.bmc {
        Some(BmcView::Missing) => {
            "; its BMC Machine does not exist: create it, or take bmcRef off the Hardware".to_owned()
        }
        Some(BmcView::Unreadable(why)) => format!("; its BMC Machine cannot be read: {why}"),
        Some(BmcView::Found(state)) if state.contactable == Some(false) => {
            format!("; rufio cannot reach the BMC: {}", state.message)
        }
        Some(BmcView::Found(_)) | None => String::new(),
    }
}
