//! A Job makes its Tasks one by one, and ends with them (`rufio/internal/controller/job.go`).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile};

use super::{Bmc, JobFault, task, with_condition};

pub(super) struct Jobs(pub(super) Arc<Bmc>);

impl Reconcile for Jobs {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let bmc = &self.0;
        let Some(job) = bmc.jobs.get(key) else {
            return Ok(Next::Wait);
        };
        if job.is_terminating() || job.has_condition("Completed") || job.has_condition("Failed") {
            return Ok(Next::Wait);
        }
        let machine = Key::new(job.spec_text("/machineRef/namespace"), job.spec_text("/machineRef/name"));
        if bmc.faults.strikes(&[job.name(), &machine.name], JobFault::NeverReports) {
            return Ok(Next::Wait);
        }
        // Before any write: a Job whose BMC Machine is missing has no status, however long it is tried.
        let Some(machine) = bmc.machines.get(&machine) else {
            return Err(Error::Other(format!("get Job {key} MachineRef: machine {machine} not found")));
        };
        bmc.advance(&job, &machine).await?;
        Ok(Next::Wait)
    }
}

impl Bmc {
    async fn advance(&self, job: &Object, machine: &Object) -> Result<(), Error> {
        let mut completed = 0;
        for task in self.tasks_of(job) {
            if task.has_condition("Completed") {
                completed += 1;
            } else if task.has_condition("Failed") {
                let message = format!("task {} failed", task.key());
                return self.report(job, Some(("Failed", &message))).await;
            } else {
                // Nothing is written, not even that the Job runs: so it is with a Task that was there before it.
                return Ok(());
            }
        }
        let actions = job.spec.get("tasks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if completed == actions.len() {
            return self.report(job, Some(("Completed", ""))).await;
        }
        // More Tasks than actions can only be an earlier Job's. rufio then reads past the end of its list.
        let Some(action) = actions.get(completed) else {
            let (index, length) = (completed, actions.len());
            return Err(Error::Other(format!("panic: index out of range [{index}] with length {length} [recovered]")));
        };
        match self.make_task(job, machine, completed, action).await {
            Ok(()) if self.options.coarse => Ok(()),
            Ok(()) => self.report(job, None).await,
            Err(error @ Error::NotServed(_)) => Err(error),
            // Whatever it was: rufio does not try again.
            Err(error) => {
                let key = task_key(job, completed);
                let message = format!("failed to create Task {key}: {}", error.words());
                self.report(job, Some(("Failed", &message))).await
            }
        }
    }

    /// The Tasks whose controller is a Job of this *name*: rufio compares no UIDs.
    fn tasks_of(&self, job: &Object) -> Vec<Arc<Object>> {
        let mut tasks =
            self.tasks.select(|task| task.namespace() == job.namespace() && task::owner_name(task) == Some(job.name()));
        tasks.sort_by_key(|task| task.key());
        tasks
    }

    async fn make_task(&self, job: &Object, machine: &Object, n: usize, action: &Value) -> Result<(), Error> {
        let key = task_key(job, n);
        let resource = self.jobs.resource()?;
        let created = self
            .tasks
            .create(json!({
                "metadata": {
                    "name": key.name, "namespace": key.namespace,
                    "labels": { "owner-name": job.name() },
                    "ownerReferences": [{
                        "apiVersion": resource.api_version, "kind": resource.kind,
                        "name": job.name(), "uid": job.uid(), "controller": true,
                    }],
                },
                "spec": { "task": action, "connection": machine.spec.get("connection") },
            }))
            .await?;
        self.connections.learn_task(&created, machine.key());
        Ok(())
    }

    /// One write that says that the Job runs, and maybe how it ended.
    async fn report(&self, job: &Object, end: Option<(&str, &str)>) -> Result<(), Error> {
        let now = self.clock.timestamp();
        let mut status = Map::new();
        let mut told = job.clone();
        if !job.has_condition("Running") {
            status.insert("startTime".to_owned(), now.clone().into());
            set_conditions(&mut told.status, with_condition(job, "Running", ""));
        }
        if let Some((condition, message)) = end {
            let conditions = with_condition(&told, condition, message);
            set_conditions(&mut told.status, conditions);
            if condition == "Completed" {
                status.insert("completionTime".to_owned(), now.into());
            }
        }
        if told.status == job.status {
            return Ok(());
        }
        status.insert("conditions".to_owned(), told.status.get("conditions").cloned().unwrap_or_default());
        self.jobs.patch_status(&job.key(), &json!({ "status": status })).await?;
        Ok(())
    }
}

fn set_conditions(status: &mut Value, conditions: Vec<Value>) {
    match status.as_object_mut() {
        Some(status) => {
            status.insert("conditions".to_owned(), conditions.into());
        }
        None => *status = json!({ "conditions": conditions }),
    }
}

fn task_key(job: &Object, n: usize) -> Key {
    Key::new(job.namespace(), format!("{}-task-{n}", job.name()))
}
