//! The status of a BMC Machine follows the power of its server, late (`rufio/internal/controller/machine.go`).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::{Change, Error, Key, Next, Object, Queue, Reconcile};

use super::{Bmc, JobFault, Power, PowerStates, conditions_of, task};

pub(super) struct Machines {
    pub(super) bmc: Arc<Bmc>,
    pub(super) queue: Queue<Key>,
}

impl Reconcile for Machines {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let bmc = &self.bmc;
        let Some(machine) = bmc.machines.get(key) else {
            return Ok(Next::Wait);
        };
        if machine.is_terminating() {
            return Ok(Next::Wait);
        }
        bmc.call().await;
        let answer = if bmc.faults.has(&[&key.name], JobFault::ConnectError) {
            Err(task::NO_CONNECTION)
        } else {
            bmc.call().await;
            match bmc.faults.has(&[&key.name], JobFault::NeverAnswers) {
                true => Err("get power state: no answer"),
                false => Ok(bmc.power.get(&key.namespace, &key.name)),
            }
        };
        let status = status(&machine, answer, &bmc.clock.timestamp());
        let part = |field: &str| machine.status.get(field) == status.get(field);
        if !part("powerState") || !part("conditions") {
            bmc.machines.patch_status(key, &json!({ "status": status })).await?;
        }
        // Every change of the object brings a look of its own; the next one by itself is one, however many those were.
        self.queue.add_soon(key.clone(), bmc.options.power_check_interval);
        Ok(Next::Wait)
    }
}

/// What there is to tell. `lastUpdateTime` is when the *status* of Contactable changed last: it does not say when the
/// BMC was asked, nor when the power changed.
fn status(machine: &Object, answer: Result<Power, &str>, now: &str) -> Value {
    let (power, contactable, message) = match answer {
        Ok(power) => (power.as_str(), "True", ""),
        Err(problem) => ("unknown", "False", problem),
    };
    let known = machine.condition("Contactable");
    let known = known.filter(|known| known.get("status").and_then(Value::as_str) == Some(contactable));
    let since = known.and_then(|known| known.get("lastUpdateTime")?.as_str()).unwrap_or(now);
    let mut condition = json!({ "type": "Contactable", "status": contactable, "lastUpdateTime": since });
    if let Some(condition) = condition.as_object_mut().filter(|_| !message.is_empty()) {
        condition.insert("message".to_owned(), message.into());
    }
    let mut conditions = conditions_of(machine);
    conditions.retain(|other| other.get("type").and_then(Value::as_str) != Some("Contactable"));
    conditions.push(condition);
    json!({ "powerState": power, "conditions": conditions })
}

/// A BMC Machine that says it is on, is on, unless we know better.
pub(super) fn learn_power(power: &PowerStates, change: &Change<'_>) {
    let Some(machine) = change.after else {
        return;
    };
    let known = power.knows(machine.namespace(), machine.name());
    if !known && machine.status_text("/powerState") == Power::On.as_str() {
        power.set(machine.namespace(), machine.name(), Power::On);
    }
}
