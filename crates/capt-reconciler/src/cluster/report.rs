//! What a cluster says about itself. Pure.

use crate::observed::infra::{Initialization, TinkerbellClusterStatus};
use capt_api::conditions::{READY, Reason};
use capt_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use jiff::Timestamp;

use super::World;
use super::decide::{Step, pause_causes};
use crate::conditions::Conditions;
use crate::notice::Notice;
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
        Step::NoEndpoint => conditions.set(READY, false, Reason::EndpointNotSet, NO_ENDPOINT),
        Step::NoCluster => {
            conditions.set(READY, false, Reason::WaitingForCluster, "no Cluster owns this TinkerbellCluster");
        }
        Step::Ready => conditions.set(READY, true, Reason::Ready, ""),
        Step::Paused => pause::set_ready(&mut conditions, before.ready, &pause_causes(world)),
        Step::Do(_) | Step::Leave => {}
    }
    let ready = before.ready || matches!(step, Step::Ready);
    let initialization = if ready { Some(Initialization { provisioned: Some(true) }) } else { before.initialization };
    TinkerbellClusterStatus { ready, initialization, conditions: conditions.into_list() }
}

/// The status that tells what goes wrong with a write.
pub fn trouble(world: &World, reason: Reason, message: &str, now: Timestamp) -> TinkerbellClusterStatus {
    let before = world.infra.status.clone().unwrap_or_default();
    let mut conditions = Conditions::new(before.conditions.clone(), world.infra.metadata.generation, now);
    conditions.set(READY, false, reason, message);
    TinkerbellClusterStatus { conditions: conditions.into_list(), ..before }
}

/// What a new status tells for the first time: one notice for each change.
pub fn news(before: &[Condition], after: &TinkerbellClusterStatus, world: &World) -> Vec<Notice> {
    let mut news: Vec<Notice> = pause::news(before, &after.conditions).into_iter().collect();
    let ready = |list: &[Condition]| list.iter().find(|condition| condition.type_ == READY).cloned();
    let (old, new) = (ready(before), ready(&after.conditions));
    if let Some(new) = new.filter(|new| old.as_ref().is_none_or(|old| old.reason != new.reason)) {
        let host = world.infra.spec.control_plane_endpoint.as_ref().map_or("", |endpoint| endpoint.host.as_str());
        match Reason::parse(&new.reason) {
            Some(reason @ Reason::Ready) if old.is_none_or(|old| old.status != "True") => {
                let message = format!("the cluster's infrastructure is ready, with endpoint {host}");
                news.push(Notice::normal(reason, message));
            }
            Some(reason @ (Reason::EndpointNotSet | Reason::WriteRejected | Reason::WriteFailed)) => {
                news.push(Notice::warning(reason, new.message));
            }
            _ => {}
        }
    }
    news
}
