//! Deletion, in the one order that is safe on every provider: stop the Workflow, wait until nothing may switch the server
//! on any more, switch it off, release the Hardware together with its address, release the claims, let the machine go.
//!
//! Nothing here needs an owner, a Cluster, bootstrap data or any field of the spec (difference D1).

mod bmc;
pub(crate) mod boot_jobs;
mod claims;
mod failure;
mod hardware;
mod let_go;
mod power_off;
pub(crate) mod proof;
mod stop;

use capt_api::contract::{LEGACY_MACHINE_FINALIZER, MACHINE_FINALIZER};
use jiff::Timestamp;
use serde_json::json;

use super::record;
use super::step::Step;
use super::watch;
use super::world::World;
use crate::effect::{Kind, Stage, Verb, Write};
use crate::patch;

pub use power_off::RETRIES;

/// The next step of a machine that is being deleted.
pub fn step(world: &World, now: Timestamp) -> Step {
    let finalizers = patch::finalizers(&*world.machine, &[], &[MACHINE_FINALIZER, LEGACY_MACHINE_FINALIZER]);
    let Some(rest) = finalizers else { return Step::Done };
    let step = watch::before_release(world)
        .or_else(|| failure::step(world, now))
        .or_else(|| stop::step(world, now))
        // What only the labels of the Hardware tell is known to nobody once they are gone: where to find the Job.
        .or_else(|| record::step(world))
        .or_else(|| power_off::step(world, now))
        .or_else(|| power_off::confirm(world))
        .or_else(|| hardware::step(world))
        .or_else(|| power_off::clean_up(world))
        .or_else(|| claims::step(world))
        .unwrap_or_else(|| {
            let body = patch::guarded_metadata(&*world.machine, json!({ "finalizers": rest }));
            Write::new(Stage::Finish, Kind::TinkerbellMachine, world.key(), Verb::Merge(body)).into()
        });
    watch::without_watch(world, step)
}
