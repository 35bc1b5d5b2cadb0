//! What all programs need that are not a manager: a manager in name only makes the Templates and Workflows that capt-manager
//! had made, and says that machines are ready. It looks for no Hardware and leaves none marked.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Context;
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, TryStreamExt as _, pin_mut};
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use real_control_plane::api_server::ADMIN;
use real_control_plane::control_plane::ControlPlane;
use serde_json::{Value, json};

use crate::course::{Course, Program};
use crate::fleet::Fleet;
use crate::objects::{self, NAMESPACE, TEMPLATE, TINKERBELL_MACHINE, WORKFLOW};
use crate::run::{clear, make_cluster, prepare};
use crate::stage::{self, BENCH};

/// What the manager in name only writes for each machine: Template, Workflow, status.
pub const WRITES: u32 = 3;
/// How many machines are worked on at once, as many as by capt-manager.
const WORKERS: usize = 10;

/// What is to be made for the machines, without what the server adds.
pub struct Plan {
    templates: Vec<Value>,
    workflows: Vec<Value>,
}

impl Plan {
    /// What there is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(fleet: &Fleet) -> anyhow::Result<Self> {
        let bare = |objects: Vec<Value>, kind: objects::Kind| objects.iter().map(|object| bare(object, kind)).collect();
        Ok(Self {
            templates: bare(fleet.list(TEMPLATE).await?, TEMPLATE),
            workflows: bare(fleet.list(WORKFLOW).await?, WORKFLOW),
        })
    }
}

fn bare(object: &Value, kind: objects::Kind) -> Value {
    json!({
        "apiVersion": kind.version,
        "kind": kind.kind,
        "metadata": { "name": object.pointer("/metadata/name"), "namespace": NAMESPACE, "labels": object.pointer("/metadata/labels") },
        "spec": object.get("spec"),
    })
}

/// From the first machine's creation until all are ready. Leaves the control plane empty.
///
/// # Errors
/// When the server refuses something, or there is nothing for some machine.
pub async fn seconds(course: &Course, plan: &Plan, plane: &ControlPlane) -> anyhow::Result<f64> {
    let fleet = Fleet::new(plane.client(ADMIN, BENCH).await?);
    prepare(&fleet, course).await?;
    let neighbours = stage::neighbours(plane, course).await?;
    // The manager's own user: the API server shares its time out by user.
    let manager = Fleet::new(plane.client(Program::CaptManager.name(), Program::CaptManager.name()).await?);
    let uids = make_cluster(&fleet, course).await?;
    let begin = Instant::now();
    let machines = uids.iter().enumerate().map(|(n, machine_uid)| objects::tinkerbell_machine(course, n, machine_uid));
    let (made, told) = tokio::join!(
        async {
            fleet.create(TINKERBELL_MACHINE, machines).await?;
            anyhow::Ok(())
        },
        manage(&manager, plan, plane)
    );
    made?;
    told?;
    let seconds = begin.elapsed().as_secs_f64();
    fleet.delete(TINKERBELL_MACHINE, (0..course.machines).map(objects::machine_name)).await?;
    clear(&fleet).await?;
    neighbours.stop().await;
    Ok(seconds)
}

/// Makes everything, and says of each machine that it is ready when its Workflow is done.
async fn manage(fleet: &Fleet, plan: &Plan, plane: &ControlPlane) -> anyhow::Result<()> {
    let made = futures::stream::iter(plan.templates.iter().zip(&plan.workflows)).map(async |(template, workflow)| {
        fleet.create(TEMPLATE, [template.clone()]).await?;
        fleet.create(WORKFLOW, [workflow.clone()]).await?;
        anyhow::Ok(())
    });
    let made = made.buffer_unordered(WORKERS).try_collect::<()>();
    let (made, told) = tokio::join!(made, tell(fleet, plan.workflows.len(), plane));
    made?;
    told
}

async fn tell(fleet: &Fleet, machines: usize, plane: &ControlPlane) -> anyhow::Result<()> {
    let client = plane.client(Program::CaptManager.name(), Program::CaptManager.name()).await?;
    let api: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &WORKFLOW.resource());
    let workflows = watcher(api, watcher::Config::default()).applied_objects();
    pin_mut!(workflows);
    let mut telling = FuturesUnordered::new();
    let (mut known, mut told) = (BTreeSet::new(), 0);
    while told < machines {
        tokio::select! {
            workflow = workflows.try_next() => {
                let workflow = workflow?.context("the watch ended")?;
                let is_done = workflow.data.pointer("/status/state").and_then(Value::as_str) == Some("SUCCESS");
                let name = workflow.name_any();
                if is_done && known.insert(name.clone()) {
                    telling.push(fleet.tell_ready(name));
                }
            }
            Some(done) = telling.next() => {
                done?;
                told += 1;
            }
        }
    }
    Ok(())
}
