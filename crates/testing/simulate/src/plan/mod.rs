//! What a seed says.

mod choose;
mod happening;
mod world;

use std::time::Duration;

pub use happening::{Event, Happening, Odd, Refusal, When};
pub use world::{Boot, MachinePlan, ServerPlan, World};

/// A world, and what happens in it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number from which it follows.
    pub seed: u64,
    /// What there is, and how the neighbours are.
    pub world: World,
    /// What happens, those at a time first, in order.
    pub events: Vec<Event>,
    /// When the end begins: faults stop and everything is deleted.
    pub end: Duration,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = choose::world(&mut random);
        let (mut events, end) = choose::events(&mut random, &world);
        events.sort_by_key(|event| event.when);
        Self { seed, world, events, end }
    }

    /// The same plan with only some of its events, by their place in it.
    #[must_use]
    pub fn only(&self, kept: &[usize]) -> Self {
        let events = kept.iter().filter_map(|at| self.events.get(*at).cloned()).collect();
        Self { events, ..self.clone() }
    }
}
