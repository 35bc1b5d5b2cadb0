//! No server that runs is given to a second machine, and none is installed again, whatever becomes of its labels, its mark,
//! its Workflow or the whole Hardware. What a person keeps back is not taken. What must be on the Hardware until the server
//! is provisioned is kept there, and what the status says is what is.

use std::time::Duration;

use anyhow::{Context, ensure};
use capt_simulators::bmc;
use capt_simulators::tinkerbell::WorkflowFault;
use serde_json::{Value, json};

use crate::stage::checks::{Switches, all_is_given_back, is_told};
use crate::stage::machines::{cluster, gone, is_ready, machine, netboot_spec, pool, ready, spec};
use crate::stage::objects::{self, name, text, told, until};
use crate::stage::simulators::StandIns;
use crate::stage::{Stage, servers};
use capt_simulators::kinds::{CLUSTER, HARDWARE, IN_CLUSTER_POOL, MACHINE, NAMESPACE, TINKERBELL_MACHINE, WORKFLOW};

const CLUSTER_NAME: &str = "whose";
const POOL_NAME: &str = "whose-pool";
/// The namespace of another Cluster.
const BESIDE: &str = "beside";
/// Servers that a person keeps back, all of one type.
const KEPT: [&str; 3] = ["marked", "closed", "aside"];
const SERVERS: usize = 8;
const PROVISIONED: &str = "/metadata/annotations/v1alpha1.tinkerbell.org~1provisioned";
const OWNER_NAME: &str = "v1alpha1.tinkerbell.org/ownerName";
const OWNER_NAMESPACE: &str = "v1alpha1.tinkerbell.org/ownerNamespace";
const PATIENCE: Duration = Duration::from_secs(90);
/// Whatever would go wrong has begun to by then.
const A_WHILE: Duration = Duration::from_secs(6);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let _cluster_api = stage.cluster_api().await?;
    let _provider = stage.ipam_provider().await?;
    // Slow BMCs: where the first Task of a boot Job ends before Tinkerbell deletes the Job to make it again, rufio counts
    // Tasks that the collector is about to take, and may fail the second Job.
    let bmc = bmc::Options { latency: Duration::from_millis(400), ..bmc::Options::default() };
    let stand_ins = stage.simulators_with(Duration::from_millis(50), bmc).await?;
    let watch = stage.observe().await?;
    let mut manager = stage.manager("capt-manager", &[]).await?;
    stage.objects.cluster().create(NAMESPACE, &json!({ "metadata": { "name": BESIDE } })).await?;
    for (n, server) in (0..).zip(["owned", "wiped", "edited"]) {
        servers::one(&stage.objects, objects::NAMESPACE, n, server, server, false).await?;
    }
    let again = servers::one(&stage.objects, objects::NAMESPACE, 3, "again", "again", false).await?;
    keep_back(stage).await?;
    pool(&stage.objects, IN_CLUSTER_POOL, POOL_NAME, "10.0.8.1-10.0.8.20").await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;
    for kind in ["owned", "edited"] {
        machine(&stage.objects, CLUSTER_NAME, kind, &spec(kind, Some(POOL_NAME))).await?;
    }
    machine(&stage.objects, CLUSTER_NAME, "again", &netboot_spec("again", Some(POOL_NAME))).await?;
    for kind in ["owned", "edited", "again"] {
        ready(&stage.objects, kind, PATIENCE).await?;
    }

    stripped(stage).await?;
    kept_back(stage).await?;
    blank(stage, again).await?;
    wiped(stage, &stand_ins).await?;
    edited(stage).await?;

    for machine in ["owned", "edited", "again", "kept", "wiped"] {
        stage.objects.delete(MACHINE, machine).await?;
    }
    all_is_given_back(stage, (POOL_NAME, 20), SERVERS, PATIENCE).await?;
    manager.must_run()?;
    watch.finish().await
}

/// Makes servers that nobody takes by himself.
async fn keep_back(stage: &Stage) -> anyhow::Result<()> {
    for (n, server) in (10..).zip(KEPT) {
        servers::one(&stage.objects, objects::NAMESPACE, n, server, server, false).await?;
    }
    let marked =
        json!({ "annotations": { "v1alpha1.tinkerbell.org/provisioned": "true" }, "labels": { "type": "kept" } });
    stage.objects.merge(HARDWARE, "marked", &json!({ "metadata": marked })).await?;
    let aside = json!({ "annotations": { "capt.tinkerbell.org/set-aside": "new fan" }, "labels": { "type": "kept" } });
    stage.objects.merge(HARDWARE, "aside", &json!({ "metadata": aside })).await?;
    let mut closed = stage.objects.get(HARDWARE, "closed").await?;
    if let Some(allowed) = closed.pointer_mut("/spec/interfaces/0/netboot/allowWorkflow") {
        *allowed = json!(false);
    }
    let interfaces = closed.pointer("/spec/interfaces").cloned().context("interfaces")?;
    let patch = json!({ "metadata": { "labels": { "type": "kept" } }, "spec": { "interfaces": interfaces } });
    stage.objects.merge(HARDWARE, "closed", &patch).await.map(drop)
}

