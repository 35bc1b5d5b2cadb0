//! What a cluster says about itself. Pure.

use capt_api::conditions::{READY, reasons};
use capt_api::infra::{Initialization, TinkerbellClusterStatus};
use jiff::Timestamp;

use super::World;
use super::decide::{Step, pause_causes};
use crate::conditions::Conditions;
use crate::pause;

/// Text of the missing endpoint; operators know it from Go CAPT.
pub const NO_ENDPOINT: &str = "controlplane endpoint is not set";

/// The status that fits what is.
pub fn report(world: &World, step: &Step, now: Timestamp) -> TinkerbellClusterStatus {
    let before = world.infra.status.clone().unwrap_or_default();
    if matches!(step, Step::Do(_)) {
        return before;
    }
    let mut conditions = Conditions::new(before.conditions.clone(), world.infra.metadata.generation, now);
    pause::set_condition(&mut conditions, &pause_causes(world));
    match step {
        Step::NoEndpoint => conditions.set(READY, false, reasons::ENDPOINT_NOT_SET, NO_ENDPOINT),
        Step::Ready => conditions.set(READY, true, reasons::READY, ""),
        Step::Do(_) | Step::Paused | Step::Leave => {}
    }
    let ready = before.ready || matches!(step, Step::Ready);
    let initialization = if ready { Some(Initialization { provisioned: Some(true) }) } else { before.initialization };
    TinkerbellClusterStatus { ready, initialization, conditions: conditions.into_list() }
}
