//! Stop: the Workflow and the Template go first, so that nothing boots the server any more.

use capt_api::conditions::reasons;
use capt_api::meta::Meta;

use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::belonging::{Belonging, belonging};
use crate::machine::step::{Concern, Step, Wait};
use crate::machine::world::World;

/// The next step of this stage, or nothing when it is done.
pub(super) fn step(world: &World) -> Option<Step> {
    let workflow = world.workflow.as_ref().and_then(|workflow| delete(world, &**workflow, Kind::Workflow));
    workflow.or_else(|| world.template.as_ref().and_then(|template| delete(world, &**template, Kind::Template)))
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
