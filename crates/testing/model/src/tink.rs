//! tink-controller, tink-server and the agent: take a Workflow from its creation to its end.
//!
//! As in their source: the boot Job is named after the Workflow and owned by it; what is deleted is worked on for a while
//! longer, out of the cache; `allowPXE` of the Hardware is switched on before and off after.

use capt_api::contract::MACHINE_UID_ANNOTATION;
use capt_api::meta::ObjectKey;
use serde_json::{Value, json};

use crate::event::{Event, Next};
use crate::object::{Id, Kind, Object, Uid, Universe, uid_number};
use crate::rufio::boots_with;
use crate::scenario::Scenario;
use crate::server;
use crate::state::{Server, State};

const WHO: &str = "tink";

/// Everything that Tinkerbell may do next.
pub fn moves(universe: &mut Universe, state: &State, scenario: &Scenario, next: &mut Vec<Next>) {
    let workflows: Vec<Id> = state.of_kind(universe, Kind::Workflow).map(|(id, _)| id).collect();
    for id in workflows {
        workflow(universe, state, scenario, id, next);
    }
    for id in state.tink.clone() {
        let key = universe.get(id).key_id;
        let mut after = state.clone();
        after.tink.retain(|other| *other != id);
        next.push(Next { event: Event::work(WHO, "notices the deletion of", key), state: after.clone(), broken: None });
        if make_boot_job(universe, &mut after, id).is_some() {
            let event = Event::mishap(WHO, "makes a boot Job out of its cache for the deleted", Some(key));
            next.push(Next { event, state: after, broken: None });
        }
    }
}

/// The machine that a Workflow was made for.
pub fn machine_of(workflow: &Object) -> Option<Uid> {
    let annotations = workflow.json.pointer("/metadata/annotations")?;
    annotations.get(MACHINE_UID_ANNOTATION).and_then(Value::as_str).and_then(uid_number).or(workflow.controller)
}

/// The Hardware that a Workflow names.
pub fn hardware_of(workflow: &Object) -> ObjectKey {
    ObjectKey::new(&workflow.key.namespace, workflow.text("/spec/hardwareRef"))
}

fn boot_job(workflow: &Object) -> ObjectKey {
    ObjectKey::new(&workflow.key.namespace, format!("netboot-{}", workflow.key.name))
}

/// Makes the boot Job, unless one of its name is there.
fn make_boot_job(universe: &mut Universe, state: &mut State, id: Id) -> Option<Id> {
    if state.namespace_ends {
        return None;
    }
    let workflow = universe.get(id);
    let (job, hardware) = (boot_job(workflow), hardware_of(workflow));
    let owner = json!({"apiVersion": "tinkerbell.org/v1alpha1", "kind": "Workflow", "name": workflow.key.name,
        "uid": workflow.text("/metadata/uid"), "controller": true});
    if state.find(universe, Kind::Job, &job).is_some() {
        return None;
    }
    let hardware = state.find(universe, Kind::Hardware, &hardware)?;
    let bmc = universe.get(hardware).text("/spec/bmcRef/name").to_owned();
    let body = json!({
        "metadata": {"namespace": job.namespace, "name": job.name, "ownerReferences": [owner]},
        "spec": {"machineRef": {"namespace": job.namespace, "name": bmc},
            "tasks": [{"powerAction": "off"}, {"powerAction": "on"}]},
    });
    Some(server::create(universe, state, Kind::Job, body))
}

fn allow_pxe(universe: &mut Universe, state: &mut State, hardware: Id, allowed: bool) {
    let name = if allowed { "may boot from the network" } else { "may not boot from the network" };
    server::change_always(universe, state, hardware, name, |hardware| {
        for interface in hardware.pointer_mut("/spec/interfaces").and_then(Value::as_array_mut).into_iter().flatten() {
            interface["netboot"] = json!({ "allowPXE": allowed });
        }
    });
}

