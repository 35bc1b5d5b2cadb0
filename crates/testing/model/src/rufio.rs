//! rufio: runs the Tasks of Jobs, one after the other.
//!
//! As its source has it: a Job's Tasks are found by the name of their controller, never by UID; a Job whose BMC Machine is
//! missing gets no status; a Task already made runs although its Job is gone; what has ended is never looked at again.

use capt_api::meta::ObjectKey;
use serde_json::{Value, json};

use crate::event::{Event, Next};
use crate::manager::UNKNOWN;
use crate::object::{Id, Kind, Object, Typed, Universe};
use crate::scenario::Scenario;
use crate::server;
use crate::state::{Server, State};

const WHO: &str = "rufio";

/// Everything that rufio may do next.
pub fn moves(universe: &mut Universe, state: &State, scenario: &Scenario, next: &mut Vec<Next>) {
    let of = |kind| -> Vec<Id> { state.of_kind(universe, kind).map(|(id, _)| id).collect() };
    let (jobs, tasks) = (of(Kind::Job), of(Kind::Task));
    for id in jobs {
        job(universe, state, id, next);
    }
    for id in tasks {
        task(universe, state, scenario, id, next);
    }
    for (place, server) in scenario.servers.iter().enumerate() {
        let Some(id) = state.find(universe, Kind::BmcMachine, &server.bmc) else { continue };
        let bmc = universe.get(id);
        if bmc.text("/status/powerState") == UNKNOWN {
            let (key, read) = (bmc.key_id, if state.servers[place].on { "on" } else { "off" });
            let mut after = state.clone();
            server::change_always(universe, &mut after, id, read, |bmc| bmc["status"]["powerState"] = json!(read));
            next.push(Next { event: Event::work(WHO, "reads the power state of", key), state: after, broken: None });
        }
    }
}

/// Whether a Job or Task has ended.
pub fn has_ended(object: &Object) -> bool {
    matches!(object.text("/status/conditions/0/type"), "Completed" | "Failed")
}

/// The BMC Machine that a Job names.
pub fn bmc_of(job: &Object) -> ObjectKey {
    ObjectKey::new(job.text("/spec/machineRef/namespace"), job.text("/spec/machineRef/name"))
}

/// The actions of a Job that change the power.
pub fn power_actions(job: &Object) -> Vec<&str> {
    let tasks = job.json.pointer("/spec/tasks").and_then(Value::as_array);
    tasks.into_iter().flatten().map(|task| task.get("powerAction").and_then(Value::as_str).unwrap_or("")).collect()
}

fn ends(object: &mut Value, condition: &str) {
    object["status"] = json!({"conditions": [{"type": condition, "status": "True"}]});
}

fn job(universe: &mut Universe, state: &State, id: Id, next: &mut Vec<Next>) {
    let job = universe.get(id);
    if job.is_terminating() || has_ended(job) {
        return;
    }
    let bmc = bmc_of(job);
    if state.find(universe, Kind::BmcMachine, &bmc).is_none() {
        return;
    }
    let mine = |task: &Object| task.key.namespace == job.key.namespace && task.controller_name == job.key.name;
    let tasks: Vec<&Object> =
        state.of_kind(universe, Kind::Task).map(|(_, task)| task).filter(|task| mine(task)).collect();
    let is = |task: &&Object, end: &str| task.text("/status/conditions/0/type") == end;
    let (key, wanted) = (job.key_id, power_actions(job).len());
    let done = tasks.iter().filter(|task| is(task, "Completed")).count();
    let mut after = state.clone();
    let what = if tasks.iter().any(|task| is(task, "Failed")) {
        server::change_always(universe, &mut after, id, "fails", |job| ends(job, "Failed"));
        "a Task has failed, and so has"
    } else if tasks.iter().any(|task| !has_ended(task)) {
        return;
    } else if done == wanted {
        server::change_always(universe, &mut after, id, "completes", |job| ends(job, "Completed"));
        "all Tasks are done, completed is"
    } else if done < wanted {
        let action = job.json.pointer(&format!("/spec/tasks/{done}")).cloned().unwrap_or_default();
        let metadata = json!({
            "namespace": job.key.namespace, "name": format!("{}-task-{done}", job.key.name),
            "ownerReferences": [{"kind": "Job", "name": job.key.name, "uid": job.text("/metadata/uid"), "controller": true}],
        });
        let body = json!({"metadata": metadata, "spec": {"task": action, "bmc": bmc.name}});
        server::create(universe, &mut after, Kind::Task, body);
        server::change_always(universe, &mut after, id, "runs", |job| ends(job, "Running"));
        "makes the next Task of"
    } else {
        // More Tasks are done than it has: it waits for ever.
        return;
    };
    let event = Event { is_quick: what.starts_with("makes"), ..Event::work(WHO, what, key) };
    next.push(Next { event, state: after, broken: None });
}

fn task(universe: &mut Universe, state: &State, scenario: &Scenario, id: Id, next: &mut Vec<Next>) {
    let task = universe.get(id);
    if task.is_terminating() || has_ended(task) {
        return;
    }
    let key = task.key_id;
    let Some(place) = scenario.servers.iter().position(|server| server.bmc.name == task.text("/spec/bmc")) else {
        return;
    };
    let what = match task.text("/spec/task/powerAction") {
        "on" => "switches the server on:",
        "off" => "switches the server off:",
        _ => "runs",
    };
    let action = task.text("/spec/task/powerAction").to_owned();
    let mut after = state.clone();
    switch(universe, &mut after, scenario, place, &action);
    server::change_always(universe, &mut after, id, "completes", |task| ends(task, "Completed"));
    next.push(Next { event: Event::work(WHO, what, key), state: after, broken: None });

    if let Some(left) = state.budget.bmc.checked_sub(1) {
        let mut after = state.clone();
        after.budget.bmc = left;
        server::change_always(universe, &mut after, id, "fails", |task| ends(task, "Failed"));
        next.push(Next { event: Event::mishap(WHO, "the BMC fails", Some(key)), state: after, broken: None });
    }
}

fn switch(universe: &Universe, state: &mut State, scenario: &Scenario, place: usize, action: &str) {
    let uses = match action {
        "on" => boots_with(universe, state, scenario, place),
        "off" => None,
        _ => return,
    };
    let server = &mut state.servers[place];
    *server = Server { on: action == "on", uses, ..*server };
}

/// The address that DHCP gives a server that boots now, and the claim for which that address is taken.
pub fn boots_with(universe: &Universe, state: &State, scenario: &Scenario, place: usize) -> Option<(u8, u16)> {
    let hardware = state.find(universe, Kind::Hardware, &scenario.servers[place].hardware)?;
    let Typed::Hardware(hardware) = &universe.get(hardware).typed else { return None };
    let text = hardware.addresses().next()?;
    let last = text.rsplit('.').next()?.parse().ok()?;
    let holder = state.of_kind(universe, Kind::IPAddress).find(|(_, address)| address.text("/spec/address") == text);
    Some((last, holder.and_then(|(_, address)| address.controller).unwrap_or(0)))
}
