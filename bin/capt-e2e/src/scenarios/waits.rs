//! Machines that have to wait: for a pool, for room in it, for its provider, for a paused Cluster. Each says for what, and
//! goes on by itself.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::stage::checks::{pool_has, servers_are_clean, summary};
use crate::stage::kinds::{ADDRESS, CLAIM, CLUSTER, EVENT, MACHINE_DEPLOYMENT, POOL, TINKERBELL_MACHINE, WORKFLOW};
use crate::stage::machines::{all_ready, cluster, deployment, is_ready, pool, scale};
use crate::stage::objects::{name, text, told, until};
use crate::stage::{CAPT_ACCOUNT, Stage, servers};

const CLUSTER_NAME: &str = "waiting";
const DEPLOYMENT: &str = "waiters";
const POOL_NAME: &str = "late-pool";
const FULFILLED: &str = "IPAddressClaimsFulfilled";
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let _cluster_api = stage.cluster_api().await?;
    let mut provider = stage.ipam_provider().await?;
    let _stand_ins = stage.neighbours(Duration::from_millis(50)).await?;
    let watch = stage.observe().await?;
    let mut manager = stage.manager("capt-manager", &[]).await?;
    servers::make(&stage.objects, "worker", 6).await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;

    // The pool is missing, then made, with room for two.
    deployment(&stage.objects, CLUSTER_NAME, DEPLOYMENT, 1, Some(POOL_NAME)).await?;
    let waiter = waits(stage, "PoolNotFound").await?;
    is_told(stage, &waiter, "PoolNotFound").await?;
    ensure!(stage.objects.count(WORKFLOW).await? == 0, "a server boots without its address");
    pool(&stage.objects, POOL_NAME, "10.0.1.1-10.0.1.2").await?;
    all_ready(&stage.objects, 1, PATIENCE).await?;

    // Exhausted, then enlarged.
    scale(&stage.objects, DEPLOYMENT, 3).await?;
    let waiter = waits(stage, "PoolExhausted").await?;
    is_told(stage, &waiter, "PoolExhausted").await?;
    described(stage, &waiter, "PoolExhausted").await?;
    stage.objects.merge(POOL, POOL_NAME, &json!({ "spec": { "addresses": ["10.0.1.1-10.0.1.9"] } })).await?;
    all_ready(&stage.objects, 3, PATIENCE).await?;

    // The provider is down, then up; in between the Cluster is paused.
    provider.stop().await?;
    scale(&stage.objects, DEPLOYMENT, 4).await?;
    let waiter = waits(stage, "WaitingForIPAddress").await?;
    paused(stage, true).await?;
    until("the machine says it is paused", PATIENCE, async || {
        let machine = stage.objects.get(TINKERBELL_MACHINE, &waiter).await?;
        let told = told(&machine, "Paused");
        Ok(if told.starts_with("True") { Ok(()) } else { Err(told) })
    })
    .await?;
    provider = stage.ipam_provider().await?;
    nothing_is_written(stage).await?;
    let machine = stage.objects.get(TINKERBELL_MACHINE, &waiter).await?;
    ensure!(!is_ready(&machine), "{waiter} became ready while its Cluster was paused");
    paused(stage, false).await?;
    all_ready(&stage.objects, 4, PATIENCE).await?;

    stage.objects.delete(MACHINE_DEPLOYMENT, DEPLOYMENT).await?;
    for kind in [TINKERBELL_MACHINE, CLAIM, ADDRESS, WORKFLOW] {
        stage.objects.wait_none(kind, PATIENCE).await?;
    }
    pool_has(stage, POOL_NAME, 9).await?;
    servers_are_clean(stage, 6).await?;
    provider.must_run()?;
    manager.must_run()?;
    watch.finish().await
}

/// Waits until one machine says in its conditions that it waits for this reason; returns its name.
async fn waits(stage: &Stage, reason: &str) -> anyhow::Result<String> {
    let waiter = until(&format!("a machine waits for {reason}"), PATIENCE, async || {
        let machines = stage.objects.list(TINKERBELL_MACHINE).await?;
        let wanted = format!("False {reason} ");
        let waiting = machines.iter().find(|machine| told(machine, FULFILLED).starts_with(&wanted));
        Ok(waiting.cloned().ok_or_else(|| summary(&machines)))
    })
    .await?;
    let message = told(&waiter, FULFILLED);
    ensure!(message.contains(POOL_NAME), "the condition does not name the pool: {message}");
    ensure!(told(&waiter, "Ready").starts_with("False"), "Ready is {}", told(&waiter, "Ready"));
    ensure!(told(&waiter, "HardwareReserved").starts_with("True"), "no server: {}", told(&waiter, "HardwareReserved"));
    Ok(name(&waiter).to_owned())
}

/// Waits for an event. A wait that is nobody's fault has none, for everybody waits a moment for an address.
async fn is_told(stage: &Stage, machine: &str, reason: &str) -> anyhow::Result<()> {
    let is_it = |event: &Value| text(event, "/involvedObject/name") == machine && text(event, "/reason") == reason;
    until(&format!("an event tells {machine} of {reason}"), PATIENCE, async || {
        let events = stage.objects.list(EVENT).await?;
        Ok(if events.iter().any(is_it) { Ok(()) } else { Err(format!("{} other events", events.len())) })
    })
    .await
}

/// The tree of `clusterctl describe cluster` explains the wait, at the Machine and at its infrastructure.
async fn described(stage: &Stage, machine: &str, reason: &str) -> anyhow::Result<()> {
    let arguments =
        ["describe", "cluster", CLUSTER_NAME, "--show-conditions=all", "--grouping=false", "--echo", "--color=false"];
    let kubectl = stage.kubectl()?;
    until(&format!("clusterctl describe tells of {reason}"), PATIENCE, async || {
        let tree = kubectl.clusterctl(&arguments).await?;
        let node = tree.lines().position(|line| line.contains(&format!("TinkerbellMachine/{machine}")));
        let below = node.map(|node| tree.lines().skip(node).take(8).collect::<Vec<_>>().join("\n")).unwrap_or_default();
        let explains = below.contains(reason) && below.contains(POOL_NAME) && below.contains(FULFILLED);
        Ok(if explains { Ok(()) } else { Err(tree) })
    })
    .await
}

async fn paused(stage: &Stage, paused: bool) -> anyhow::Result<()> {
    stage.objects.merge(CLUSTER, CLUSTER_NAME, &json!({ "spec": { "paused": paused } })).await.map(drop)
}

/// While the Cluster is paused the manager writes to nothing but its machines' status, and soon not even there.
async fn nothing_is_written(stage: &Stage) -> anyhow::Result<()> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mark = stage.plane.audit().mark()?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for asked in stage.plane.audit().since(mark)? {
        let is_ours = asked.user == CAPT_ACCOUNT && asked.is_write();
        ensure!(!is_ours, "paused, and yet {} {} {}", asked.verb, asked.full_resource(), asked.name);
    }
    Ok(())
}
