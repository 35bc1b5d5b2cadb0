//! The status of a BMC Machine follows the power of its server.

use std::sync::Arc;

use serde_json::json;

use crate::engine::{Change, Error, Key, Next, Reconcile};

use super::{Bmc, Power, PowerStates};

pub(super) struct Machines(pub(super) Arc<Bmc>);

impl Reconcile for Machines {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let bmc = &self.0;
        let Some(machine) = bmc.machines.get(key) else {
            return Ok(Next::Wait);
        };
        let power = bmc.power.get(&key.namespace, &key.name).as_str();
        if machine.status_text("/powerState") != power {
            let status = json!({
                "powerState": power,
                "conditions": [{ "type": "Contactable", "status": "True", "lastUpdateTime": bmc.clock.timestamp() }],
            });
            bmc.machines.patch_status(key, &json!({ "status": status })).await?;
        }
        Ok(Next::Wait)
    }
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
