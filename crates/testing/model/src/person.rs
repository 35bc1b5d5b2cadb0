//! A person, who may do anything, but not for ever.

use capt_api::contract::{OWNER_NAME_LABEL, OWNER_NAMESPACE_LABEL, PROVISIONED_ANNOTATION};
use serde_json::{Value, json};

use crate::event::{Event, Next};
use crate::object::{Id, KeyId, Kind, Universe};
use crate::scenario::{Act, BY_HAND, Scenario, make, manifest};
use crate::server;
use crate::state::State;

const WHO: &str = "a person";
/// The person's word that a machine may go without proof that its server is off.
pub const LET_GO: &str = "capt.tinkerbell.org/release-without-power-off";

/// Everything that a person may do next.
pub fn moves(universe: &mut Universe, state: &State, scenario: &Scenario, next: &mut Vec<Next>) {
    if let Some(left) = state.budget.deletions.checked_sub(1) {
        for id in all(universe, state, Kind::TinkerbellMachine) {
            if universe.get(id).is_terminating() {
                continue;
            }
            let mut after = state.clone();
            after.budget.deletions = left;
            server::delete(universe, &mut after, id);
            push(next, "deletes", Some(universe.get(id).key_id), after);
        }
    }
    let Some(left) = state.budget.person.checked_sub(1) else { return };
    for act in scenario.acts {
        let mut before = state.clone();
        before.budget.person = left;
        acts(universe, &before, scenario, *act, next);
    }
}

fn all(universe: &Universe, state: &State, kind: Kind) -> Vec<Id> {
    state.of_kind(universe, kind).map(|(id, _)| id).collect()
}

fn push(next: &mut Vec<Next>, what: &'static str, key: Option<KeyId>, state: State) {
    next.push(Next { event: Event::mishap(WHO, what, key), state, broken: None });
}

fn acts(universe: &mut Universe, state: &State, scenario: &Scenario, act: Act, next: &mut Vec<Next>) {
    let mut deletes = |universe: &mut Universe, kind| {
        for id in all(universe, state, kind) {
            if !universe.get(id).is_terminating() {
                let mut after = state.clone();
                server::delete(universe, &mut after, id);
                push(next, "deletes", Some(universe.get(id).key_id), after);
            }
        }
    };
    match act {
        Act::DeleteWorkflow => deletes(universe, Kind::Workflow),
        Act::DeleteTemplate => deletes(universe, Kind::Template),
        Act::DeleteJob => deletes(universe, Kind::Job),
        Act::Recreate => recreate(universe, state, scenario, next),
        Act::LetGo => {
            for id in all(universe, state, Kind::TinkerbellMachine) {
                if universe.get(id).is_terminating() {
                    changes(universe, state, id, "lets go without proof", next, |machine| {
                        machine["metadata"]["annotations"][LET_GO] = json!("true");
                    });
                }
            }
        }
        Act::DeleteNamespace => {
            let mut after = state.clone();
            after.namespace_ends = true;
            push(next, "deletes the namespace of everything", None, after);
        }
        Act::StripLabels | Act::DropMark | Act::Blank | Act::Replace | Act::WriteAddress => {
            hardware(universe, state, scenario, act, next);
        }
    }
}

fn recreate(universe: &mut Universe, state: &State, scenario: &Scenario, next: &mut Vec<Next>) {
    for key in &scenario.machines {
        if state.find(universe, Kind::TinkerbellMachine, key).is_none() {
            let mut after = state.clone();
            let rest = scenario.machine(universe, state, key);
            make(universe, &mut after, Kind::TinkerbellMachine, key, state.next_uid, rest);
            after.next_uid += 1;
            push(next, "makes again", universe.known_key(Kind::TinkerbellMachine, key), after);
        }
    }
}

fn hardware(universe: &mut Universe, state: &State, scenario: &Scenario, act: Act, next: &mut Vec<Next>) {
    for id in all(universe, state, Kind::Hardware) {
        let object = universe.get(id);
        let Some(server) = scenario.servers.iter().find(|server| server.hardware == object.key) else { continue };
        let (key, uid) = (object.key_id, object.uid);
        let labels = object.json.pointer("/metadata/labels").is_some();
        let annotations = object.json.pointer("/metadata/annotations");
        let marked = annotations.is_some_and(|annotations| annotations.get(PROVISIONED_ANNOTATION).is_some());
        let touched = labels || annotations.is_some();
        let has_address = object.json.pointer("/spec/interfaces/0/dhcp/ip").is_some();
        match act {
            Act::StripLabels if labels => {
                changes(universe, state, id, "takes the owner labels off", next, |hardware| {
                    if let Some(labels) = hardware.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
                        labels.remove(OWNER_NAME_LABEL);
                        labels.remove(OWNER_NAMESPACE_LABEL);
                    }
                })
            }
            Act::DropMark if marked => {
                changes(universe, state, id, "takes the mark provisioned off", next, |hardware| {
                    if let Some(all) = hardware.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
                        all.remove(PROVISIONED_ANNOTATION);
                    }
                })
            }
            Act::WriteAddress if !has_address => {
                changes(universe, state, id, "writes an address by hand to", next, |hardware| {
                    hardware["spec"]["interfaces"][0]["dhcp"]["ip"] =
                        json!({"address": BY_HAND, "netmask": "255.255.255.0", "gateway": "10.0.0.254", "family": 4});
                });
            }
            Act::Blank if touched && !object.is_terminating() => {
                let mut after = state.clone();
                make(universe, &mut after, Kind::Hardware, &server.hardware, uid, manifest(server));
                push(next, "replaces by its manifest", Some(key), after);
            }
            Act::Replace if touched => {
                let mut after = state.clone();
                make(universe, &mut after, Kind::Hardware, &server.hardware, state.next_uid, manifest(server));
                after.next_uid += 1;
                push(next, "deletes and makes again from its manifest", Some(key), after);
            }
            _ => {}
        }
    }
}

fn changes(
    universe: &mut Universe,
    state: &State,
    id: Id,
    what: &'static str,
    next: &mut Vec<Next>,
    change: impl FnOnce(&mut Value),
) {
    let mut after = state.clone();
    let key = universe.get(id).key_id;
    server::change(universe, &mut after, id, change);
    push(next, what, Some(key), after);
}
