//! Release Hardware: everything of ours leaves it in one guarded patch (decision 11). From then on it is free for
//! others, and no longer carries the address.

use std::sync::Arc;

use crate::observed::tinkerbell::{Hardware, Interface};
use capt_api::contract::{
    LEGACY_MACHINE_FINALIZER, MACHINE_FINALIZER, MACHINE_UID_ANNOTATION, OWNER_NAME_LABEL, OWNER_NAMESPACE_LABEL,
    PROVISIONED_ANNOTATION, REINSTALL_ANNOTATION, RELEASED_ANNOTATION,
};
use capt_api::meta::Meta;
use serde_json::{Value, json};

use super::let_go;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::machine::address::claimant::{Claimant, claimant};
use crate::machine::address::write::clearing;
use crate::machine::step::Step;
use crate::machine::world::World;
use crate::patch;

/// The next step of this stage, or nothing when no Hardware is left to release.
pub(super) fn step(world: &World) -> Option<Step> {
    world.to_release.first().map(|hardware| release(world, hardware).into())
}

fn release(world: &World, hardware: &Arc<Hardware>) -> Write {
    let mut operations = vec![patch::same_version(&**hardware)];
    let mut remove = |path: String| operations.push(json!({"op": "remove", "path": path}));
    for label in [OWNER_NAME_LABEL, OWNER_NAMESPACE_LABEL] {
        if hardware.label(label).is_some() {
            remove(format!("/metadata/labels/{}", patch::escape(label)));
        }
    }
    for annotation in [PROVISIONED_ANNOTATION, MACHINE_UID_ANNOTATION, REINSTALL_ANNOTATION] {
        if hardware.annotation(annotation).is_some() {
            remove(format!("/metadata/annotations/{}", patch::escape(annotation)));
        }
    }
    if hardware.spec.user_data.is_some() {
        remove("/spec/userData".to_owned());
    }
    if let Some(rest) = patch::finalizers(&**hardware, &[], &[MACHINE_FINALIZER, LEGACY_MACHINE_FINALIZER]) {
        operations.push(json!({"op": "replace", "path": "/metadata/finalizers", "value": rest}));
    }
    operations.push(given_back(world, hardware));
    operations.extend(forbidding_netboot(world, hardware));
    operations.extend(clearing(hardware, &allocated(world)));
    let write =
        Write::new(Stage::ReleaseHardware, Kind::Hardware, hardware.key(), Verb::Json(Value::Array(operations)));
    write.telling(let_go::notice(world, hardware))
}

/// Operations that take back the leave to boot from the network. Our Workflow asked for it (`toggleAllowNetboot`), and
/// tink-controller takes it back only when the Workflow ends well: otherwise the next power-on would land in the
/// installer.
fn forbidding_netboot(world: &World, hardware: &Hardware) -> Vec<Value> {
    let booted = world.machine.status.as_ref().is_some_and(|status| status.instance_status.is_some());
    if !booted || hardware.is_provisioned() {
        return Vec::new();
    }
    let allows = |interface: &Interface| interface.netboot.as_ref().and_then(|netboot| netboot.allow_pxe) == Some(true);
    let interfaces = hardware.spec.interfaces.iter().enumerate().filter(|(_, interface)| allows(interface));
    let forbid =
        |index| json!({"op": "replace", "path": format!("/spec/interfaces/{index}/netboot/allowPXE"), "value": false});
    interfaces.map(|(index, _)| forbid(index)).collect()
}

/// The note that the Hardware was given back: without it a Hardware that lost all marks of ours, because somebody
/// replaced the object, could not be told from one that this machine released a moment ago.
fn given_back(world: &World, hardware: &Hardware) -> Value {
    let uid = world.machine.uid();
    if hardware.metadata.annotations.is_some() {
        json!({"op": "add", "path": format!("/metadata/annotations/{}", patch::escape(RELEASED_ANNOTATION)), "value": uid})
    } else {
        json!({"op": "add", "path": "/metadata/annotations", "value": {RELEASED_ANNOTATION: uid}})
    }
}

/// Addresses that this machine's claims hold, as they would stand on Hardware.
fn allocated(world: &World) -> Vec<String> {
    let ours = world.address.claim.as_ref().filter(|claim| claimant(claim, &world.machine) == Claimant::Ours);
    let address = ours.and(world.address.ip_address.as_ref());
    address
        .and_then(|address| capt_ipam_core::canonical(&address.spec.address))
        .map(|address| vec![address.to_string()])
        .unwrap_or_default()
}
