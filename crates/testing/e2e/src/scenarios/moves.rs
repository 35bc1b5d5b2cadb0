//! `clusterctl move` between two control planes while machines use addresses: nothing is re-imaged, the addresses stay,
//! and deletion on the target gives them back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use real_control_plane::api_server::ADMIN;
use real_control_plane::audit::Mark;
use serde_json::Value;

use super::seed_example::{CLUSTER_NAME, POOL_NAME, control_plane_first, example, running};
use crate::stage::checks::{Switches, machines_say, no_warnings, pool_has, servers_are_clean};
use crate::stage::objects::{Objects, name, text};
use crate::stage::{CAPT_ACCOUNT, Stage};
use capt_simulators::kinds::{ADDRESS, BMC_MACHINE, CLAIM, CLUSTER, HARDWARE, TINKERBELL_MACHINE, WORKFLOW};

const MACHINES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);
/// What a machine says whose Workflow stayed behind.
pub(super) const ARRIVED: [(&str, &str); 4] = [
    ("Ready", "True "),
    ("HardwareReserved", "True "),
    ("IPAddressClaimsFulfilled", "True Fulfilled"),
    ("WorkflowSucceeded", "True AlreadyProvisioned"),
];

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    // clusterctl moves no cluster that is still being made, so this is the documented one with all its Nodes.
    let workload = stage.workload(CLUSTER_NAME).await?;
    let source = Running::start(stage).await?;
    let kubelets = stage.kubelets(&workload);
    stage.kubectl()?.apply(&example(workload.server.port())?).await.context("the example")?;
    control_plane_first(stage, &workload).await?;
    running(stage, MACHINES).await?;
    let before = addresses(&stage.objects).await?;
    let specs = specs(&stage.objects).await?;
    ensure!(before.len() == MACHINES, "addresses before the move: {before:?}");
    drop(kubelets);
    let switched = Switches::count(&stage.power);

    // The same servers, so the same power.
    let target = stage.another("target").await?;
    let arrived = Running::start(&target).await?;
    let kubeconfig = target.plane.kubeconfig(ADMIN);
    let to = format!("--to-kubeconfig={}", kubeconfig.display());
    stage.kubectl()?.clusterctl(&["move", &to, "--namespace=default"]).await.context("clusterctl move")?;

    running(&target, MACHINES).await?;
    // Whatever would go wrong has begun to by then.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = addresses(&target.objects).await?;
    ensure!(after == before, "addresses on the source {before:?}, on the target {after:?}");
    switched.must_be_none()?;
    machines_say(&target, &ARRIVED).await?;
    no_warnings(&target, false).await?;
    let arrived_specs = self::specs(&target.objects).await?;
    ensure!(arrived_specs == specs, "Hardware on the source {specs:?}, on the target {arrived_specs:?}");
    only_owners_are_written(&target)?;
    let workflows = target.objects.count(WORKFLOW).await?;
    ensure!(workflows == 0, "{workflows} Workflows were made on the target: servers are re-imaged");
    let left = stage.objects.count(TINKERBELL_MACHINE).await?;
    ensure!(left == 0, "{left} machines were left on the source");
    drop(source);

    target.objects.delete(CLUSTER, CLUSTER_NAME).await?;
    for kind in [CLUSTER, TINKERBELL_MACHINE, CLAIM, ADDRESS] {
        target.objects.wait_none(kind, PATIENCE).await?;
    }
    pool_has(&target, POOL_NAME, 101).await?;
    servers_are_clean(&target, 4).await?;
    drop(arrived);
    Ok(())
}

/// Each Hardware without its metadata.
async fn specs(objects: &Objects) -> anyhow::Result<BTreeMap<String, Value>> {
    let servers = objects.list(HARDWARE).await?;
    Ok(servers
        .iter()
        .map(|server| (name(server).to_owned(), server.get("spec").cloned().unwrap_or_default()))
        .collect())
}

/// On the target our manager takes the servers for its machines', which have other UIDs now: it writes those down, once
/// on each, and nothing else of Tinkerbell's.
pub(super) fn only_owners_are_written(stage: &Stage) -> anyhow::Result<()> {
    let mut written = BTreeSet::new();
    for asked in stage.plane.audit().since(Mark::default())? {
        let is_ours = asked.user == CAPT_ACCOUNT && asked.is_write();
        let is_server =
            asked.group == HARDWARE.group || asked.group == BMC_MACHINE.group || asked.group == ADDRESS.group;
        if is_ours && is_server {
            let what = format!("{} {} {}", asked.verb, asked.full_resource(), asked.name);
            let is_first = asked.full_resource() == HARDWARE.plural && written.insert(asked.name.clone());
            ensure!(is_first, "after the move: {what}");
        }
    }
    Ok(())
}

/// All that runs on one of the two; it ends when this is dropped.
struct Running {
    _parts: (
        Vec<real_control_plane::process::Process>,
        real_control_plane::process::Process,
        crate::stage::simulators::StandIns,
        real_control_plane::process::Process,
    ),
}

impl Running {
    async fn start(stage: &Stage) -> anyhow::Result<Self> {
        let cluster_api = stage.cluster_api().await?;
        let provider = stage.ipam_provider().await?;
        let stand_ins = stage.simulators(Duration::from_millis(50)).await?;
        let manager = stage.manager("capt-manager", &[]).await?;
        Ok(Self { _parts: (cluster_api, provider, stand_ins, manager) })
    }
}

/// Machine, its server, the address on the server, and the address of the machine's claim.
pub(super) async fn addresses(objects: &Objects) -> anyhow::Result<BTreeMap<String, [String; 3]>> {
    let (servers, leases) = (objects.list(HARDWARE).await?, objects.list(ADDRESS).await?);
    let mut found = BTreeMap::new();
    for machine in objects.list(TINKERBELL_MACHINE).await? {
        let server = text(&machine, "/spec/hardwareName").to_owned();
        let named = |objects: &[Value], wanted: &str, pointer: &str| {
            let object = objects.iter().find(|object| name(object) == wanted);
            object.map(|object| text(object, pointer).to_owned()).unwrap_or_default()
        };
        let on_server = named(&servers, &server, "/spec/interfaces/0/dhcp/ip/address");
        let leased = named(&leases, &format!("{}-0", name(&machine)), "/spec/address");
        ensure!(!on_server.is_empty() && on_server == leased, "{server} has {on_server}, the lease says {leased}");
        found.insert(name(&machine).to_owned(), [server, on_server, leased]);
    }
    Ok(found)
}
