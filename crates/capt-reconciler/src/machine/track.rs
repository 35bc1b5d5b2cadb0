//! Track: follow the Workflow to its end, then mark the Hardware, so that nothing ever images it again.

use crate::observed::tinkerbell::{Hardware, Workflow, WorkflowProgress};
use capt_api::conditions::Reason;
use capt_api::contract::{
    INSTALLATION_FAILED_ANNOTATION, OWNER_NAME_LABEL, OWNER_NAMESPACE_LABEL, PROVISIONED_ANNOTATION,
};
use capt_api::meta::Meta;
use serde_json::json;

use super::step::{Concern, Step, Wait};
use super::world::World;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::patch;

/// The next step of this stage, or nothing when it is done.
pub fn step(world: &World) -> Option<Step> {
    let hardware = world.reserved()?;
    if hardware.is_provisioned() {
        return None;
    }
    let workflow = world.boot.workflow.own.as_ref()?;
    if workflow.progress() != WorkflowProgress::Succeeded {
        return Some(wait(workflow).into());
    }
    Some(Write::new(Stage::Provisioned, Kind::Hardware, hardware.key(), mark(world, hardware)).into())
}

/// The mark on the Hardware, as long as that is ours. Tinkerbell changes the Hardware (`allowPXE`) just before the
/// Workflow's success, so the version that we know is often one behind: what matters is tested, and not the version.
fn mark(world: &World, hardware: &Hardware) -> Verb {
    // Without annotations the whole map would have to be added, over what others add in between. The note of an earlier
    // installation that failed may be gone by now, and a patch that removes what is gone fails.
    if hardware.metadata.annotations.is_none() || hardware.failed_installation().is_some() {
        return Verb::Merge(patch::guarded_metadata(
            hardware,
            json!({"annotations": {PROVISIONED_ANNOTATION: "true", INSTALLATION_FAILED_ANNOTATION: null}}),
        ));
    }
    let label = |name: &str| format!("/metadata/labels/{}", patch::escape(name));
    let machine = world.key();
    Verb::Json(json!([
        {"op": "test", "path": "/metadata/uid", "value": hardware.uid()},
        {"op": "test", "path": label(OWNER_NAME_LABEL), "value": machine.name},
        {"op": "test", "path": label(OWNER_NAMESPACE_LABEL), "value": machine.namespace},
        {"op": "add", "path": format!("/metadata/annotations/{}", patch::escape(PROVISIONED_ANNOTATION)), "value": "true"},
    ]))
}

/// Nothing is installed twice by itself: what failed once may have left the disk half written, or fail for ever.
const TRY_AGAIN: &str = "it is not tried again by itself: delete the Workflow to try again on this server, or the \
                         Machine to let another take its place";

fn wait(workflow: &Workflow) -> Wait {
    let (key, state) = (workflow.key(), workflow.status.state.as_str());
    let state = if state.is_empty() { "not started" } else { state };
    let concern = Concern::Workflow;
    match workflow.progress() {
        WorkflowProgress::Failed => Wait::problem(
            concern,
            Reason::WorkflowFailed,
            format!("workflow failed: Workflow {key} is {state}{}; {TRY_AGAIN}", at_action(workflow)),
        ),
        WorkflowProgress::TimedOut => Wait::problem(
            concern,
            Reason::WorkflowTimedOut,
            format!("workflow timed out: Workflow {key} is {state}{}; {TRY_AGAIN}", at_action(workflow)),
        ),
        WorkflowProgress::Running => Wait::expected(concern, Reason::WorkflowRunning, format!("Workflow {key} runs")),
        WorkflowProgress::Pending | WorkflowProgress::Succeeded if workflow.status.template_rendering == "failed" => {
            let said = workflow.status.conditions.iter().find(|condition| condition.type_ == "TemplateRenderedSuccess");
            let words = said.map_or("", |condition| condition.message.as_str());
            Wait::problem(
                concern,
                Reason::TemplateInvalid,
                format!(
                    "Tinkerbell cannot render Workflow {key}: {words}; correct the template, then delete the Workflow and its \
                     Template, and both are made anew"
                ),
            )
        }
        WorkflowProgress::Pending | WorkflowProgress::Succeeded => {
            Wait::expected(concern, Reason::WorkflowPending, format!("Workflow {key} has not started"))
        }
    }
}

fn at_action(workflow: &Workflow) -> String {
    let action = workflow.status.current_state.as_ref().map_or("", |current| current.action_name.as_str());
    if action.is_empty() { String::new() } else { format!(", at action \"{action}\"") }
}
