//! No address and no Hardware is given up before its server is off, proven for this server and this deletion. What is in
//! the way is played all at once, with BMCs that need two seconds for every answer and a garbage collector that does not
//! come: what an earlier Job left behind, a name that leaves no room, a server that is about to boot, a BMC that calls
//! "off" an error, one that does not exist, two Hardware of one machine, two machines of one name.

use std::time::Duration;

use anyhow::{Context, ensure};
use capt_simulators::bmc::{self, JobFault, Power};
use serde_json::{Value, json};

use crate::stage::checks::{all_is_given_back, is_told, problem_is_told};
use crate::stage::machines::{cluster, gone, machine, netboot_spec, pool, ready, spec};
use crate::stage::objects::{self, name, text, until};
use crate::stage::{Stage, servers};
use capt_simulators::kinds::{
    BMC_JOB, BMC_MACHINE, BMC_TASK, HARDWARE, IN_CLUSTER_POOL, MACHINE, NAMESPACE, TINKERBELL_MACHINE, WORKFLOW,
};

const CLUSTER_NAME: &str = "proven";
const POOL_NAME: &str = "proof-pool";
/// 61 characters: Cluster API cuts at 63.
const LONG: &str = "fabrik-nord-01-control-plane-template-1690000000000-abcde-xyz";
/// Deleted while it is being booted.
const HASTY: &str = "hasty";
/// Servers in namespace `default`, each taken by the machine of its name (but the one of the long name).
const SERVERS: [&str; 6] = ["leftover", "long", "cold", "headless", "haunted", HASTY];
/// Namespaces with a machine `cp-0` each, and the one with the servers of both.
const TEAMS: [&str; 2] = ["team-a", "team-b"];
const METAL: &str = "metal";
/// The namespace with a second Hardware that carries the labels of a machine.
const ELSEWHERE: &str = "elsewhere";
const LATENCY: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(150);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let _cluster_api = stage.cluster_api().await?;
    let _provider = stage.ipam_provider().await?;
    make_servers(stage).await?;
    leave_behind(stage, "leftover").await?;
    let slow = bmc::Options { latency: LATENCY, poll: Duration::from_secs(1), ..bmc::Options::default() };
    let stand_ins = stage.simulators_with(Duration::from_millis(50), slow).await?;
    let watch = stage.observe().await?;
    let mut manager = stage.manager("capt-manager", &[]).await?;

    make_machines(stage).await?;
    let faults = stand_ins.running.job_faults().context("faults of BMCs")?;
    haunt(stage).await?;
    // The collector does not come from here on.
    stage.plane.controllers().context("no kube-controller-manager")?.stand_still();
    machine(&stage.objects, CLUSTER_NAME, HASTY, &netboot_spec(HASTY, Some(POOL_NAME))).await?;
    boots(stage, HASTY).await?;
    stage.objects.delete(MACHINE, HASTY).await?;

    faults.inject("cold", JobFault::OffIsAnError);
    stage.power.set(objects::NAMESPACE, "cold", Power::Off);
    stage.objects.delete(BMC_MACHINE, "headless").await?;
    let calls = stage.power.calls(objects::NAMESPACE, "leftover");
    for machine in ["leftover", LONG, "cold", "headless", "haunted"] {
        stage.objects.delete(MACHINE, machine).await?;
    }
    for team in TEAMS {
        stage.objects.of(team).delete(MACHINE, "cp-0").await?;
    }

    missing_bmc(stage).await?;
    for machine in ["leftover", LONG, "cold", "haunted", HASTY] {
        gone(&stage.objects, machine, PATIENCE).await?;
    }
    for team in TEAMS {
        gone(&stage.objects.of(team), "cp-0", PATIENCE).await?;
    }
    let asked = stage.power.calls(objects::NAMESPACE, "leftover") - calls;
    ensure!(asked > 0, "no call reached the BMC of leftover: an earlier Job's Task counted as proof");
    is_told(stage, "cold", "Released").await?;
    all_are_off(stage).await?;
    // What is still on its way shows by then: the watch hears every server that is switched on.
    tokio::time::sleep(LATENCY * 5).await;
    stage.plane.controllers().context("no kube-controller-manager")?.go_on();
    all_is_given_back(stage, (POOL_NAME, 20), SERVERS.len(), PATIENCE).await?;
    all_are_off(stage).await?;
    manager.must_run()?;
    watch.finish().await
}

async fn make_servers(stage: &Stage) -> anyhow::Result<()> {
    for namespace in TEAMS.iter().chain([&METAL, &ELSEWHERE]) {
        stage.objects.cluster().create(NAMESPACE, &json!({ "metadata": { "name": namespace } })).await?;
    }
    for (n, server) in (0..).zip(SERVERS) {
        servers::one(&stage.objects, objects::NAMESPACE, n, server, server, false).await?;
    }
    for (n, team) in (10..).zip(TEAMS) {
        servers::one(&stage.objects, METAL, n, &format!("server-of-{team}"), team, true).await?;
    }
    servers::one(&stage.objects, ELSEWHERE, 20, "ghost", "ghost", true).await?;
    Ok(())
}

