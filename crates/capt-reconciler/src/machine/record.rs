//! Record: the machine remembers its Hardware and its provider ID, each written once and never changed.

use capt_api::contract::provider_id;
use capt_api::meta::Meta;
use serde_json::{Map, json};

use super::step::Step;
use super::world::World;
use crate::effect::{Kind, Stage, Verb, Write};

/// The next step of this stage, or nothing when it is done.
pub fn step(world: &World) -> Option<Step> {
    let hardware = world.reserved()?;
    let spec = &world.machine.spec;
    let mut wanted = Map::new();
    if spec.hardware_name.is_empty() {
        wanted.insert("hardwareName".to_owned(), json!(hardware.name()));
    }
    if spec.provider_id.is_empty() {
        wanted.insert("providerID".to_owned(), json!(provider_id(&hardware.key())));
    }
    if wanted.is_empty() {
        return None;
    }
    // The UID makes sure that a machine made anew under the same name is not written to.
    let body = json!({"metadata": {"uid": world.machine.uid()}, "spec": wanted});
    Some(Write::new(Stage::Record, Kind::TinkerbellMachine, world.key(), Verb::Merge(body)).into())
}
