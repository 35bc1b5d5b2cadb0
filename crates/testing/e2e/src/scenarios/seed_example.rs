//! The documented complete cluster, from its pool to its teardown.

use std::time::Duration;

use anyhow::{Context, ensure};
use real_control_plane::audit::Mark;
use real_control_plane::manifests;
use serde_json::{Value, json};

use crate::stage::checks::{machines_say, no_warnings, pool_has, pool_is_counted, servers_are_clean, summary};
use crate::stage::objects::{NAMESPACE, name, text, until};
use crate::stage::workload::Workload;
use crate::stage::{CAPT_ACCOUNT, Stage};
use capt_simulators::kinds::{
    ADDRESS, CLAIM, CLUSTER, MACHINE, MACHINE_DEPLOYMENT, TINKERBELL_CLUSTER, TINKERBELL_MACHINE, WORKFLOW,
};

pub(super) const CLUSTER_NAME: &str = "my-cluster";
const WORKERS: &str = "my-cluster-workers";
pub(super) const POOL_NAME: &str = "production-pool";
/// What old versions of CAPT left on clusters, and nobody took off when they were deleted.
const OLD_FINALIZER: &str = "tinkerbellcluster.infrastructure.cluster.x-k8s.io";
/// How long each turn may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most writes the manager may need for a machine with an address from a pool.
const WRITES: usize = 11;

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let workload = stage.workload(CLUSTER_NAME).await?;
    let _cluster_api = stage.cluster_api().await?;
    let _ipam = stage.ipam_provider().await?;
    let _stand_ins = stage.simulators(Duration::from_millis(100)).await?;
    let watch = stage.observe().await?;
    let mut manager = stage.manager("capt-manager", &[]).await?;
    let _kubelets = stage.kubelets(&workload);

    stage.kubectl()?.apply(&example(workload.server.port())?).await.context("the example")?;
    let free_before = pool_is_counted(stage, POOL_NAME).await?;
    ensure!(free_before == 101, "the pool of 101 addresses has {free_before} free ones");
    control_plane_first(stage, &workload).await?;
    running(stage, 3).await?;
    machines_say(stage, &SETTLED).await?;
    documented_checks(stage).await?;
    no_warnings(stage, true).await?;
    budget(stage, 3)?;

    scale_down(stage).await?;
    let old = json!({ "metadata": { "finalizers": [OLD_FINALIZER] } });
    stage.objects.merge(TINKERBELL_CLUSTER, CLUSTER_NAME, &old).await?;
    stage.objects.delete(CLUSTER, CLUSTER_NAME).await?;
    for kind in [CLUSTER, MACHINE, TINKERBELL_MACHINE, CLAIM, ADDRESS, WORKFLOW] {
        stage.objects.wait_none(kind, PATIENCE).await?;
    }
    pool_has(stage, POOL_NAME, free_before).await?;
    servers_are_clean(stage, 4).await?;
    manager.must_run()?;
    watch.finish().await
}

/// The example of the documents.
const COMPLETE_CLUSTER: &str = include_str!("../../../../../docs/examples/complete-cluster.yaml");

/// The documented example; only the endpoint is the workload cluster's.
pub(super) fn example(port: u16) -> anyhow::Result<Vec<Value>> {
    let objects = manifests::parse(COMPLETE_CLUSTER)?.into_iter().map(|mut object| {
        if let Some(endpoint) = object.pointer_mut("/spec/controlPlaneEndpoint") {
            *endpoint = json!({ "host": "127.0.0.1", "port": port });
        }
        object
    });
    Ok(objects.collect())
}

/// Workers wait for the control plane; it is initialised when kubeadm's provider finds what kubeadm left.
pub(super) async fn control_plane_first(stage: &Stage, workload: &Workload) -> anyhow::Result<()> {
    until("the control-plane machine has a server", PATIENCE, async || {
        let machines = stage.objects.list(TINKERBELL_MACHINE).await?;
        let ready = machines.iter().find(|machine| machine.pointer("/status/ready") == Some(&Value::Bool(true)));
        Ok(match ready {
            Some(machine) if name(machine).contains("control-plane") => Ok(()),
            Some(machine) => Err(format!("{} is first", name(machine))),
            None => Err(summary(&machines)),
        })
    })
    .await?;
    workload.initialize().await
}

