//! The recording: what happened, and who brought it about.

use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Seconds since the beginning of the recording.
    pub t: f64,
    #[serde(rename = "event")]
    pub happened: String,
    pub kind: String,
    namespace: String,
    pub name: String,
    resource_version: String,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Event {
    /// What is compared.
    fn told(&self) -> Value {
        let mut told = json!({ "event": self.happened, "kind": self.kind, "name": self.name });
        told.as_object_mut().unwrap().extend(self.rest.clone());
        told
    }
}

/// The events of one case, in the order in which the server took the writes.
pub struct Recording {
    pub events: Vec<Event>,
}

fn all() -> Vec<Event> {
    let text = include_str!("../../golden/tinkerbell/events.jsonl");
    let mut events: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The lines are in order of arrival, and came over one watch for each kind.
    events.sort_by_key(|event| event.resource_version.parse::<u64>().unwrap());
    events
}

impl Recording {
    pub fn of(namespace: &str) -> Self {
        Self { events: all().into_iter().filter(|event| event.namespace == namespace).collect() }
    }

    pub fn namespaces() -> Vec<String> {
        let mut all: Vec<_> = all().into_iter().map(|event| event.namespace).collect();
        all.sort();
        all.dedup();
        all
    }

    /// When the last event of any case came.
    pub fn end() -> f64 {
        all().iter().map(|event| event.t).fold(0.0, f64::max)
    }

    pub fn told(&self) -> Vec<Value> {
        self.events.iter().map(Event::told).collect()
    }

    /// The events that were not rufio's or tink-controller's doing, each with the one of its object before it.
    pub fn inputs(&self) -> impl Iterator<Item = (&Event, Option<&Event>)> {
        let before = |at: usize| {
            let event = &self.events[at];
            self.events[..at].iter().rev().find(|known| known.kind == event.kind && known.name == event.name)
        };
        (0..self.events.len()).filter(|at| self.is_input(*at)).map(move |at| (&self.events[at], before(at)))
    }

    fn is_input(&self, at: usize) -> bool {
        let event = &self.events[at];
        let workflow = self.events[..at].iter().rev().find(|known| known.kind == "Workflow");
        let workflow_lives = workflow.is_some_and(|workflow| workflow.happened != "DELETED");
        let state = |event: &Event| event.rest["status"]["state"].as_str().unwrap_or_default().to_owned();
        // tink-controller makes boot Jobs, and unmakes them as long as it has their Workflow. Then the collector does.
        let of_boot = event.name.starts_with("netboot-");
        match (event.happened.as_str(), event.kind.as_str()) {
            ("ADDED", "Machine" | "Hardware" | "Workflow") | ("DELETED", "Workflow") => true,
            ("ADDED", "Job") => !of_boot,
            ("DELETED", "Job" | "Task") => !(of_boot && workflow_lives),
            // What the agent reports.
            ("MODIFIED", "Workflow") => matches!(state(event).as_str(), "RUNNING" | "POST"),
            // tink-controller writes allowPXE; capt-manager writes labels, and what the recording does not show. The
            // latter it does when the Workflow is done, the former while it prepares.
            ("MODIFIED", "Hardware") => {
                let before = self.events[..at].iter().rev().find(|known| known.kind == "Hardware").unwrap();
                let same = |part: &str| before.rest.get(part) == event.rest.get(part);
                !same("labels") || same("netboot") && workflow.is_some_and(|workflow| state(workflow) == "SUCCESS")
            }
            ("ADDED", "Task") | ("MODIFIED", "Machine" | "Job" | "Task") => false,
            other => panic!("{other:?} is nobody's"),
        }
    }
}
