//! The life of a machine, top to bottom. Start reading here.

use jiff::Timestamp;

use super::address::{self, Allocation};
use super::step::Step;
use super::world::World;
use super::{adopt, boot, pause, record, reinstall, release, reserve, track, watch};
use capt_api::meta::Meta;

/// The next step of a machine: one effect, a wait that names its reason, or the end. Pure: it depends on nothing but
/// what it is given, so that a crash after any write leaves the next pass with the right next step.
pub fn decide(world: &World, allocation: &Allocation, now: Timestamp) -> Step {
    if pause::is_paused(world) {
        return Step::Paused;
    }
    if world.machine.is_terminating() {
        return release::step(world, now);
    }
    watch::step(world)
        .or_else(|| adopt::step(world))
        .or_else(|| reserve::step(world))
        .or_else(|| record::step(world))
        .or_else(|| reinstall::step(world))
        .or_else(|| address::step(world, allocation))
        .or_else(|| boot::step(world))
        .or_else(|| track::step(world))
        .or_else(|| reserve::loss(world))
        .unwrap_or(Step::Done)
}
