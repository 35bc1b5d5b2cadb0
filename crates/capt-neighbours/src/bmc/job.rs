//! A Job runs its actions on the server of one BMC Machine.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile, controller_reference};

use super::{Bmc, JobFault, Power};

pub(super) struct Jobs(pub(super) Arc<Bmc>);

impl Reconcile for Jobs {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let bmc = &self.0;
        let Some(job) = bmc.jobs.get(key) else {
            return Ok(Next::Wait);
        };
        if job.is_terminating() || job.has_condition("Completed") || job.has_condition("Failed") {
            bmc.timers.forget(job.uid());
            return Ok(Next::Wait);
        }
        let machine_key = machine_of(&job);
        let Some(machine) = bmc.machines.get(&machine_key) else {
            return Ok(Next::Wait);
        };
        let names = [job.name(), machine.name()];
        if bmc.faults.strikes(&names, JobFault::NeverReports) {
            return Ok(Next::Wait);
        }
        if !bmc.options.coarse && !job.has_condition("Running") {
            let status = json!({ "startTime": bmc.clock.timestamp(), "conditions": [condition("Running", "")] });
            bmc.jobs.patch_status(key, &json!({ "status": status })).await?;
        }
        let left = bmc.timers.time_left(job.uid(), "run", bmc.options.step);
        if !left.is_zero() {
            return Ok(Next::After(left));
        }
        let outcome = bmc.run(&job, &machine).await?;
        bmc.report(&job, outcome).await?;
        Ok(Next::Wait)
    }
}

/// The BMC Machine that a Job names.
pub(super) fn machine_of(job: &Object) -> Key {
    Key::new(job.spec_text("/machineRef/namespace"), job.spec_text("/machineRef/name"))
}

impl Bmc {
    /// Runs every action; an error of the inner kind is the Job's failure.
    async fn run(&self, job: &Object, machine: &Object) -> Result<Result<(), String>, Error> {
        let names = [job.name(), machine.name()];
        let failure = if self.faults.strikes(&names, JobFault::ConnectError) {
            Some("Failed to connect to BMC: no answer")
        } else if self.faults.strikes(&names, JobFault::Fails) {
            Some("action failed")
        } else {
            None
        };
        let actions = job.spec.get("tasks").and_then(Value::as_array);
        for (n, action) in actions.into_iter().flatten().enumerate() {
            let result = match failure {
                Some(failure) => Err(failure.to_owned()),
                None => self.act(machine, action),
            };
            self.record_task(job, machine, n, action, &result).await?;
            if result.is_err() {
                return Ok(Err(format!("task {}/{} failed", job.namespace(), task_name(job, n))));
            }
        }
        Ok(Ok(()))
    }

    fn act(&self, machine: &Object, action: &Value) -> Result<(), String> {
        let set = |power| self.power.set(machine.namespace(), machine.name(), power);
        let Some(action) = action.as_object() else {
            return Err("no action specified".to_owned());
        };
        match action.get("powerAction").and_then(Value::as_str) {
            Some("on") => set(Power::On),
            Some("off" | "soft") => set(Power::Off),
            Some("cycle" | "reset") => {
                set(Power::Off);
                set(Power::On);
            }
            Some("status") => {}
            Some(other) => return Err(format!("unknown power action {other}")),
            None if action.is_empty() => return Err("no action specified".to_owned()),
            // Boot devices and virtual media leave no trace on these servers.
            None => {}
        }
        Ok(())
    }

    async fn report(&self, job: &Object, outcome: Result<(), String>) -> Result<(), Error> {
        let now = self.clock.timestamp();
        let start = match job.status_text("/startTime") {
            "" => &now,
            start => start,
        };
        let status = match outcome {
            Ok(()) => json!({
                "startTime": start, "completionTime": now,
                "conditions": [condition("Running", ""), condition("Completed", "")],
            }),
            Err(message) => json!({
                "startTime": start,
                "conditions": [condition("Running", ""), condition("Failed", &message)],
            }),
        };
        self.jobs.patch_status(&job.key(), &json!({ "status": status })).await?;
        Ok(())
    }

    /// Leaves a Task object behind, where that is wanted.
    async fn record_task(
        &self,
        job: &Object,
        machine: &Object,
        n: usize,
        action: &Value,
        result: &Result<(), String>,
    ) -> Result<(), Error> {
        let Some(tasks) = &self.tasks else {
            return Ok(());
        };
        let key = Key::new(job.namespace(), task_name(job, n));
        let body = json!({
            "metadata": {
                "name": key.name, "namespace": key.namespace,
                "labels": { "owner-name": job.name() },
                "ownerReferences": [controller_reference(job, self.jobs.resource()?)],
            },
            "spec": { "task": action, "connection": machine.spec.get("connection") },
        });
        match tasks.create(body).await {
            Err(error) if !error.is_conflict() => return Err(error),
            _ => {}
        }
        let now = self.clock.timestamp();
        let status = match result {
            Ok(()) => json!({ "startTime": now, "completionTime": now, "conditions": [condition("Completed", "")] }),
            Err(message) => json!({ "startTime": now, "conditions": [condition("Failed", message)] }),
        };
        tasks.patch_status(&key, &json!({ "status": status })).await?;
        Ok(())
    }
}

fn task_name(job: &Object, n: usize) -> String {
    format!("{}-task-{n}", job.name())
}

fn condition(condition: &str, message: &str) -> Value {
    json!({ "type": condition, "status": "True", "message": message })
}
