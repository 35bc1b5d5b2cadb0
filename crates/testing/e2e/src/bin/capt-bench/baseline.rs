//! What all programs need that are not a manager: a manager in name only makes the Templates and Workflows that capt-manager
//! had made, and says that machines are ready. It looks for no Hardware and leaves none marked.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, ensure};
use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, TryStreamExt as _, pin_mut};
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use real_control_plane::api_server::ADMIN;
use real_control_plane::control_plane::ControlPlane;
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::objects::{Kind, NAMESPACE, TEMPLATE, TINKERBELL_MACHINE, WORKFLOW};
use crate::run::{PATIENCE, clear, make_cluster, make_machines, prepare};
use crate::stage::{self, BENCH};
use crate::workload::{Program, Workload};

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
        let bare = |objects: Vec<Value>, kind: Kind| objects.iter().map(|object| bare(object, kind)).collect();
        Ok(Self {
            templates: bare(fleet.list(TEMPLATE).await?, TEMPLATE),
            workflows: bare(fleet.list(WORKFLOW).await?, WORKFLOW),
        })
    }
}

fn bare(object: &Value, kind: Kind) -> Value {
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": { "name": object.pointer("/metadata/name"), "namespace": NAMESPACE, "labels": object.pointer("/metadata/labels") },
        "spec": object.get("spec"),
    })
}

/// From the first machine's creation until all are ready. Leaves the control plane empty.
///
/// # Errors
/// When the server refuses something, when there is nothing for some machine, or when it takes too long.
pub async fn seconds(workload: &Workload, plan: &Plan, plane: &ControlPlane) -> anyhow::Result<f64> {
    ensure!(plan.workflows.len() == workload.machines, "{} Workflows are to be made again", plan.workflows.len());
    let fleet = Fleet::new(plane.client(ADMIN, BENCH).await?);
    prepare(&fleet, workload).await?;
    let simulators = stage::simulators(plane, workload).await?;
    // The manager's own user: the API server shares its time out by user.
    let manager = plane.client(Program::CaptManager.name(), Program::CaptManager.name()).await?;
    let uids = make_cluster(&fleet, workload).await?;
    let begin = Instant::now();
    let all = async { tokio::try_join!(make_machines(&fleet, workload, &uids), manage(manager, plan)) };
    tokio::time::timeout(PATIENCE, all).await.context("some machines do not become ready")??;
    let seconds = begin.elapsed().as_secs_f64();
    fleet.clear(TINKERBELL_MACHINE).await?;
    clear(&fleet).await?;
    simulators.stop().await;
    Ok(seconds)
}

/// Makes everything, and says of each machine that it is ready when its Workflow is done.
async fn manage(client: Client, plan: &Plan) -> anyhow::Result<()> {
    let fleet = Fleet::new(client.clone());
    let made = futures::stream::iter(plan.templates.iter().zip(&plan.workflows)).map(async |(template, workflow)| {
        fleet.create(TEMPLATE, [template.clone()]).await?;
        fleet.create(WORKFLOW, [workflow.clone()]).await?;
        anyhow::Ok(())
    });
    let made = made.buffer_unordered(WORKERS).try_collect::<()>();
    tokio::try_join!(made, tell(client, &fleet, plan.workflows.len()))?;
    Ok(())
}

async fn tell(client: Client, fleet: &Fleet, machines: usize) -> anyhow::Result<()> {
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
