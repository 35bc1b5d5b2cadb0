//! Claim: the machine's IPAddressClaim is made, put right, or let go to be made anew.

use std::sync::Arc;

use crate::observed::cluster_api::IPAddressClaim;
use crate::observed::tinkerbell::{Hardware, Interface};
use capt_api::contract::{
    CLAIM_FINALIZER, CLUSTER_NAME_LABEL, HARDWARE_NAME_ANNOTATION, HARDWARE_NAMESPACE_ANNOTATION,
    MAC_ADDRESS_ANNOTATION, claim_name,
};
use capt_api::meta::{Meta, ObjectKey};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::address;
use super::lease::{self, Finding, Lease};
use super::step::{Concern, Step, Wait};
use super::world::World;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::patch;

/// The next step of this stage, or nothing when it is done.
pub fn step(world: &World, now: Timestamp) -> Option<Step> {
    match lease::evaluate(world, now) {
        Lease::NotWanted | Lease::Static(_) | Lease::ToPlace(_) | Lease::Placed(_) => None,
        Lease::Troubled(_) | Lease::Unread => None,
        Lease::Missing => world.reserved().map(|hardware| create(world, hardware).into()),
        Lease::Damaged(claim) => Some(mend(world, &claim)?.into()),
        Lease::GivenUp(claim) => Some(let_go(world, &claim)),
        Lease::Blocked(finding) => Some(wait(finding).into()),
    }
}

/// The wait that a finding stands for.
pub fn wait(finding: Finding) -> Wait {
    Wait {
        concern: Concern::Address,
        reason: finding.reason,
        message: finding.message,
        expected: finding.expected,
        requeue: finding.requeue,
        unwatched: false,
        interest: finding.interest,
    }
}

fn create(world: &World, hardware: &Arc<Hardware>) -> Write {
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
    if let (Some(cluster), Value::Object(members)) = (&world.cluster, &mut spec) {
        members.insert("clusterName".to_owned(), json!(cluster.name()));
    }
    Write::new(Stage::Claim, Kind::IPAddressClaim, key, Verb::Create(json!({"metadata": metadata, "spec": spec})))
}

fn labels(world: &World) -> Map<String, Value> {
    let mut labels: Map<String, Value> =
        patch::machine_labels(&world.machine).into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    if let Some(cluster) = &world.cluster {
        labels.insert(CLUSTER_NAME_LABEL.to_owned(), json!(cluster.name()));
    }
    labels
}

/// What a claim of ours lacks: metadata to merge, or nothing.
pub fn damage(world: &World, claim: &IPAddressClaim) -> Option<Value> {
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

fn mend(world: &World, claim: &IPAddressClaim) -> Option<Write> {
    let body = patch::guarded_metadata(claim, damage(world, claim)?);
    Some(Write::new(Stage::Claim, Kind::IPAddressClaim, claim.key(), Verb::Merge(body)))
}

/// Our claim is on its way out and no server uses its address: first the address leaves the Hardware, then our
/// finalizer leaves the claim. A new claim follows once this one is gone.
fn let_go(world: &World, claim: &IPAddressClaim) -> Step {
    if let Some(write) = world.reserved().and_then(address::clear) {
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
