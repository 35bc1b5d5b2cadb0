//! Whether a Template, Workflow or Job was made for this very machine. Names prove nothing: machines of one name live in
//! several namespaces, and in several clusters that share one Tinkerbell.

use std::sync::Arc;

use crate::observed::infra::TinkerbellMachine;
use capt_api::contract::{MACHINE_NAME_LABEL, MACHINE_NAMESPACE_LABEL, MACHINE_UID_ANNOTATION};
use capt_api::meta::{Meta, ObjectKey};
use serde_json::{Map, Value, json};

use crate::patch;
use crate::settings::Settings;

/// For whom an object was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeFor {
    /// For this machine: its UID stands on it.
    Ours,
    /// For a machine of this name; whether this one, nothing tells. Go CAPT leaves such objects in other namespaces.
    OfThisName,
    /// For an earlier machine of this name in this cluster: the owner reference says so, and only one can live.
    Stale,
    /// For another machine of this name, an earlier one or one of another cluster.
    Namesake,
    /// Not for a machine of this name.
    Foreign,
}

/// For whom the object was made.
pub fn made_for(object: &impl Meta, machine: &TinkerbellMachine) -> MadeFor {
    let named = object.label(MACHINE_NAME_LABEL) == Some(machine.name())
        && object.label(MACHINE_NAMESPACE_LABEL) == Some(machine.namespace());
    let owner = object.controller().filter(|owner| owner.kind == "TinkerbellMachine").map(|owner| owner.uid.as_str());
    match (owner, object.annotation(MACHINE_UID_ANNOTATION)) {
        (Some(uid), _) | (None, Some(uid)) if uid == machine.uid() => MadeFor::Ours,
        (Some(_), _) if named => MadeFor::Stale,
        (None, Some(_)) if named => MadeFor::Namesake,
        (None, None) if named => MadeFor::OfThisName,
        _ => MadeFor::Foreign,
    }
}

/// What was made in one namespace for the machine, and what is in its way there.
#[derive(Clone, Debug)]
pub struct Made<K> {
    /// What was made for this machine, whatever it is called.
    pub own: Option<Arc<K>>,
    /// What stands under the machine's own name and was made for somebody else.
    pub in_the_way: Option<(MadeFor, Arc<K>)>,
}

impl<K> Default for Made<K> {
    fn default() -> Self {
        Self { own: None, in_the_way: None }
    }
}

/// Sorts what there is in a namespace: `all` that was made for machines of this name, and what stands under that name.
pub fn made<K: Meta>(
    machine: &TinkerbellMachine,
    namespace: &str,
    all: &[Arc<K>],
    of_the_name: Option<Arc<K>>,
) -> Made<K> {
    let here = || all.iter().filter(|object| object.namespace() == namespace);
    let first = |wanted| here().find(|object| made_for(&***object, machine) == wanted).cloned();
    let own = first(MadeFor::Ours).or_else(|| first(MadeFor::OfThisName));
    let in_the_way = of_the_name.and_then(|object| {
        let whose = made_for(&*object, machine);
        (!matches!(whose, MadeFor::Ours | MadeFor::OfThisName)).then_some((whose, object))
    });
    Made { own, in_the_way }
}

/// Metadata of an object made for the machine: labels always; an owner only within one namespace of one cluster, where
/// garbage collection understands it; the machine's UID as a mark that also holds across namespaces and clusters.
pub fn metadata(machine: &TinkerbellMachine, settings: &Settings, key: &ObjectKey) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(key.name));
    metadata.insert("namespace".to_owned(), json!(key.namespace));
    metadata.insert("labels".to_owned(), json!(patch::machine_labels(machine)));
    metadata.insert("annotations".to_owned(), json!({ MACHINE_UID_ANNOTATION: machine.uid() }));
    if key.namespace == machine.namespace() && !settings.external_tinkerbell {
        metadata.insert("ownerReferences".to_owned(), json!([patch::controlled_by(machine)]));
    }
    metadata
}
