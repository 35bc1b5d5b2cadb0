//! A Machine: has its infrastructure made, shows its state, and takes it down.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile, controller_reference};

use super::ClusterApi;
use super::availability::available;
use super::cluster::{is_infra_ready, is_true};
use super::conditions::Condition;
use super::names::MACHINE_FINALIZER;
use super::status::{report, specify};

pub(super) struct Machines(pub(super) Arc<ClusterApi>);

impl Reconcile for Machines {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let api = &self.0;
        let Some(machine) = api.machines.get(key) else {
            return Ok(Next::Wait);
        };
        if !api.is_active(&machine) {
            return Ok(Next::Wait);
        }
        if machine.is_terminating() {
            api.timers.forget(machine.uid());
            return api.take_down(&machine).await;
        }
        let machine = if machine.has_finalizer(MACHINE_FINALIZER) {
            machine
        } else {
            api.machines.patch(key, &machine.add_finalizer(MACHINE_FINALIZER)).await?
        };
        api.equip(&machine).await?;
        let next = api.bootstrap(&machine).await?;
        match api.infra_of(&machine) {
            Some(infra) => api.observe_machine(&machine, &infra).await?,
            None if is_provisioned(&machine) => api.report_lost(&machine).await?,
            None => {}
        }
        Ok(next)
    }
}

/// Whether a Machine's infrastructure is there.
pub(super) fn is_provisioned(machine: &Object) -> bool {
    is_true(&machine.status, "/initialization/infrastructureProvisioned")
        || is_true(&machine.status, "/infrastructureReady")
}

impl ClusterApi {
    fn infra_of(&self, machine: &Object) -> Option<Arc<Object>> {
        let name = machine.spec_text("/infrastructureRef/name");
        self.infra_machines.get(&Key::new(machine.namespace(), name))
    }

    /// Gives a Machine its bootstrap data, in its time.
    async fn bootstrap(&self, machine: &Object) -> Result<Next, Error> {
        if !machine.spec_text("/bootstrap/dataSecretName").is_empty() {
            return Ok(Next::Wait);
        }
        let left = self.timers.time_left(machine.uid(), "bootstrap", self.options.bootstrap_delay);
        if !left.is_zero() {
            return Ok(Next::After(left));
        }
        self.create_bootstrap(machine).await?;
        let bootstrap = json!({ "bootstrap": { "dataSecretName": machine.name() } });
        specify(&self.machines, machine, bootstrap).await?;
        Ok(Next::Wait)
    }

    async fn observe_machine(&self, machine: &Object, infra: &Object) -> Result<(), Error> {
        if !infra.is_owned_by(machine.uid()) {
            let owner = controller_reference(machine, self.machines.resource()?);
            self.infra_machines.patch(&infra.key(), &infra.add_owner(&owner)).await?;
        }
        let provisioned = is_infra_ready(infra) || is_provisioned(machine);
        if self.options.coarse && !provisioned {
            return Ok(());
        }
        let provider_id = infra.spec_text("/providerID");
        if provisioned && !provider_id.is_empty() {
            specify(&self.machines, machine, json!({ "providerID": provider_id })).await?;
        }
        report(&self.machines, machine, self.machine_status(machine, infra, provisioned)).await
    }

    fn machine_status(&self, machine: &Object, infra: &Object, provisioned: bool) -> Value {
        let v1beta2 = self.is_v1beta2();
        let phase = match (provisioned, self.options.nodes_join) {
            (true, true) => "Running",
            (true, false) => "Provisioned",
            (false, _) => "Provisioning",
        };
        let bootstrapped = !machine.spec_text("/bootstrap/dataSecretName").is_empty();
        let mut status = if v1beta2 {
            json!({ "phase": phase, "initialization": {
                "infrastructureProvisioned": provisioned, "bootstrapDataSecretCreated": bootstrapped,
            } })
        } else {
            json!({ "phase": phase, "infrastructureReady": provisioned, "bootstrapReady": bootstrapped })
        };
        let Some(fields) = status.as_object_mut() else {
            return status;
        };
        if let Some(addresses) = infra.status.get("addresses") {
            fields.insert("addresses".to_owned(), addresses.clone());
        }
        if provisioned && self.options.nodes_join {
            let node = match v1beta2 {
                true => json!({ "name": machine.name() }),
                false => json!({ "apiVersion": "v1", "kind": "Node", "name": machine.name() }),
            };
            fields.insert("nodeRef".to_owned(), node);
        }
        // What the infrastructure says of itself is what people see on the Machine.
        let told = |key| infra.condition("Ready").and_then(|c| c.get(key)).and_then(Value::as_str);
        let fallback = if provisioned { "Ready" } else { "NotReady" };
        let reason = told("reason").filter(|reason| !reason.is_empty()).unwrap_or(fallback);
        let condition =
            |kind| Condition { kind, status: provisioned, reason, message: told("message").unwrap_or_default() };
        self.tell_machine(machine, [condition("Ready"), condition("InfrastructureReady")], fields);
        status
    }

    /// The conditions of a Machine, and `Available`, which follows `Ready`; the older contract does not have it.
    fn tell_machine(&self, machine: &Object, told: [Condition<'_>; 2], fields: &mut serde_json::Map<String, Value>) {
        let [ready, infrastructure] = told;
        let available = match ready.status {
            true => available(true, ""),
            false => Condition { reason: "NotReady", ..available(false, "") },
        };
        match self.is_v1beta2() {
            true => self.tell(machine, &[ready, infrastructure, available], fields),
            false => self.tell(machine, &[ready, infrastructure], fields),
        }
    }

    /// The infrastructure of a Machine that was up is gone. Cluster API keeps the phase (`setMachinePhaseAndLastUpdated`) and
    /// says it in conditions (`setInfrastructureReadyCondition`, both in its `machine_controller_status.go`).
    async fn report_lost(&self, machine: &Object) -> Result<(), Error> {
        let kind = machine.spec_text("/infrastructureRef/kind");
        let message = format!("{kind} has been deleted while the Machine still exists");
        let summary = format!("* InfrastructureReady: {message}");
        let told = [
            Condition { kind: "Ready", status: false, reason: "NotReady", message: &summary },
            Condition { kind: "InfrastructureReady", status: false, reason: "Deleted", message: &message },
        ];
        let mut status = serde_json::Map::new();
        self.tell_machine(machine, told, &mut status);
        report(&self.machines, machine, status.into()).await
    }

    /// The infrastructure first, then the bootstrap Secret, then the Machine.
    async fn take_down(&self, machine: &Object) -> Result<Next, Error> {
        if let Some(infra) = self.infra_of(machine) {
            if !infra.is_terminating() {
                self.infra_machines.delete(&infra).await?;
            }
            if !self.options.coarse {
                report(&self.machines, machine, json!({ "phase": "Deleting" })).await?;
            }
            // Its store tells us when it is gone, or has just done so.
            return Ok(Next::Wait);
        }
        self.delete_bootstrap(machine).await?;
        if machine.has_finalizer(MACHINE_FINALIZER) {
            let patch = machine.remove_finalizer(MACHINE_FINALIZER);
            self.machines.patch(&machine.key(), &patch).await?;
        }
        Ok(Next::Wait)
    }
}
