//! Jobs that may switch the server on again: tink-controller's boot Jobs outlive their Workflow until the garbage
//! collector comes, and may be made shortly after its deletion, for tink-controller works on a cached Workflow and sleeps
//! up to 7.5 s in between. A power-off proves nothing as long as one of them is left (decision 19).

use std::sync::Arc;
use std::time::Duration;

use crate::observed::bmc::Job;
use crate::observed::infra::TinkerbellMachine;
use crate::observed::tinkerbell::{Hardware, Workflow, WorkflowProgress};
use capt_api::conditions::Reason;
use capt_api::meta::Meta;
use jiff::Timestamp;

use crate::clock;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::step::{Concern, Step, Wait};
use crate::machine::world::World;
use crate::outcome::Interest;

/// How long nothing may have stirred before the server is switched off: twice what tink-controller needs at most from
/// its last look at a Workflow to the Job that it makes of it.
pub const QUIET: Duration = Duration::from_secs(15);

/// A boot Job of which rufio has said nothing for this long never will run: its BMC Machine is missing.
const NEVER_BEGUN: Duration = Duration::from_secs(60);

/// Jobs of this server's BMC, not over, that may switch it on.
pub fn pending<'a>(world: &'a World, hardware: &'a Hardware) -> impl Iterator<Item = &'a Arc<Job>> {
    of_bmc(world, hardware).filter(|job| !job.is_over())
}

/// Jobs of this server's BMC that may switch it on, or did.
pub fn of_bmc<'a>(world: &'a World, hardware: &'a Hardware) -> impl Iterator<Item = &'a Arc<Job>> {
    world.power.bmc_jobs.iter().filter(|job| job.may_switch_on() && is_for(job, hardware))
}

/// Whether a Job is for the BMC of this Hardware.
pub fn is_for(job: &Job, hardware: &Hardware) -> bool {
    let reference = &job.spec.machine_ref;
    hardware.bmc().is_some_and(|bmc| reference.name == bmc.name && reference.namespace == bmc.namespace)
}

/// Whether something is there that may switch the server on, now or soon.
pub fn stirs(world: &World, hardware: &Hardware) -> bool {
    pending(world, hardware).next().is_some() || world.boot.workflows.iter().any(|workflow| boots(workflow, hardware))
}

/// Whether something may be on its way of which nothing is seen: the server was never provisioned, and its Workflow,
/// gone by now, would have been booted through the BMC.
pub fn may_stir(machine: &TinkerbellMachine, workflows: &[Arc<Workflow>], is_provisioned: bool) -> bool {
    let boots = machine.spec.boot_options.as_ref().is_some_and(|options| options.boot_mode.is_some());
    let was_ready = machine.status.as_ref().is_some_and(|status| status.ready);
    let ended = workflows.iter().any(|workflow| is_over(workflow));
    boots && !was_ready && !ended && !is_provisioned
}

/// Whether tink-controller may yet make a Job for this Workflow.
pub(super) fn boots(workflow: &Workflow, hardware: &Hardware) -> bool {
    let is_here = workflow.namespace() == hardware.namespace() && workflow.spec.hardware_ref == hardware.name();
    let mode = workflow.spec.boot_options.as_ref().map_or("", |options| options.boot_mode.as_str());
    is_here && !mode.is_empty() && !is_over(workflow)
}

fn is_over(workflow: &Workflow) -> bool {
    !matches!(workflow.progress(), WorkflowProgress::Pending | WorkflowProgress::Running)
}

/// Waits for a Job that may switch the server on to end, so that nothing of it is left. A Job that never began is
/// removed where its Workflow is ours and gone; anybody else's is waited for.
pub(super) fn step(world: &World, hardware: &Hardware, now: Timestamp) -> Option<Step> {
    let job = pending(world, hardware).next()?;
    let stuck = !job.has_begun() && clock::age(job.metadata.creation_timestamp.as_ref(), now) >= NEVER_BEGUN;
    if !stuck {
        let message = format!("Job {} may switch Hardware {} on; waiting for it to end", job.key(), hardware.key());
        let wait = Wait::expected(Concern::Deleting, Reason::StoppingWorkflow, message).woken_by(interest(hardware));
        return Some(if job.has_begun() { wait.into() } else { wait.again_after(NEVER_BEGUN).into() });
    }
    let is_workflows = job.controller().is_some_and(|owner| owner.kind == "Workflow");
    if is_workflows && !job.is_terminating() && world.power.may_delete_jobs {
        let verb = Verb::Delete { uid: job.uid().to_owned() };
        return Some(Write::new(Stage::PowerOff, Kind::Job, job.key(), verb).into());
    }
    let message = format!(
        "Job {} may switch Hardware {} on and has not begun: rufio is down, or BMC Machine {} does not exist; \
         delete the Job to go on",
        job.key(),
        hardware.key(),
        job.spec.machine_ref.name
    );
    Some(Wait::problem(Concern::Deleting, Reason::PowerOffBlocked, message).woken_by(interest(hardware)).into())
}

/// Wakes the machine when a Job of this server's BMC changes.
pub(super) fn interest(hardware: &Hardware) -> Interest {
    Interest { bmc: hardware.bmc(), ..Interest::default() }
}

/// Waits until nothing has stirred for a while.
pub(super) fn quiet(world: &World, hardware: &Hardware, now: Timestamp) -> Option<Step> {
    let since = world.pass.memory.stirred.get(&hardware.key())?;
    let left = QUIET.checked_sub(clock::elapsed(*since, now)).filter(|left| !left.is_zero())?;
    let message = format!(
        "waiting until Tinkerbell makes no Job any more that switches Hardware {} on, before it is switched off",
        hardware.key()
    );
    let wait = Wait::expected(Concern::Deleting, Reason::StoppingWorkflow, message)
        .woken_by(interest(hardware))
        .again_after(left);
    Some(wait.into())
}
