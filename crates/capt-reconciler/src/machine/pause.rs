//! Pause: nothing is touched while the Cluster or the machine is paused; deletion waits as well.

use capt_api::contract::PAUSED_ANNOTATION;
use capt_api::meta::Meta;

use super::world::World;

/// Whether the machine is paused.
pub fn is_paused(world: &World) -> bool {
    !causes(world).is_empty()
}

/// What pauses the machine, in Cluster API's words; empty when nothing does.
pub fn causes(world: &World) -> Vec<String> {
    crate::pause::causes(
        "TinkerbellMachine",
        world.cluster.capi.as_deref(),
        world.machine.annotation(PAUSED_ANNOTATION).is_some(),
    )
}
