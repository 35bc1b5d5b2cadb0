//! Watch: where Tinkerbell is in another cluster, the Workflows and Jobs of a namespace are watched from the moment on
//! when a machine has Hardware there.

use std::time::Duration;

use capt_api::conditions::Reason;
use capt_api::meta::Meta;

use super::step::{Concern, Step, Wait};
use super::world::World;

/// How soon a machine whose namespace cannot be watched looks again. The watch itself is tried less and less often.
const RETRY: Duration = Duration::from_secs(5);

/// The next step of this stage, or nothing when it is done. It comes before all that asks for the Workflow: without the
/// watch nobody knows whether there is one.
pub fn step(world: &World) -> Option<Step> {
    let hardware = world.reserved()?;
    let spec = &world.machine.spec;
    let is_recorded = !spec.hardware_name.is_empty() && !spec.provider_id.is_empty();
    if world.is_watched || hardware.is_provisioned() || !is_recorded {
        return None;
    }
    match &world.pass.unwatchable {
        None => Some(Step::Watch(hardware.namespace().to_owned())),
        Some(why) => {
            let wait = Wait::problem(Concern::Workflow, Reason::NamespaceNotWatched, why.clone());
            Some(wait.again_after(RETRY).into())
        }
    }
}

/// The watch that a release tries to have, so that the power-off Job wakes the machine (difference D18). It does without.
pub fn before_release(world: &World) -> Option<Step> {
    let hardware = world.to_release.first()?;
    let tried = world.is_watched || world.pass.unwatchable.is_some();
    (!tried).then(|| Step::Watch(hardware.namespace().to_owned()))
}

/// A wait of a release that no watch may end looks again by itself.
pub fn without_watch(world: &World, step: Step) -> Step {
    match step {
        Step::Wait(mut wait) if !world.is_watched && !world.to_release.is_empty() => {
            wait.requeue = Some(wait.requeue.map_or(RETRY, |requeue| requeue.min(RETRY)));
            Step::Wait(wait)
        }
        step => step,
    }
}