fn workflow(universe: &mut Universe, state: &State, scenario: &Scenario, id: Id, next: &mut Vec<Next>) {
    let workflow = universe.get(id);
    if workflow.is_terminating() {
        return;
    }
    let (key, at) = (workflow.key_id, workflow.text("/status/state").to_owned());
    let wants_boot = !workflow.text("/spec/bootOptions/bootMode").is_empty();
    let hardware_key = hardware_of(workflow);
    let hardware = state.find(universe, Kind::Hardware, &hardware_key);
    let template = ObjectKey::new(&workflow.key.namespace, workflow.text("/spec/templateRef"));
    let job = boot_job(workflow);
    let recorded = workflow.text("/status/bootOptions/jobs/boot/uid").to_owned();
    let machine = machine_of(workflow);
    let place = scenario.servers.iter().position(|server| server.hardware == hardware_key);

    let mut after = state.clone();
    let work = |what, after: State| Next { event: Event::work(WHO, what, key), state: after, broken: None };
    let state_of = |universe: &mut Universe, after: &mut State, to: &'static str| {
        server::change_always(universe, after, id, to, |workflow| workflow["status"]["state"] = json!(to));
    };
    match (at.as_str(), hardware, place) {
        ("PREPARING" | "PENDING", None, _) => {
            state_of(universe, &mut after, "FAILED");
            next.push(work("misses the Hardware and fails", after));
        }
        ("", Some(hardware), _) if state.find(universe, Kind::Template, &template).is_some() => {
            allow_pxe(universe, &mut after, hardware, true);
            state_of(universe, &mut after, "PREPARING");
            let event = Event::work(WHO, "prepares", key).quickly();
            next.push(Next { event, state: after, broken: None });
        }
        ("PREPARING", Some(_), _) if wants_boot && recorded.is_empty() => {
            let existing = state.find(universe, Kind::Job, &job);
            let Some(made) = existing.or_else(|| make_boot_job(universe, &mut after, id)) else { return };
            let uid = universe.get(made).text("/metadata/uid").to_owned();
            server::change(universe, &mut after, id, |workflow| {
                workflow["status"]["bootOptions"] = json!({"jobs": {"boot": {"uid": uid}}});
            });
            next.push(work("makes the boot Job of", after));
        }
        ("PREPARING", Some(_), _) => {
            let job = state.find(universe, Kind::Job, &job).map(|id| universe.get(id));
            let to = match job.filter(|job| job.text("/metadata/uid") == recorded) {
                _ if !wants_boot => "PENDING",
                None => "FAILED",
                Some(job) => match job.text("/status/conditions/0/type") {
                    "Completed" => "PENDING",
                    "Failed" => "FAILED",
                    _ => return,
                },
            };
            state_of(universe, &mut after, to);
            next.push(work(
                if to == "PENDING" { "waits for the agent of" } else { "misses the boot Job and fails" },
                after,
            ));
        }
        ("PENDING", Some(_), Some(place)) if state.servers[place].on => {
            after.servers[place] = Server { disk: machine, let_go: false, ..state.servers[place] };
            state_of(universe, &mut after, "RUNNING");
            let broken = crate::rules::installs(universe, state, place, machine);
            next.push(Next { event: Event::work("agent", "begins to write the disk for", key), state: after, broken });
        }
        ("RUNNING", hardware, Some(place)) if state.servers[place].on => {
            if let Some(left) = state.budget.workflow.checked_sub(1) {
                let mut after = state.clone();
                after.budget.workflow = left;
                state_of(universe, &mut after, "FAILED");
                next.push(Next { event: Event::mishap("agent", "fails", Some(key)), state: after, broken: None });
            }
            after.servers[place].uses = boots_with(universe, state, scenario, place);
            if let Some(hardware) = hardware {
                allow_pxe(universe, &mut after, hardware, false);
            }
            state_of(universe, &mut after, "SUCCESS");
            next.push(Next {
                event: Event::work("agent", "boots what it installed for", key),
                state: after,
                broken: None,
            });
        }
        _ => {}
    }
}
