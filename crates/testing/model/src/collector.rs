//! The garbage collector and the namespace controller, each as late as can be.

use crate::event::{Event, Next};
use crate::object::{Id, Kind, Universe};
use crate::server;
use crate::state::State;

/// Everything that they may do next.
pub fn moves(universe: &mut Universe, state: &State, next: &mut Vec<Next>) {
    let all: Vec<Id> = state.objects.clone();
    for id in all {
        let object = universe.get(id);
        if object.is_terminating() || matches!(object.kind, Kind::Cluster | Kind::Machine | Kind::TinkerbellCluster) {
            continue;
        }
        let key = object.key_id;
        let is_orphan = object.controller.is_some_and(|owner| state.by_uid(universe, owner).is_none());
        if is_orphan {
            let mut after = state.clone();
            server::delete(universe, &mut after, id);
            next.push(Next { event: Event::work("garbage collector", "takes", key), state: after, broken: None });
        }
        if state.namespace_ends {
            let mut after = state.clone();
            server::delete(universe, &mut after, id);
            next.push(Next { event: Event::work("namespace controller", "deletes", key), state: after, broken: None });
        }
    }
}