/// The labels of a running server are stripped while its Cluster is paused: no machine of another Cluster takes it.
async fn stripped(stage: &Stage) -> anyhow::Result<()> {
    pause(stage, true).await?;
    // With something of their own: who only takes away leaves no trace in `managedFields`, by which the observer knows
    // who wrote.
    let labels = json!({ OWNER_NAME: null, OWNER_NAMESPACE: null, "stripped-by": "a-person" });
    let strip = json!({ "metadata": { "labels": labels } });
    stage.objects.merge(HARDWARE, "owned", &strip).await?;
    let switched = Switches::count(&stage.power);
    let beside = stage.objects.of(BESIDE);
    cluster(&beside, BESIDE).await?;
    machine(&beside, BESIDE, "thief", &spec("owned", None)).await?;
    until("thief waits, and is told whose the server is", PATIENCE, async || {
        let told = told(&beside.get(TINKERBELL_MACHINE, "thief").await?, "HardwareReserved");
        let fits = told.starts_with("False NoHardwareAvailable ") && told.contains("owned");
        Ok(if fits { Ok(()) } else { Err(told) })
    })
    .await?;
    tokio::time::sleep(A_WHILE).await;
    let thief = beside.get(TINKERBELL_MACHINE, "thief").await?;
    ensure!(!is_ready(&thief) && text(&thief, "/spec/hardwareName").is_empty(), "thief took a server that runs");
    switched.must_be_none()?;
    pause(stage, false).await?;
    until("the labels are back", PATIENCE, async || {
        let hardware = stage.objects.get(HARDWARE, "owned").await?;
        let owner = hardware.pointer("/metadata/labels").and_then(|labels| labels.get(OWNER_NAME)).cloned();
        Ok(if owner == Some(json!("owned")) { Ok(()) } else { Err(format!("owner {owner:?}")) })
    })
    .await?;
    is_told(stage, "owned", "HardwareRestored").await?;
    beside.delete(MACHINE, "thief").await?;
    gone(&beside, "thief", PATIENCE).await?;
    switched.must_be_none()
}

/// What a person marked, closed or set aside is not taken, and who waits is told of it.
async fn kept_back(stage: &Stage) -> anyhow::Result<()> {
    machine(&stage.objects, CLUSTER_NAME, "kept", &spec("kept", Some(POOL_NAME))).await?;
    until("the machine is told of each server that is kept back", PATIENCE, async || {
        let told = told(&stage.objects.get(TINKERBELL_MACHINE, "kept").await?, "HardwareReserved");
        let fits = told.starts_with("False NoHardwareAvailable ")
            && KEPT.iter().all(|server| told.contains(&format!("{}/{server}", objects::NAMESPACE)))
            && told.contains("new fan");
        Ok(if fits { Ok(()) } else { Err(told) })
    })
    .await?;
    servers::one(&stage.objects, objects::NAMESPACE, 20, "plain", "kept", false).await?;
    let machine = ready(&stage.objects, "kept", PATIENCE).await?;
    ensure!(text(&machine, "/spec/hardwareName") == "plain", "it took {}", text(&machine, "/spec/hardwareName"));
    Ok(())
}

/// Workflow, mark, labels and the whole Hardware of a machine that was ready go, and the Hardware comes back blank.
async fn blank(stage: &Stage, manifest: Value) -> anyhow::Result<()> {
    let switched = Switches::count(&stage.power);
    for workflow in stage.objects.list(WORKFLOW).await? {
        if text(&workflow, "/spec/hardwareRef") == "again" {
            stage.objects.delete(WORKFLOW, name(&workflow)).await?;
        }
    }
    let kubectl = stage.kubectl()?;
    kubectl.run(&["delete", "hardware", "again", "--wait=false"]).await?;
    stage.objects.merge(HARDWARE, "again", &json!({ "metadata": { "finalizers": null } })).await?;
    stage.objects.create(HARDWARE, &manifest).await?;
    until("the mark is back", PATIENCE, async || {
        let hardware = stage.objects.get(HARDWARE, "again").await?;
        let (mark, address) = (text(&hardware, PROVISIONED), text(&hardware, "/spec/interfaces/0/dhcp/ip/address"));
        Ok(if mark == "true" && !address.is_empty() {
            Ok(())
        } else {
            Err(format!("mark `{mark}`, address {address}"))
        })
    })
    .await?;
    is_told(stage, "again", "HardwareRestored").await?;
    tokio::time::sleep(A_WHILE).await;
    let workflows = stage.objects.list(WORKFLOW).await?;
    let made = workflows.iter().filter(|workflow| text(workflow, "/spec/hardwareRef") == "again").count();
    ensure!(made == 0, "the server of a machine that was ready is installed again");
    switched.must_be_none()?;
    ready(&stage.objects, "again", PATIENCE).await.map(drop)
}

