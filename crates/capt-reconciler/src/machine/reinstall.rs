//! Reinstall: a person asks, by an annotation on the machine, for a new installation of a server that runs. The only way
//! in which a machine that was ready is ever installed again.
//!
//! The Hardware notes the request in the patch that takes its mark off: a note without the mark is an installation under
//! way, a note beside it one that is done. Then the request leaves the machine, and the note the Hardware.

use std::sync::Arc;

use crate::notice::Notice;
use crate::observed::tinkerbell::{Hardware, WorkflowProgress};
use capt_api::conditions::Reason;
use capt_api::contract::{PROVISIONED_ANNOTATION, REINSTALL_ANNOTATION};
use capt_api::meta::Meta;
use serde_json::{Value, json};

use super::made_for::{MadeFor, made_for};
use super::step::{Concern, Step, Wait};
use super::world::World;
use super::{fitness, reserve};
use crate::effect::{Kind, Stage, Verb, Write};
use crate::outcome::Interest;
use crate::patch;

/// The next step of this stage, or nothing when it is done.
pub fn step(world: &World) -> Option<Step> {
    let hardware = world.reserved()?;
    let note = hardware.reinstallation();
    let Some(request) = world.machine.annotation(REINSTALL_ANNOTATION) else {
        // Without a mark the installation goes on: its disk holds no system any more.
        return (note.is_some() && hardware.is_provisioned()).then(|| forget(hardware).into());
    };
    if note == Some(request) {
        return hardware.is_provisioned().then(|| served(world).into());
    }
    Some(begin(world, hardware, request))
}

/// What an earlier installation left goes first, then the Hardware loses its mark and gets its bootstrap data anew.
fn begin(world: &World, hardware: &Arc<Hardware>, request: &str) -> Step {
    if let Some(twin) = world.server.twin() {
        return reserve::twin_wait(&hardware.key(), twin).into();
    }
    if let Some(unmet) = fitness::unmet_for_installation(hardware) {
        return reserve::unfit(&hardware.key(), &unmet, Interest::default()).into();
    }
    if let Some(step) = world.look_for_own(Kind::Workflow) {
        return step;
    }
    let under_way =
        world.boot.workflow.own.as_ref().is_some_and(|workflow| {
            matches!(workflow.progress(), WorkflowProgress::Pending | WorkflowProgress::Running)
        });
    if !under_way {
        let workflow =
            world.boot.workflow.own.as_ref().and_then(|workflow| discard(world, &**workflow, Kind::Workflow));
        let template =
            || world.boot.template.own.as_ref().and_then(|template| discard(world, &**template, Kind::Template));
        if let Some(step) = workflow.or_else(|| world.look_for_own(Kind::Template)).or_else(template) {
            return step;
        }
    }
    let text = match reserve::bootstrap_text(world, hardware) {
        Ok(text) => text,
        Err(step) => return *step,
    };
    let annotations = json!({PROVISIONED_ANNOTATION: null, REINSTALL_ANNOTATION: request});
    let mut body = patch::guarded_metadata(&**hardware, json!({ "annotations": annotations }));
    if let Value::Object(members) = &mut body {
        members.insert("spec".to_owned(), json!({ "userData": text }));
    }
    let message = format!("installs Hardware {} anew: annotation {REINSTALL_ANNOTATION} asks for it", hardware.key());
    let write = Write::new(Stage::Reserve, Kind::Hardware, hardware.key(), Verb::Merge(body));
    write.telling(Notice::normal(Reason::Reinstalling, message)).into()
}

/// Removes what an earlier installation left, and waits until it is gone. What is not the machine's is left to
/// [`boot`](super::boot), which tells it.
fn discard<K: Meta>(world: &World, object: &K, kind: Kind) -> Option<Step> {
    if made_for(object, &world.machine) == MadeFor::Foreign {
        return None;
    }
    if object.is_terminating() {
        let finalizers = object.metadata().finalizers.clone().unwrap_or_default().join(", ");
        let message = format!("{kind} {} is being deleted; it waits for: {finalizers}", object.key());
        return Some(Wait::expected(Concern::Workflow, Reason::Reinstalling, message).into());
    }
    let verb = Verb::Delete { uid: object.uid().to_owned() };
    Some(Write::new(Stage::Boot, kind, object.key(), verb).into())
}

/// The request leaves the machine, so that it is served once.
fn served(world: &World) -> Write {
    let body = patch::guarded_metadata(&*world.machine, json!({"annotations": {REINSTALL_ANNOTATION: null}}));
    Write::new(Stage::Record, Kind::TinkerbellMachine, world.key(), Verb::Merge(body))
}

/// The note of a request that was served and is gone: the next one may say the same.
fn forget(hardware: &Hardware) -> Write {
    let body = patch::guarded_metadata(hardware, json!({"annotations": {REINSTALL_ANNOTATION: null}}));
    Write::new(Stage::Provisioned, Kind::Hardware, hardware.key(), Verb::Merge(body))
}
