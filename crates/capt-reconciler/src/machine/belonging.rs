//! Whether a Template, Workflow or Job of the machine's name was made for this very machine.

use capt_api::contract::{MACHINE_NAME_LABEL, MACHINE_NAMESPACE_LABEL, MACHINE_UID_ANNOTATION};
use capt_api::infra::TinkerbellMachine;
use capt_api::meta::{Meta, ObjectKey};
use serde_json::{Map, Value, json};

use super::world::World;
use crate::patch;

/// For whom an object was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belonging {
    /// For this machine: its UID stands on it.
    Ours,
    /// For a machine of this name; whether this one, nothing tells. Go CAPT leaves such objects in other namespaces.
    OfThisName,
    /// For an earlier machine of this name.
    Stale,
    /// Not for a machine of this name.
    Foreign,
}

/// For whom the object was made.
pub fn belonging(object: &impl Meta, machine: &TinkerbellMachine) -> Belonging {
    let named = object.label(MACHINE_NAME_LABEL) == Some(machine.name())
        && object.label(MACHINE_NAMESPACE_LABEL) == Some(machine.namespace());
    let owner = object.controller().filter(|owner| owner.kind == "TinkerbellMachine").map(|owner| owner.uid.as_str());
    match owner.or_else(|| object.annotation(MACHINE_UID_ANNOTATION)) {
        Some(uid) if uid == machine.uid() => Belonging::Ours,
        Some(_) if named => Belonging::Stale,
        None if named => Belonging::OfThisName,
        _ => Belonging::Foreign,
    }
}

/// Metadata of an object made for the machine: labels always; an owner only within one namespace of one cluster, where
/// garbage collection understands it; the machine's UID as a mark that also holds across namespaces and clusters.
pub fn metadata(world: &World, key: &ObjectKey) -> Map<String, Value> {
    let machine = &*world.machine;
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(key.name));
    metadata.insert("namespace".to_owned(), json!(key.namespace));
    metadata.insert("labels".to_owned(), json!(patch::machine_labels(machine)));
    metadata.insert("annotations".to_owned(), json!({ MACHINE_UID_ANNOTATION: machine.uid() }));
    if key.namespace == machine.namespace() && !world.settings.external_tinkerbell {
        metadata.insert("ownerReferences".to_owned(), json!([patch::controlled_by(machine)]));
    }
    metadata
}