/// User data is wiped while a server is being installed: it is put back.
async fn wiped(stage: &Stage, stand_ins: &StandIns) -> anyhow::Result<()> {
    let faults = stand_ins.running.workflow_faults().context("faults of Workflows")?;
    let stuck = faults.inject("wiped", WorkflowFault::StuckPending);
    machine(&stage.objects, CLUSTER_NAME, "wiped", &spec("wiped", Some(POOL_NAME))).await?;
    until("the Workflow of wiped is there", PATIENCE, async || {
        let workflows = stage.objects.list(WORKFLOW).await?;
        let there = workflows.iter().any(|workflow| text(workflow, "/spec/hardwareRef") == "wiped");
        Ok(if there { Ok(()) } else { Err("it is not".to_owned()) })
    })
    .await?;
    let data = async || {
        let hardware = stage.objects.get(HARDWARE, "wiped").await?;
        anyhow::Ok(text(&hardware, "/spec/userData").to_owned())
    };
    let before = data().await?;
    ensure!(!before.is_empty(), "a Workflow and no user data");
    stage.objects.merge(HARDWARE, "wiped", &json!({ "spec": { "userData": null } })).await?;
    // Compared and not shown: it is a secret.
    until("the user data is back", PATIENCE, async || {
        Ok(if data().await? == before { Ok(()) } else { Err("it is not".to_owned()) })
    })
    .await?;
    faults.heal(stuck);
    ready(&stage.objects, "wiped", PATIENCE).await.map(drop)
}

/// Somebody writes another address on the Hardware of a server that runs: its machine says so, and keeps its own.
async fn edited(stage: &Stage) -> anyhow::Result<()> {
    const FOREIGN: &str = "10.0.8.199";
    let addresses = async || {
        let machine = stage.objects.get(TINKERBELL_MACHINE, "edited").await?;
        anyhow::Ok(machine.pointer("/status/addresses").cloned().unwrap_or_default())
    };
    let before = addresses().await?;
    let mut hardware = stage.objects.get(HARDWARE, "edited").await?;
    let interfaces = hardware.pointer("/spec/interfaces").cloned().context("interfaces")?;
    if let Some(address) = hardware.pointer_mut("/spec/interfaces/0/dhcp/ip/address") {
        *address = json!(FOREIGN);
    }
    let edited = hardware.pointer("/spec/interfaces").cloned();
    stage.objects.merge(HARDWARE, "edited", &json!({ "spec": { "interfaces": edited } })).await?;
    until("a condition tells of the edit", PATIENCE, async || {
        let machine = stage.objects.get(TINKERBELL_MACHINE, "edited").await?;
        let conditions = machine.pointer("/status/conditions").map(Value::to_string).unwrap_or_default();
        Ok(if conditions.contains(FOREIGN) { Ok(()) } else { Err(conditions) })
    })
    .await?;
    tokio::time::sleep(A_WHILE).await;
    let after = addresses().await?;
    ensure!(after == before && before.to_string().contains("10.0.8."), "{before}, then {after}");
    stage.objects.merge(HARDWARE, "edited", &json!({ "spec": { "interfaces": interfaces } })).await?;
    until("all is well again", PATIENCE, async || {
        let told = told(&stage.objects.get(TINKERBELL_MACHINE, "edited").await?, "Ready");
        Ok(if told.starts_with("True") { Ok(()) } else { Err(told) })
    })
    .await
}

async fn pause(stage: &Stage, paused: bool) -> anyhow::Result<()> {
    stage.objects.merge(CLUSTER, CLUSTER_NAME, &json!({ "spec": { "paused": paused } })).await?;
    let wanted = if paused { "True " } else { "False " };
    until("the machine says whether it is paused", PATIENCE, async || {
        let told = told(&stage.objects.get(TINKERBELL_MACHINE, "owned").await?, "Paused");
        Ok(if told.starts_with(wanted) { Ok(()) } else { Err(told) })
    })
    .await
}