pub(super) async fn running(stage: &Stage, wanted: usize) -> anyhow::Result<()> {
    until(&format!("{wanted} Machines are Running"), PATIENCE, async || {
        let machines = stage.objects.list(MACHINE).await?;
        let are_running = machines.iter().all(|machine| text(machine, "/status/phase") == "Running");
        let phase = |machine: &Value| format!("{} {}", name(machine), text(machine, "/status/phase"));
        let sight = || machines.iter().map(phase).collect::<Vec<_>>().join(", ");
        Ok(if machines.len() == wanted && are_running { Ok(()) } else { Err(sight()) })
    })
    .await
}

/// What a machine with an address says once it runs.
pub(super) const SETTLED: [(&str, &str); 5] = [
    ("Ready", "True "),
    ("HardwareReserved", "True "),
    ("IPAddressClaimsFulfilled", "True Fulfilled"),
    ("WorkflowSucceeded", "True Succeeded"),
    ("Paused", "False NotPaused"),
];

/// The seed's step "Verify IP Allocation" and its troubleshooting commands, with the resources' full names.
async fn documented_checks(stage: &Stage) -> anyhow::Result<()> {
    let kubectl = stage.kubectl()?;
    let claims = kubectl.run(&["get", "ipaddressclaims"]).await?;
    let addresses = kubectl.run(&["get", "ipaddresses.ipam.cluster.x-k8s.io"]).await?;
    for machine in stage.objects.list(TINKERBELL_MACHINE).await? {
        let claim = format!("{}-0", name(&machine));
        let server = text(&machine, "/spec/hardwareName");
        let ip = kubectl.run(&["get", "hardware", server, "-o", "jsonpath={.spec.interfaces[0].dhcp.ip}"]).await?;
        let ip: Value = serde_json::from_str(&ip).with_context(|| format!("dhcp.ip of {server}: {ip}"))?;
        let address = text(&ip, "/address");
        let of_pool = address.strip_prefix("10.0.0.").and_then(|end| end.parse().ok());
        ensure!(of_pool.is_some_and(|end: u16| (100..=200).contains(&end)), "{server} has {ip}");
        ensure!(text(&ip, "/netmask") == "255.255.255.0" && text(&ip, "/gateway") == "10.0.0.1", "{server} has {ip}");
        ensure!(claims.lines().any(|line| line.starts_with(&claim)), "no claim {claim} in\n{claims}");
        let shown = addresses.lines().any(|line| line.starts_with(&claim) && line.contains(address));
        ensure!(shown, "no address {address} of {claim} in\n{addresses}");
        let described = kubectl.run(&["describe", "ipaddressclaim", &claim]).await?;
        ensure!(described.contains(POOL_NAME), "the claim's description does not name the pool:\n{described}");
    }
    let pool = kubectl.run(&["describe", "inclusterippool", POOL_NAME]).await?;
    ensure!(pool.contains("Free:") && pool.contains("98"), "the pool's description does not count:\n{pool}");
    let machines = kubectl.run(&["get", "tinkerbellmachines"]).await?;
    ensure!(machines.lines().count() == 4, "not three machines:\n{machines}");
    let tree = kubectl.clusterctl(&["describe", "cluster", CLUSTER_NAME]).await?;
    let wanted = stage.set.tree_name("TinkerbellCluster", NAMESPACE, CLUSTER_NAME);
    ensure!(tree.contains(&wanted), "clusterctl shows no TinkerbellCluster:\n{tree}");
    Ok(())
}

/// The audit log: no more writes than promised.
fn budget(stage: &Stage, machines: usize) -> anyhow::Result<()> {
    let asked = stage.plane.audit().since(Mark::default())?;
    let own = asked.iter().filter(|asked| asked.user == CAPT_ACCOUNT && asked.is_write());
    // Events and the cluster's own writes are not the machines'.
    let of_machines = own.filter(|asked| !matches!(asked.resource.as_str(), "events" | "tinkerbellclusters"));
    let count = of_machines.count();
    ensure!(count <= WRITES * machines, "{count} writes for {machines} machines; {WRITES} each are promised");
    Ok(())
}

async fn scale_down(stage: &Stage) -> anyhow::Result<()> {
    stage.objects.merge(MACHINE_DEPLOYMENT, WORKERS, &json!({ "spec": { "replicas": 1 } })).await?;
    until("two Machines are left", PATIENCE, async || {
        let left = stage.objects.count(MACHINE).await?;
        Ok(if left == 2 { Ok(()) } else { Err(format!("{left} are there")) })
    })
    .await?;
    pool_has(stage, POOL_NAME, 99).await?;
    servers_are_clean(stage, 2).await
}