async fn make_machines(stage: &Stage) -> anyhow::Result<()> {
    pool(&stage.objects, IN_CLUSTER_POOL, POOL_NAME, "10.0.7.1-10.0.7.20").await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;
    for kind in ["leftover", "cold", "headless", "haunted"] {
        machine(&stage.objects, CLUSTER_NAME, kind, &spec(kind, Some(POOL_NAME))).await?;
    }
    machine(&stage.objects, CLUSTER_NAME, LONG, &netboot_spec("long", Some(POOL_NAME))).await?;
    for team in TEAMS {
        cluster(&stage.objects.of(team), team).await?;
        machine(&stage.objects.of(team), team, "cp-0", &spec(team, None)).await?;
    }
    for machine in ["leftover", "cold", "headless", "haunted", LONG] {
        ready(&stage.objects, machine, PATIENCE).await?;
    }
    for team in TEAMS {
        ready(&stage.objects.of(team), "cp-0", PATIENCE).await.with_context(|| format!("of {team}"))?;
    }
    Ok(())
}

/// The Job that switched off an earlier machine of this name, and its Task: both completed, and nobody has removed them.
async fn leave_behind(stage: &Stage, machine: &str) -> anyhow::Result<()> {
    let job_name = format!("{machine}-poweroff");
    let off = json!({ "powerAction": "off" });
    let job = stage
        .objects
        .create(
            BMC_JOB,
            &json!({
                "metadata": { "name": job_name },
                "spec": { "machineRef": { "name": machine, "namespace": objects::NAMESPACE }, "tasks": [off] },
            }),
        )
        .await?;
    let completed = json!({ "status": { "conditions": [{ "type": "Completed", "status": "True" }] } });
    stage.objects.merge_status(BMC_JOB, &job_name, &completed).await?;
    let owner = json!({
        "apiVersion": BMC_JOB.api_version(), "kind": BMC_JOB.kind, "name": job_name, "uid": text(&job, "/metadata/uid"),
        "controller": true,
    });
    let connection =
        stage.objects.get(BMC_MACHINE, machine).await?.pointer("/spec/connection").cloned().unwrap_or_default();
    let task_name = format!("{job_name}-task-0");
    let metadata = json!({ "name": task_name, "labels": { "owner-name": job_name }, "ownerReferences": [owner] });
    let task = json!({ "metadata": metadata, "spec": { "task": off, "connection": connection } });
    stage.objects.create(BMC_TASK, &task).await?;
    stage.objects.merge_status(BMC_TASK, &task_name, &completed).await
}

/// A second Hardware, in another namespace, carries the labels of a machine, and its server runs.
async fn haunt(stage: &Stage) -> anyhow::Result<()> {
    let labels = json!({
        "v1alpha1.tinkerbell.org/ownerName": "haunted",
        "v1alpha1.tinkerbell.org/ownerNamespace": objects::NAMESPACE,
    });
    let patch = json!({ "metadata": { "labels": labels } });
    stage.objects.of(ELSEWHERE).merge(HARDWARE, "ghost", &patch).await?;
    stage.power.set(ELSEWHERE, "ghost", Power::On);
    Ok(())
}

/// Waits until the BMC works on the Job that is to boot a machine's server.
async fn boots(stage: &Stage, machine: &str) -> anyhow::Result<()> {
    until(&format!("{machine} is being booted"), PATIENCE, async || {
        let workflows = stage.objects.list(WORKFLOW).await?;
        let preparing = workflows.iter().any(|workflow| {
            text(workflow, "/spec/hardwareRef") == machine && text(workflow, "/status/state") == "PREPARING"
        });
        let tasks = stage.objects.list(BMC_TASK).await?;
        let at_work = tasks.iter().any(|task| name(task).contains(machine));
        Ok(if preparing && at_work { Ok(()) } else { Err(format!("{preparing}, {at_work}")) })
    })
    .await
}

/// The BMC Machine is gone: that is a problem of its own, and only a person's word ends it.
async fn missing_bmc(stage: &Stage) -> anyhow::Result<()> {
    let release = "capt.tinkerbell.org/release-without-power-off";
    let words = ["BMCNotFound", "headless", release];
    problem_is_told(&stage.objects, "headless", "Deleting", &words, PATIENCE).await?;
    let address = stage.objects.get(HARDWARE, "headless").await?;
    let address = text(&address, "/spec/interfaces/0/dhcp/ip/address").to_owned();
    ensure!(!address.is_empty(), "the address of headless is gone while its server is on");
    // Somebody goes there and pulls the plug.
    stage.power.set(objects::NAMESPACE, "headless", Power::Off);
    let patch = json!({ "metadata": { "annotations": { release: "true" } } });
    stage.objects.merge(TINKERBELL_MACHINE, "headless", &patch).await?;
    gone(&stage.objects, "headless", PATIENCE).await?;
    is_told(stage, "headless", "ReleasedWithoutPowerOff").await?;
    let events = stage.objects.list(capt_simulators::kinds::EVENT).await?;
    let names_it = |event: &Value| {
        text(event, "/reason") == "ReleasedWithoutPowerOff" && text(event, "/message").contains(&address)
    };
    ensure!(events.iter().any(names_it), "nobody tells that address {address} is at risk");
    Ok(())
}

/// Every server is off and released, in every namespace.
async fn all_are_off(stage: &Stage) -> anyhow::Result<()> {
    for hardware in stage.objects.cluster().list(HARDWARE).await? {
        let (namespace, bmc) = (text(&hardware, "/metadata/namespace"), text(&hardware, "/spec/bmcRef/name"));
        let labels = hardware.pointer("/metadata/labels").map(Value::to_string).unwrap_or_default();
        ensure!(!labels.contains("ownerName"), "{namespace}/{bmc} is still held");
        ensure!(stage.power.get(namespace, bmc) == Power::Off, "the server of {namespace}/{bmc} is on");
    }
    Ok(())
}
