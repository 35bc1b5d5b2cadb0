//! What is ready and what is available: replicas, selectors, and the condition `Available` that people wait for.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::engine::{Error, Object};

use super::ClusterApi;
use super::conditions::{Condition, update};
use super::machine::is_provisioned;
use super::names::{CLUSTER_NAME, CONTROL_PLANE};
use super::status::report;

/// Whether a Machine is there and nothing says that it is not ready any more.
pub(super) fn is_ready(machine: &Object) -> bool {
    let says_no = machine.condition("Ready").and_then(|c| c.get("status")).is_some_and(|status| status == "False");
    is_provisioned(machine) && !says_no && !machine.is_terminating()
}

/// Whether an object says that it is available.
pub(super) fn is_available(object: &Object) -> bool {
    object.condition("Available").and_then(|c| c.get("status")).is_some_and(|status| status == "True")
}

/// The condition `Available`; `why_not` is told while it is false.
pub(super) fn available(status: bool, why_not: &str) -> Condition<'_> {
    match status {
        true => Condition { kind: "Available", status, reason: "Available", message: "" },
        false => Condition { kind: "Available", status, reason: "NotAvailable", message: why_not },
    }
}

/// `spec.selector` as a text, in the form that `scale` shows: `a=b,c=d`.
pub(super) fn selector(object: &Object) -> String {
    let labels = object.spec.pointer("/selector/matchLabels").and_then(Value::as_object);
    let mut pairs: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort_unstable();
    pairs.join(",")
}

/// The selector of a control plane's Machines.
pub(super) fn selector_of_control_plane(cluster: &str) -> String {
    format!("{CLUSTER_NAME}={cluster},{CONTROL_PLANE}")
}

impl ClusterApi {
    /// Puts conditions into a status, if they say anything new.
    pub(super) fn tell(&self, object: &Object, wanted: &[Condition<'_>], status: &mut Map<String, Value>) {
        let old = object.status.get("conditions");
        if let Some(conditions) = update(old, wanted, self.is_v1beta2(), &self.clock.timestamp()) {
            status.insert("conditions".to_owned(), conditions);
        }
    }

    /// Replicas of every MachineSet of a deployment, of which `current` is the one of its present template.
    pub(super) async fn report_sets(&self, sets: &[Arc<Object>], current: &Object) -> Result<(), Error> {
        for set in sets {
            let machines = self.machines.select(|machine| machine.is_owned_by(set.uid()));
            let ready = machines.iter().filter(|machine| is_ready(machine)).count();
            let up_to_date = if set.uid() == current.uid() { machines.len() } else { 0 };
            let mut status = json!({
                "selector": selector(set), "replicas": machines.len(), "readyReplicas": ready, "availableReplicas": ready,
            });
            if let Some(fields) = status.as_object_mut() {
                let (name, count) = match self.is_v1beta2() {
                    true => ("upToDateReplicas", up_to_date),
                    false => ("fullyLabeledReplicas", machines.len()),
                };
                fields.insert(name.to_owned(), count.into());
            }
            report(&self.sets, set, status).await?;
        }
        Ok(())
    }

    /// Conditions of a Cluster: in contract v1beta2 it is available when its parts are; the older contract has `Ready` for
    /// infrastructure and control plane.
    pub(super) fn tell_cluster(
        &self,
        cluster: &Object,
        (provisioned, control_plane): (bool, Option<&Object>),
        status: &mut Map<String, Value>,
    ) {
        let condition = |kind, status, reason: (&'static str, &'static str), message| Condition {
            kind,
            status,
            reason: if status { reason.0 } else { reason.1 },
            message: if status { "" } else { message },
        };
        let infrastructure =
            condition("InfrastructureReady", provisioned, ("Ready", "NotReady"), "Waiting for the infrastructure");
        let has_control_plane = control_plane.is_some_and(is_available);
        let why_not = match control_plane {
            Some(_) => "Control plane not available",
            None => "KubeadmControlPlane does not exist",
        };
        if !self.is_v1beta2() {
            let both = condition("Ready", provisioned && has_control_plane, ("Ready", "NotReady"), why_not);
            return self.tell(cluster, &[both, infrastructure], status);
        }
        let key = cluster.key();
        let deployments = self.deployments.select(|d| super::cluster_key(d).as_ref() == Some(&key));
        let unavailable: Vec<&str> = deployments.iter().filter(|d| !is_available(d)).map(|d| d.name()).collect();
        let missing = unavailable.iter().map(|name| format!("MachineDeployment {name} not available"));
        let missing = missing.collect::<Vec<_>>().join("; ");
        let reason = if deployments.is_empty() { "NoWorkers" } else { "Available" };
        let workers = condition("WorkersAvailable", unavailable.is_empty(), (reason, "NotAvailable"), &missing);
        let control_plane =
            condition("ControlPlaneAvailable", has_control_plane, ("Available", "NotAvailable"), why_not);
        let parts = [&infrastructure, &control_plane, &workers];
        let lacking: Vec<String> =
            parts.iter().filter(|part| !part.status).map(|part| format!("* {}: {}", part.kind, part.message)).collect();
        let lacking = lacking.join("\n");
        self.tell(cluster, &[available(lacking.is_empty(), &lacking), infrastructure, control_plane, workers], status);
    }
}
