//! Adopt: wait until the machine may start, then put our finalizer on it, before the first write to any Hardware.

use capt_api::conditions::Reason;
use capt_api::contract::{LEGACY_MACHINE_FINALIZER, LONGEST_MACHINE_NAME, MACHINE_FINALIZER};
use capt_api::meta::Meta;
use serde_json::json;

use super::boot;
use super::step::{Concern, Step, Wait};
use super::world::World;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::patch;

/// The next step of this stage, or nothing when it is done.
pub fn step(world: &World) -> Option<Step> {
    // A server that runs, or is being installed, needs none of this any more.
    if !world.is_in_use()
        && let Some(wait) = gate(world)
    {
        return Some(wait.into());
    }
    let wanted = patch::finalizers(&*world.machine, &[MACHINE_FINALIZER], &[LEGACY_MACHINE_FINALIZER])?;
    let body = patch::guarded_metadata(&*world.machine, json!({ "finalizers": wanted }));
    Some(Write::new(Stage::Adopt, Kind::TinkerbellMachine, world.key(), Verb::Merge(body)).into())
}

fn gate(world: &World) -> Option<Wait> {
    let wait = |reason, message: String| Some(Wait::expected(Concern::Hardware, reason, message));
    let name = world.machine.name();
    if name.len() > LONGEST_MACHINE_NAME {
        let message = format!(
            "the machine's name has {} characters; labels of its Hardware bear it, which take at most {LONGEST_MACHINE_NAME}: \
             delete the Machine and give it a shorter name",
            name.len()
        );
        return Some(Wait::problem(Concern::Hardware, Reason::MachineInvalid, message));
    }
    let Some(owner) = &world.owner else {
        return wait(Reason::WaitingForOwner, "no Cluster API Machine owns this machine yet".to_owned());
    };
    let Some(cluster) = &world.cluster.capi else {
        return wait(Reason::WaitingForCluster, format!("the Cluster of Machine {} does not exist", owner.key()));
    };
    match &world.cluster.infra {
        None => {
            let message = format!("Cluster {} has no TinkerbellCluster yet", cluster.key());
            return wait(Reason::WaitingForClusterInfrastructure, message);
        }
        Some(infra) => {
            let status = infra.status.as_ref();
            let provisioned = status.and_then(|s| s.initialization.as_ref()).and_then(|i| i.provisioned) == Some(true);
            if !provisioned && !status.is_some_and(|s| s.ready) {
                let message = format!("TinkerbellCluster {} is not ready", infra.key());
                return wait(Reason::WaitingForClusterInfrastructure, message);
            }
        }
    }
    if owner.spec.bootstrap.data_secret_name.as_deref().unwrap_or_default().is_empty() {
        let message = format!("Machine {} names no bootstrap data Secret yet", owner.key());
        return wait(Reason::WaitingForBootstrapData, message);
    }
    if owner.spec.version.as_deref().unwrap_or_default().is_empty() && boot::needs_version(world) {
        let message = format!("machine version is empty: Machine {} has no spec.version", owner.key());
        return Some(Wait::problem(Concern::Hardware, Reason::MachineInvalid, message));
    }
    None
}
