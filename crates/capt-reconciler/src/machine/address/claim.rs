//! Claim: the machine's IPAddressClaim is made, put right, or let go to be made anew.

use std::sync::Arc;

use crate::observed::cluster_api::IPAddressClaim;
use crate::observed::tinkerbell::{Hardware, Interface};
use capt_api::contract::{
    CLAIM_FINALIZER, CLUSTER_NAME_LABEL, HARDWARE_NAME_ANNOTATION, HARDWARE_NAMESPACE_ANNOTATION,
    MAC_ADDRESS_ANNOTATION, claim_name,
};
use capt_api::meta::{Meta, ObjectKey};
use serde_json::{Map, Value, json};

use super::write;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::step::Step;
use crate::machine::world::World;
use crate::patch;

/// The claim as it is made.
pub(super) fn create(world: &World, hardware: &Arc<Hardware>) -> Write {
    let machine = &world.machine;
    let key = ObjectKey::new(machine.namespace(), claim_name(machine.name()));
    let mac = hardware.spec.interfaces.first().map_or("", Interface::mac);
    let metadata = json!({
        "name": key.name,
        "namespace": key.namespace,
        "labels": labels(world),
        "annotations": {
            HARDWARE_NAME_ANNOTATION: hardware.name(),
            HARDWARE_NAMESPACE_ANNOTATION: hardware.namespace(),
            MAC_ADDRESS_ANNOTATION: mac.to_lowercase(),
        },
        "finalizers": [CLAIM_FINALIZER],
        "ownerReferences": [patch::controlled_by(machine)],
    });
    let mut spec = json!({ "poolRef": machine.spec.ipam_pool_ref });
    if let (Some(cluster), Value::Object(members)) = (&world.cluster.capi, &mut spec) {
        members.insert("clusterName".to_owned(), json!(cluster.name()));
    }
    Write::new(Stage::Claim, Kind::IPAddressClaim, key, Verb::Create(json!({"metadata": metadata, "spec": spec})))
}

fn labels(world: &World) -> Map<String, Value> {
    let mut labels: Map<String, Value> =
        patch::machine_labels(&world.machine).into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    if let Some(cluster) = &world.cluster.capi {
        labels.insert(CLUSTER_NAME_LABEL.to_owned(), json!(cluster.name()));
    }
    labels
}

/// What a claim of ours lacks: metadata to merge, or nothing.
pub fn missing_metadata(world: &World, claim: &IPAddressClaim) -> Option<Value> {
    let mut metadata = Map::new();
    let owner = claim.controller();
    let owned = owner.is_some_and(|owner| owner.uid == world.machine.uid() && owner.block_owner_deletion == Some(true));
    if !owned {
        // The earlier machine of this name is gone; and no object has two controllers.
        let is_other = |kind: &str, name: &str, uid: &str| {
            uid != world.machine.uid() && !(kind == "TinkerbellMachine" && name == world.machine.name())
        };
        let all = claim.metadata.owner_references.iter().flatten();
        let others = all.filter(|owner| is_other(&owner.kind, &owner.name, &owner.uid));
        let mut owners: Vec<Value> = others.map(|owner| json!(owner)).collect();
        owners.push(patch::controlled_by(&world.machine));
        metadata.insert("ownerReferences".to_owned(), Value::Array(owners));
    }
    if let Some(finalizers) = patch::finalizers(claim, &[CLAIM_FINALIZER], &[]) {
        metadata.insert("finalizers".to_owned(), json!(finalizers));
    }
    let missing: Map<String, Value> =
        labels(world).into_iter().filter(|(key, value)| claim.label(key) != value.as_str()).collect();
    if !missing.is_empty() {
        metadata.insert("labels".to_owned(), Value::Object(missing));
    }
    (!metadata.is_empty()).then_some(Value::Object(metadata))
}

pub(super) fn repair_metadata(world: &World, claim: &IPAddressClaim) -> Option<Write> {
    let body = patch::guarded_metadata(claim, missing_metadata(world, claim)?);
    Some(Write::new(Stage::Claim, Kind::IPAddressClaim, claim.key(), Verb::Merge(body)))
}

/// Our claim is on its way out and no server uses its address: first the address leaves the Hardware, then our
/// finalizer leaves the claim. A new claim follows once this one is gone.
pub(super) fn let_go(world: &World, claim: &IPAddressClaim) -> Step {
    if let Some(write) = world.reserved().and_then(write::clear) {
        return write.into();
    }
    release_finalizer(claim, Stage::Claim).into()
}

/// Takes our finalizer off a claim.
pub fn release_finalizer(claim: &IPAddressClaim, stage: Stage) -> Write {
    let rest = patch::finalizers(claim, &[], &[CLAIM_FINALIZER]).unwrap_or_default();
    let body = patch::guarded_metadata(claim, json!({ "finalizers": rest }));
    Write::new(stage, Kind::IPAddressClaim, claim.key(), Verb::Merge(body))
}
