//! The note of an installation that went wrong. It is written before the Workflow goes, which is all that tells of it;
//! such Hardware comes after all others until an installation succeeds.

use crate::notice::Notice;
use crate::observed::tinkerbell::{Workflow, WorkflowProgress};
use capt_api::conditions::Reason;
use capt_api::contract::INSTALLATION_FAILED_ANNOTATION;
use capt_api::meta::Meta;
use jiff::Timestamp;
use serde_json::json;

use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::made_for::{MadeFor, made_for};
use crate::machine::step::Step;
use crate::machine::world::World;
use crate::patch;

/// The next step of this stage, or nothing when it is done.
pub(super) fn step(world: &World, now: Timestamp) -> Option<Step> {
    let workflow = world.boot.workflow.own.as_ref()?;
    if workflow.is_terminating() || made_for(&**workflow, &world.machine) == MadeFor::Foreign {
        return None;
    }
    let hardware = world.to_release.iter().find(|hardware| {
        workflow.spec.hardware_ref == hardware.name() && workflow.namespace() == hardware.namespace()
    })?;
    let what = failure(workflow)?;
    if hardware.is_provisioned() || hardware.failed_installation().is_some_and(|note| note.ends_with(&what)) {
        return None;
    }
    let note = format!("{now:.0} {what}");
    let body = patch::guarded_metadata(&**hardware, json!({"annotations": {INSTALLATION_FAILED_ANNOTATION: note}}));
    let message = format!(
        "Hardware {}: {what}; it is taken after all others until an installation succeeds (annotation \
         {INSTALLATION_FAILED_ANNOTATION})",
        hardware.key()
    );
    let write = Write::new(Stage::Stop, Kind::Hardware, hardware.key(), Verb::Merge(body));
    Some(write.telling(Notice::normal(Reason::InstallationFailed, message)).into())
}

/// What went wrong, in words that are the same for the same Workflow.
fn failure(workflow: &Workflow) -> Option<String> {
    let how = match workflow.progress() {
        WorkflowProgress::Failed => "failed",
        WorkflowProgress::TimedOut => "timed out",
        WorkflowProgress::Running => "was stopped before it ended",
        WorkflowProgress::Pending | WorkflowProgress::Succeeded => return None,
    };
    let action = workflow.status.current_state.as_ref().map_or("", |current| current.action_name.as_str());
    let at = if action.is_empty() { String::new() } else { format!(" at action \"{action}\"") };
    Some(format!("Workflow {} (UID {}) {how}{at}", workflow.key(), workflow.uid()))
}
