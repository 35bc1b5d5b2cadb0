//! What a look at the World, or at a BMC, adds to the memory of a machine.

use capt_api::meta::Meta;
use jiff::Timestamp;

use super::memory::Memory;
use super::release::{boot_jobs, proof};
use super::world::World;
use crate::ports::{BmcState, BmcView};

impl Memory {
    /// Takes in what this look at the world tells, before the decision.
    pub fn observe(&mut self, world: &World, now: Timestamp) {
        if self.uid != world.machine.uid() {
            *self = Self { uid: world.machine.uid().to_owned(), ..Self::default() };
        }
        // A Job that is there needs no memory; what asks for a Job next asks for another.
        let before = self.unconfirmed_jobs.len();
        self.unconfirmed_jobs.retain(|_, name| !world.power.jobs.iter().any(|job| job.name() == name));
        self.confirmed += (before - self.unconfirmed_jobs.len()) as u64;
        let Some(hardware) = world.to_release.first().filter(|_| world.machine.is_terminating()) else {
            return;
        };
        let key = hardware.key();
        let may_stir = || boot_jobs::may_stir(&world.machine, &world.boot.workflows, world.is_provisioned());
        if boot_jobs::stirs(world, hardware) || (!self.stirred.contains_key(&key) && may_stir()) {
            self.stirred.insert(key, now);
        }
    }

    /// Takes in what the BMC's Machine says.
    pub fn learn(&mut self, world: &World, view: &BmcView) {
        let failed = world
            .to_release
            .first()
            .and_then(|hardware| Some((hardware.key(), proof::last_failure(world, hardware)?.name().to_owned())));
        if let (BmcView::Found(BmcState { anew: true, .. }), Some((hardware, job))) = (view, failed) {
            self.asked.insert(hardware, job);
        }
    }
}
