//! Stop: the Workflow and the Template go first, so that nothing boots the server any more. A boot Job under way is let
//! end before its Workflow goes: with the Workflow the collector takes the Job at a moment of its own, and what the Job had
//! begun would be done all the same.

use std::sync::Arc;

use crate::observed::tinkerbell::{Hardware, Workflow};
use capt_api::conditions::Reason;
use capt_api::meta::Meta;
use jiff::Timestamp;

use super::{boot_jobs, power_off, proof};
use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::made_for::{MadeFor, made_for};
use crate::machine::names;
use crate::machine::step::{Concern, Step, Wait};
use crate::machine::world::World;

/// The next step of this stage, or nothing when it is done.
pub(super) fn step(world: &World, now: Timestamp) -> Option<Step> {
    let own = world.machine.name();
    let short = names::short(&world.machine);
    let look = |kind| world.look_first(kind, own).or_else(|| world.look_first(kind, &short));
    let workflow = || {
        let workflow = world.boot.workflows.iter().find(|workflow| goes(world, workflow))?;
        under_way(world, workflow, now)
            .or_else(|| proves_nothing(world, workflow))
            .or_else(|| Some(delete(&**workflow, Kind::Workflow)))
    };
    let template = || {
        let mine = |whose| matches!(whose, MadeFor::Ours | MadeFor::OfThisName | MadeFor::Stale);
        let template = world.boot.templates.iter().find(|template| mine(made_for(&***template, &world.machine)))?;
        Some(delete(&**template, Kind::Template))
    };
    look(Kind::Workflow).or_else(workflow).or_else(|| look(Kind::Template)).or_else(template)
}

/// Whether the Workflow is to go: it was made for this machine, or runs on Hardware that is this machine's alone.
fn goes(world: &World, workflow: &Workflow) -> bool {
    match made_for(workflow, &world.machine) {
        MadeFor::Ours | MadeFor::OfThisName | MadeFor::Stale => true,
        MadeFor::Namesake => of_workflow(world, workflow).is_some(),
        MadeFor::Foreign => false,
    }
}

/// Takes back a power-off that was made before this Workflow was heard of: Tinkerbell may boot the server for it yet.
fn proves_nothing(world: &World, workflow: &Workflow) -> Option<Step> {
    let hardware = of_workflow(world, workflow).filter(|hardware| boot_jobs::boots(workflow, hardware))?;
    let job = proof::of_machine(world, hardware).find(|job| !job.is_terminating())?;
    world.power.may_delete_jobs.then(|| power_off::delete(job).into())
}

/// The Hardware that this Workflow installs.
fn of_workflow<'a>(world: &'a World, workflow: &Workflow) -> Option<&'a Arc<Hardware>> {
    world
        .to_release
        .iter()
        .find(|hardware| hardware.namespace() == workflow.namespace() && hardware.name() == workflow.spec.hardware_ref)
}

/// The wait for boot Jobs of this Workflow.
fn under_way(world: &World, workflow: &Workflow, now: Timestamp) -> Option<Step> {
    let hardware = of_workflow(world, workflow)?;
    let of_it = |job: &&Arc<crate::observed::bmc::Job>| {
        job.controller().is_some_and(|owner| owner.uid == workflow.uid())
            && (job.has_begun() || crate::clock::age(job.metadata.creation_timestamp.as_ref(), now) < boot_jobs::QUIET)
    };
    let job = boot_jobs::pending(world, hardware).find(of_it)?;
    let message = format!(
        "Workflow {} is booting Hardware {} through Job {}; waiting for the Job to end",
        workflow.key(),
        hardware.key(),
        job.key()
    );
    let interest = boot_jobs::interest(hardware);
    let wait = Wait::expected(Concern::Deleting, Reason::StoppingWorkflow, message).woken_by(interest);
    Some(if job.has_begun() { wait.into() } else { wait.again_after(boot_jobs::QUIET).into() })
}

fn delete<K: Meta>(object: &K, kind: Kind) -> Step {
    if object.is_terminating() {
        let finalizers = object.metadata().finalizers.clone().unwrap_or_default().join(", ");
        let message = format!("{kind} {} is being deleted; it waits for: {finalizers}", object.key());
        return Wait::expected(Concern::Deleting, Reason::StoppingWorkflow, message).into();
    }
    let verb = Verb::Delete { uid: object.uid().to_owned() };
    Write::new(Stage::Stop, kind, object.key(), verb).into()
}
