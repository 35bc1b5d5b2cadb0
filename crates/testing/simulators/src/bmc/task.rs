//! A Task is one action on a BMC (`rufio/internal/controller/task.go`).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile};

use super::{Bmc, JobFault, Power, with_condition};

/// A Task that has not come to an end by then has failed.
const TIME_LIMIT: Duration = Duration::from_secs(10 * 60);
/// What bmclib says about a connection that cannot be opened.
pub(super) const NO_CONNECTION: &str = "failed to open connection to BMC: no answer";
/// What a BMC says that calls "off" an error, by way of bmclib.
const OFF_ALREADY: &str = "failed to perform PowerAction: 2 errors occurred:\n\t* provider: rpc: error from rpc \
    consumer: code: 500, message: Command not supported in present state\n\t* failed to set power state\n\n";

pub(super) struct TaskRuns(pub(super) Arc<Bmc>);

/// The name of the Job that controls a Task; rufio's index of Tasks has nothing else.
pub(super) fn owner_name(task: &Object) -> Option<&str> {
    let owner = task.controller()?;
    let is_job = owner.kind == "Job" && owner.api_version == "bmc.tinkerbell.org/v1alpha1";
    is_job.then_some(owner.name.as_str())
}

impl Reconcile for TaskRuns {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let bmc = &self.0;
        let Some(task) = bmc.tasks.get(key) else {
            return Ok(Next::Wait);
        };
        // Nobody asks whether its Job is still there.
        if task.is_terminating() || task.has_condition("Failed") || task.has_condition("Completed") {
            return Ok(Next::Wait);
        }
        let machine = bmc.connections.machine_of(&task);
        bmc.call().await;
        let Some(machine) = machine.filter(|machine| !bmc.strikes(&task, machine, JobFault::ConnectError)) else {
            return bmc.fail(&task, Map::new(), &format!("Failed to connect to BMC: {NO_CONNECTION}")).await;
        };
        match task.status_text("/startTime") {
            "" => bmc.run(&task, &machine).await,
            start => bmc.follow(&task, &machine, bmc.clock.since(start)).await,
        }
    }
}

impl Bmc {
    fn strikes(&self, task: &Object, machine: &Key, fault: JobFault) -> bool {
        let job = owner_name(task).unwrap_or_default();
        self.faults.strikes(&[job, &machine.name], fault)
    }

    /// Gives the command.
    async fn run(&self, task: &Object, machine: &Key) -> Result<Next, Error> {
        let now = self.clock.timestamp();
        let mut status = Map::from_iter([("startTime".to_owned(), Value::from(now.as_str()))]);
        self.call().await;
        if let Err(problem) = self.act(task, machine) {
            return self.fail(task, status, &problem).await;
        }
        if self.options.coarse && self.is_reached(task, machine)? {
            status.insert("completionTime".to_owned(), now.into());
            status.insert("conditions".to_owned(), with_condition(task, "Completed", "").into());
        }
        self.tasks.patch_status(&task.key(), &json!({ "status": status })).await?;
        Ok(Next::Wait)
    }

    /// Looks whether the command has come to pass.
    async fn follow(&self, task: &Object, machine: &Key, age: Duration) -> Result<Next, Error> {
        if age >= TIME_LIMIT {
            return self.fail(task, Map::new(), &format!("bmc task timeout: {}", age.as_nanos())).await;
        }
        if !power_action(task).is_empty() {
            self.call().await;
        }
        if !self.is_reached(task, machine)? {
            return Ok(Next::After(self.options.poll));
        }
        let status = json!({
            "completionTime": self.clock.timestamp(), "conditions": with_condition(task, "Completed", ""),
        });
        self.tasks.patch_status(&task.key(), &json!({ "status": status })).await?;
        Ok(Next::Wait)
    }

    /// Whether the server has the power that the Task wants; other actions are done when they were taken.
    fn is_reached(&self, task: &Object, machine: &Key) -> Result<bool, Error> {
        let action = power_action(task);
        if !action.is_empty() && self.strikes(task, machine, JobFault::NeverAnswers) {
            return Err(Error::Other("bmc task status check: failed to get power state: no answer".to_owned()));
        }
        let power = self.power.get(&machine.namespace, &machine.name);
        Ok(match action {
            "on" => power == Power::On,
            "off" | "soft" => power == Power::Off,
            _ => true,
        })
    }

    /// What the BMC makes of the command; an error is the Task's failure.
    fn act(&self, task: &Object, machine: &Key) -> Result<(), String> {
        let action = task.spec.get("task").and_then(Value::as_object);
        let Some(failure) = action.and_then(failure_words) else {
            return Err("no action specified in Task, nothing to do".to_owned());
        };
        let (namespace, name) = (machine.namespace.as_str(), machine.name.as_str());
        self.power.count_call(namespace, name);
        if self.strikes(task, machine, JobFault::Fails) {
            return Err(format!("{failure}: refused by the BMC"));
        }
        let action = power_action(task);
        let is_off = self.power.get(namespace, name) == Power::Off;
        if matches!(action, "off" | "soft") && is_off && self.strikes(task, machine, JobFault::OffIsAnError) {
            return Err(OFF_ALREADY.to_owned());
        }
        if self.strikes(task, machine, JobFault::NeverAnswers) || self.strikes(task, machine, JobFault::Ignores) {
            return Ok(());
        }
        let set = |power| self.power.set(namespace, name, power);
        match action {
            "on" => set(Power::On),
            "off" | "soft" => set(Power::Off),
            "cycle" | "reset" => {
                set(Power::Off);
                set(Power::On);
            }
            // Boot devices and virtual media leave no trace on these servers.
            _ => {}
        }
        Ok(())
    }

    async fn fail(&self, task: &Object, mut status: Map<String, Value>, message: &str) -> Result<Next, Error> {
        status.insert("conditions".to_owned(), with_condition(task, "Failed", message).into());
        self.tasks.patch_status(&task.key(), &json!({ "status": status })).await?;
        Ok(Next::Wait)
    }
}

fn power_action(task: &Object) -> &str {
    task.spec_text("/task/powerAction")
}

/// How rufio begins when the BMC refuses an action; none for an action without content.
fn failure_words(action: &Map<String, Value>) -> Option<&'static str> {
    [
        ("powerAction", "failed to perform PowerAction"),
        ("oneTimeBootDeviceAction", "failed to perform OneTimeBootDeviceAction"),
        ("bootDevice", "failed to set BootDevice, ok: false, err"),
        ("virtualMediaAction", "failed to perform SetVirtualMedia"),
    ]
    .into_iter()
    .find_map(|(kind, words)| action.contains_key(kind).then_some(words))
}
