//! Faults on demand: what is broken, how CAPT must tell it to the user, and how it is mended.

use anyhow::Context;
use capt_neighbours::bmc::JobFault;
use capt_neighbours::tinkerbell::WorkflowFault;
use clap::ValueEnum;
use memory_apiserver::MemoryApiServer;
use serde::Serialize;
use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::install::Installer;
use crate::manifests::Document;
use capt_observer::text;

/// Something that goes wrong around CAPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// An action of one machine's Workflow fails; somebody deletes the Workflow then.
    WorkflowFailed,
    /// A BMC cannot switch its server off at the first attempt.
    PowerOffFailed,
    /// The pool has one address; somebody makes it larger then.
    PoolExhausted,
}

/// How a machine told a fault.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// The fault.
    pub fault: Fault,
    /// The TinkerbellMachine.
    pub machine: String,
    /// Type of the condition.
    pub condition: String,
    /// Reason of condition and event.
    pub reason: String,
    /// Message of the condition.
    pub message: String,
    /// Message of the event.
    pub event: String,
}

impl Fault {
    /// Whether it strikes before machines are provisioned, not when they are released.
    pub fn is_of_provisioning(self) -> bool {
        self != Self::PowerOffFailed
    }

    /// What is broken, and what is done about it, in words.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::WorkflowFailed => ("an action of one Workflow fails", "the failed Workflow is deleted"),
            Self::PowerOffFailed => ("a BMC cannot switch its server off", "the BMC works at the next attempt"),
            Self::PoolExhausted => ("the pool has one address", "the pool gets the rest of its addresses"),
        }
    }

    /// Condition and reason that must tell it.
    fn sign(self) -> (&'static str, &'static str) {
        match self {
            Self::WorkflowFailed => ("WorkflowSucceeded", "WorkflowFailed"),
            Self::PowerOffFailed => ("Deleting", "PowerOffFailed"),
            Self::PoolExhausted => ("IPAddressClaimsFulfilled", "PoolExhausted"),
        }
    }

    /// Breaks it. The pool must not be on the control plane yet.
    pub fn strike(self, control_plane: &ControlPlane, documents: &mut [Document]) {
        let neighbours = control_plane.neighbours();
        match self {
            Self::WorkflowFailed => {
                if let Some(faults) = neighbours.and_then(|running| running.workflow_faults()) {
                    faults.inject_times("*", WorkflowFault::AgentFails, 1);
                }
            }
            Self::PowerOffFailed => {
                if let Some(faults) = neighbours.and_then(|running| running.job_faults()) {
                    faults.inject_times("*", JobFault::Fails, 1);
                }
            }
            Self::PoolExhausted => pools(documents).for_each(|pool| leave_one_address(&mut pool.object)),
        }
    }

    /// How it was told, once a condition and an event of one machine tell it.
    pub fn told(self, server: &MemoryApiServer) -> Option<Told> {
        let (type_, reason) = self.sign();
        let machines = server.list("infrastructure.cluster.x-k8s.io", "tinkerbellmachines");
        let events = server.list("", "events");
        machines.iter().find_map(|machine| {
            let conditions = machine.pointer("/status/conditions")?.as_array()?;
            let condition = conditions.iter().find(|c| text(c, "/type") == type_ && text(c, "/reason") == reason)?;
            let uid = text(machine, "/metadata/uid");
            let event =
                events.iter().find(|e| text(e, "/reason") == reason && text(e, "/involvedObject/uid") == uid)?;
            Some(Told {
                fault: self,
                machine: text(machine, "/metadata/name").to_owned(),
                condition: type_.to_owned(),
                reason: reason.to_owned(),
                message: text(condition, "/message").to_owned(),
                event: text(event, "/message").to_owned(),
            })
        })
    }

    /// Mends it, as a person would; `whole` are the documents as they were before it struck.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn mend(
        self,
        server: &MemoryApiServer,
        installer: &mut Installer,
        whole: &[Document],
    ) -> anyhow::Result<()> {
        match self {
            Self::WorkflowFailed => {
                let workflows = server.list("tinkerbell.org", "workflows");
                let failed = workflows.iter().find(|workflow| text(workflow, "/status/state") == "FAILED");
                let failed = failed.context("the failed Workflow is gone")?;
                let document = Document { file: "the control plane".to_owned(), number: 1, object: (**failed).clone() };
                installer.delete(&document).await
            }
            Self::PowerOffFailed => Ok(()),
            Self::PoolExhausted => {
                for pool in whole.iter().filter(|document| is_pool(document)) {
                    installer.merge(pool, &json!({ "spec": pool.object.get("spec") })).await?;
                }
                Ok(())
            }
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

fn is_pool(document: &Document) -> bool {
    matches!(document.kind(), "InClusterIPPool" | "IPPool")
}

fn pools(documents: &mut [Document]) -> impl Iterator<Item = &mut Document> {
    documents.iter_mut().filter(|document| is_pool(document))
}

/// The pool keeps its first address.
fn leave_one_address(pool: &mut Value) {
    if let Some(range) = pool.pointer_mut("/spec/addresses/0") {
        let first = range.as_str().and_then(|range| range.split('-').next()).unwrap_or_default().to_owned();
        *range = first.into();
    }
    let start = pool.pointer("/spec/pools/0/start").cloned();
    if let (Some(start), Some(end)) = (start, pool.pointer_mut("/spec/pools/0/end")) {
        *end = start;
    }
}
