//! Machines that have to wait: for a pool, for room in it, for its provider, for a paused Cluster, for a server. Each says
//! for what, and goes on by itself.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use crate::stage::checks::{all_is_given_back, is_told, nothing_is_written, waits_for};
use crate::stage::machines::{all_ready, cluster, deployment, is_ready, pool, scale};
use crate::stage::objects::{NAMESPACE, told, until};
use crate::stage::{Stage, servers};
use capt_simulators::kinds::{
    CLAIM, CLUSTER, GLOBAL_IN_CLUSTER_POOL, IN_CLUSTER_POOL, MACHINE_DEPLOYMENT, TINKERBELL_MACHINE, WORKFLOW,
};

const CLUSTER_NAME: &str = "waiting";
const DEPLOYMENT: &str = "waiters";
const POOL_NAME: &str = "late-pool";
/// The same for a pool of all namespaces.
const GLOBAL_DEPLOYMENT: &str = "global-waiters";
const GLOBAL_POOL_NAME: &str = "late-global-pool";
const FULFILLED: &str = "IPAddressClaimsFulfilled";
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let _cluster_api = stage.cluster_api().await?;
    let mut provider = stage.ipam_provider().await?;
    let _stand_ins = stage.simulators(Duration::from_millis(50)).await?;
    let watch = stage.observe().await?;
    let mut manager = stage.manager("capt-manager", &[]).await?;
    servers::make(&stage.objects, "worker", 0..6).await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;

    // The pool is missing, then made, with room for two.
    deployment(&stage.objects, CLUSTER_NAME, DEPLOYMENT, 1, Some((IN_CLUSTER_POOL, POOL_NAME))).await?;
    let waiter = waits(stage, "PoolNotFound").await?;
    is_told(stage, &waiter, "PoolNotFound").await?;
    ensure!(stage.objects.count(WORKFLOW).await? == 0, "a server boots without its address");
    pool(&stage.objects, IN_CLUSTER_POOL, POOL_NAME, "10.0.1.1-10.0.1.2").await?;
    all_ready(&stage.objects, 1, PATIENCE).await?;

    // Exhausted, then enlarged.
    scale(&stage.objects, DEPLOYMENT, 3).await?;
    let waiter = waits(stage, "PoolExhausted").await?;
    is_told(stage, &waiter, "PoolExhausted").await?;
    described(stage, &waiter, "PoolExhausted").await?;
    stage.objects.merge(IN_CLUSTER_POOL, POOL_NAME, &json!({ "spec": { "addresses": ["10.0.1.1-10.0.1.9"] } })).await?;
    all_ready(&stage.objects, 3, PATIENCE).await?;

    // The provider is down, then up; in between the Cluster is paused.
    provider.stop().await?;
    scale(&stage.objects, DEPLOYMENT, 4).await?;
    let waiter = waits(stage, "WaitingForIPAddress").await?;
    paused(stage, &waiter, true).await?;
    paused(stage, &waiter, false).await?;
    paused(stage, &waiter, true).await?;
    provider = stage.ipam_provider().await?;
    // It may still tell of the pause, and then it is silent.
    tokio::time::sleep(Duration::from_secs(2)).await;
    nothing_is_written(stage, Duration::from_secs(3)).await?;
    let machine = stage.objects.get(TINKERBELL_MACHINE, &waiter).await?;
    ensure!(!is_ready(&machine), "{waiter} became ready while its Cluster was paused");
    paused(stage, &waiter, false).await?;
    all_ready(&stage.objects, 4, PATIENCE).await?;
    is_told(stage, &waiter, "Paused").await?;

    // A pool of all namespaces is missing, then made.
    let global = Some((GLOBAL_IN_CLUSTER_POOL, GLOBAL_POOL_NAME));
    deployment(&stage.objects, CLUSTER_NAME, GLOBAL_DEPLOYMENT, 1, global).await?;
    let waiter = waits_for(stage, FULFILLED, "PoolNotFound", GLOBAL_POOL_NAME).await?;
    is_told(stage, &waiter, "PoolNotFound").await?;
    pool(&stage.objects.cluster(), GLOBAL_IN_CLUSTER_POOL, GLOBAL_POOL_NAME, "10.0.4.1-10.0.4.9").await?;
    all_ready(&stage.objects, 5, PATIENCE).await?;

    // No server is free, then one comes. Who has no server asks for no address.
    scale(&stage.objects, DEPLOYMENT, 6).await?;
    let waiter = waits_for(stage, "HardwareReserved", "NoHardwareAvailable", "").await?;
    is_told(stage, &waiter, "NoHardwareAvailable").await?;
    ensure!(stage.objects.find(CLAIM, &format!("{waiter}-0")).await?.is_none(), "{waiter} has a claim and no server");
    servers::make(&stage.objects, "worker", 6..7).await?;
    all_ready(&stage.objects, 7, PATIENCE).await?;

    stage.objects.delete(MACHINE_DEPLOYMENT, GLOBAL_DEPLOYMENT).await?;
    stage.objects.delete(MACHINE_DEPLOYMENT, DEPLOYMENT).await?;
    all_is_given_back(stage, (POOL_NAME, 9), 7, PATIENCE).await?;
    provider.must_run()?;
    manager.must_run()?;
    watch.finish().await
}

/// Waits until a machine with a server says that it waits for this reason at the pool; returns its name.
async fn waits(stage: &Stage, reason: &str) -> anyhow::Result<String> {
    let waiter = waits_for(stage, FULFILLED, reason, POOL_NAME).await?;
    let reserved = told(&stage.objects.get(TINKERBELL_MACHINE, &waiter).await?, "HardwareReserved");
    ensure!(reserved.starts_with("True"), "{waiter} has no server: {reserved}");
    Ok(waiter)
}

/// The tree of `clusterctl describe cluster` explains the wait, at the Machine and at its infrastructure.
async fn described(stage: &Stage, machine: &str, reason: &str) -> anyhow::Result<()> {
    let arguments =
        ["describe", "cluster", CLUSTER_NAME, "--show-conditions=all", "--grouping=false", "--echo", "--color=false"];
    let kubectl = stage.kubectl()?;
    let called = stage.set.tree_name("TinkerbellMachine", NAMESPACE, machine);
    until(&format!("clusterctl describe tells of {reason}"), PATIENCE, async || {
        let tree = kubectl.clusterctl(&arguments).await?;
        let node = tree.lines().position(|line| line.contains(&called));
        let below = node.map(|node| tree.lines().skip(node).take(8).collect::<Vec<_>>().join("\n")).unwrap_or_default();
        let explains = below.contains(reason) && below.contains(POOL_NAME) && below.contains(FULFILLED);
        Ok(if explains { Ok(()) } else { Err(tree) })
    })
    .await
}

/// Pauses the Cluster, or lets it go on, until the machine says so.
async fn paused(stage: &Stage, machine: &str, paused: bool) -> anyhow::Result<()> {
    stage.objects.merge(CLUSTER, CLUSTER_NAME, &json!({ "spec": { "paused": paused } })).await?;
    let wanted = if paused { "True " } else { "False " };
    until(&format!("the machine says whether it is paused: {wanted}"), PATIENCE, async || {
        let told = told(&stage.objects.get(TINKERBELL_MACHINE, machine).await?, "Paused");
        Ok(if told.starts_with(wanted) { Ok(()) } else { Err(told) })
    })
    .await
}
