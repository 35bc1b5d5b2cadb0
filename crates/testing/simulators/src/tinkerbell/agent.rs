//! tink-server and the agent: fetch an action, start it, report it done.

use serde_json::{Value, json};

use crate::bmc::Power;
use crate::engine::{Key, Object};

use super::workflow::Stage;
use super::{Tink, WorkflowFault};

impl Tink {
    /// PENDING and RUNNING.
    pub(super) fn run_agent(&self, workflow: &Object) -> Stage {
        if self.strikes(workflow, WorkflowFault::StuckPending)
            || self.is_blocked_by_sibling(workflow)
            || !self.server_is_on(workflow)
        {
            return Stage::Wait;
        }
        let Some((task, action)) = current_action(&workflow.status) else {
            return Stage::Wait;
        };
        let state = text(action, "state");
        if state == "RUNNING" {
            return self.report(workflow, task, action);
        }
        let fetched = workflow.status_text("/currentState/actionID") == text(action, "id");
        if !self.options.coarse && !fetched {
            let patch = self
                .patch(workflow)
                .set("agentID", text(task, "agentID"))
                .set("currentState", current_state(task, action, "PENDING"));
            return Stage::Write(patch);
        }
        let tasks = with_action(&workflow.status, text(action, "id"), |action| {
            action.insert("state".to_owned(), "RUNNING".into());
        });
        let patch = self
            .patch(workflow)
            .set("state", "RUNNING")
            .set("tasks", tasks)
            .set("currentState", current_state(task, action, "RUNNING"));
        Stage::Write(patch)
    }

    /// The action is over.
    fn report(&self, workflow: &Object, task: &Value, action: &Value) -> Stage {
        let (result, message) = if self.strikes(workflow, WorkflowFault::AgentFails) {
            ("FAILED", "action failed: fault on demand")
        } else if self.strikes(workflow, WorkflowFault::AgentTimesOut) {
            ("TIMEOUT", "action timed out: fault on demand")
        } else {
            ("SUCCESS", "action completed")
        };
        let now = self.clock.timestamp();
        let end = |action: &mut serde_json::Map<String, Value>| {
            let report = [
                ("state", result),
                ("executionStart", &now),
                ("executionStop", &now),
                ("executionDuration", "1s"),
                ("message", message),
            ];
            action.extend(report.map(|(key, value)| (key.to_owned(), value.into())));
        };
        // Coarse: all that is left of the actions happens at once.
        let last = last_action(&workflow.status);
        let is_last = self.options.coarse || last.is_some_and(|(_, last)| text(last, "id") == text(action, "id"));
        let tasks = if self.options.coarse && result == "SUCCESS" {
            with_every_action(&workflow.status, end)
        } else {
            with_action(&workflow.status, text(action, "id"), end)
        };
        let (task, action) = match last {
            Some(last) if self.options.coarse && result == "SUCCESS" => last,
            _ => (task, action),
        };
        let patch = self.patch(workflow).set("tasks", tasks).set("currentState", current_state(task, action, result));
        Stage::Write(match result {
            "SUCCESS" if is_last => patch.set("state", "POST"),
            "SUCCESS" => patch,
            failure => patch.set("state", failure),
        })
    }

    /// Whether the server runs; switches it on for a new Workflow where that is our job.
    fn server_is_on(&self, workflow: &Object) -> bool {
        let Some(power) = &self.power else {
            return true;
        };
        let Some(hardware) = self.hardware_of(workflow) else {
            return true;
        };
        let bmc = hardware.spec_text("/bmcRef/name");
        if bmc.is_empty() {
            return true;
        }
        let has_boot_mode = !workflow.spec_text("/bootOptions/bootMode").is_empty();
        let first_look = self.remember(workflow, |memory| !std::mem::replace(&mut memory.powered_on, true));
        if first_look && self.options.power_on && !has_boot_mode && workflow.status_text("/state") == "PENDING" {
            power.set(hardware.namespace(), bmc, Power::On);
        }
        // First note who waits, then look: a change in between is not missed.
        let key = Key::new(hardware.namespace(), bmc);
        self.waiting_for_power.lock().entry(key.clone()).or_default().insert(workflow.key());
        let on = power.get(&key.namespace, &key.name) == Power::On;
        if on {
            self.waiting_for_power.lock().remove(&key);
        }
        on
    }

    fn is_blocked_by_sibling(&self, workflow: &Object) -> bool {
        let agent = workflow.status_text("/agentID");
        let is_done = |state: &str| matches!(state, "SUCCESS" | "FAILED" | "TIMEOUT");
        self.options.terminal_siblings_block
            && !self
                .workflows
                .select(|other| other.status_text("/agentID") == agent && is_done(other.status_text("/state")))
                .is_empty()
    }
}

fn actions(status: &Value) -> impl DoubleEndedIterator<Item = (&Value, &Value)> {
    let tasks = status.get("tasks").and_then(Value::as_array).map(Vec::as_slice);
    tasks.unwrap_or_default().iter().flat_map(|task| {
        let actions = task.get("actions").and_then(Value::as_array).map(Vec::as_slice);
        actions.unwrap_or_default().iter().map(move |action| (task, action))
    })
}

/// The first action that is not done, with its task.
fn current_action(status: &Value) -> Option<(&Value, &Value)> {
    actions(status).find(|(_, action)| text(action, "state") != "SUCCESS")
}

fn last_action(status: &Value) -> Option<(&Value, &Value)> {
    actions(status).next_back()
}

/// `status.tasks` with one action changed.
fn with_action(status: &Value, id: &str, change: impl Fn(&mut serde_json::Map<String, Value>)) -> Value {
    with_every_action(status, |action| {
        if action.get("id").and_then(Value::as_str) == Some(id) {
            change(action);
        }
    })
}

fn with_every_action(status: &Value, change: impl Fn(&mut serde_json::Map<String, Value>)) -> Value {
    let mut tasks = status.get("tasks").cloned().unwrap_or_default();
    for task in tasks.as_array_mut().into_iter().flatten() {
        let actions = task.get_mut("actions").and_then(Value::as_array_mut);
        actions.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&change);
    }
    tasks
}

fn current_state(task: &Value, action: &Value, state: &str) -> Value {
    json!({
        "agentID": text(task, "agentID"),
        "taskID": text(task, "id"),
        "taskName": text(task, "name"),
        "actionID": text(action, "id"),
        "actionName": text(action, "name"),
        "state": state,
    })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
