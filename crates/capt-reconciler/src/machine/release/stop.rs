//! Stop: the Workflow and the Template go first, so that nothing boots the server any more.

use capt_api::conditions::reasons;
use capt_api::meta::Meta;

use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::belonging::{Belonging, belonging};
use crate::machine::step::{Concern, Step, Wait};
use crate::machine::world::World;

/// The next step of this stage, or nothing when it is done.
pub(super) fn step(world: &World) -> Option<Step> {
    let name = world.machine.name();
    let workflow = || world.workflow.as_ref().and_then(|workflow| delete(world, &**workflow, Kind::Workflow));
    let template = || world.template.as_ref().and_then(|template| delete(world, &**template, Kind::Template));
    world
        .look_first(Kind::Workflow, name)
        .or_else(workflow)
        .or_else(|| world.look_first(Kind::Template, name))
        .or_else(template)
}

fn delete<K: Meta>(world: &World, object: &K, kind: Kind) -> Option<Step> {
    if belonging(object, &world.machine) == Belonging::Foreign {
        return None;
    }
    if object.is_terminating() {
        let finalizers = object.metadata().finalizers.clone().unwrap_or_default().join(", ");
        let message = format!("{kind:?} {} is being deleted; it waits for: {finalizers}", object.key());
        return Some(Wait::expected(Concern::Deleting, reasons::STOPPING_WORKFLOW, message).into());
    }
    let verb = Verb::Delete { uid: object.uid().to_owned() };
    Some(Write::new(Stage::Stop, kind, object.key(), verb).into())
}
