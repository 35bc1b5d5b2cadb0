//! One run of one program over one workload.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use capt_simulators::TINKERBELL;
use real_control_plane::api_server::ADMIN;
use real_control_plane::audit::{Asked, Mark};
use real_control_plane::control_plane::ControlPlane;
use real_control_plane::process::{Usage, usage};

use crate::audit::{Requests, latencies, machine_writes, percentile};
use crate::baseline::Plan;
use crate::fleet::Fleet;
use crate::objects;
use crate::program::{Files, Manager};
use crate::results::{Phase, Run};
use crate::stage::{self, BENCH};
use crate::watch::Board;
use crate::workload::{Program, Workload};

/// What comes late still counts: a phase goes on for this long after its goal was reached.
const SETTLE: Duration = Duration::from_secs(2);
/// How long nothing is to be done.
const IDLE: Duration = Duration::from_secs(15);
/// How long a phase may take.
pub const PATIENCE: Duration = Duration::from_secs(900);
/// What a workload leaves behind when its machines are gone, and what it needs.
const LEFT: [objects::Kind; 11] = [
    objects::TINKERBELL_CLUSTER,
    objects::CAPI_MACHINE,
    objects::CAPI_CLUSTER,
    objects::SECRET,
    objects::CLAIM,
    objects::IN_CLUSTER_POOL,
    objects::WORKFLOW,
    objects::TEMPLATE,
    objects::BMC_JOB,
    objects::HARDWARE,
    objects::BMC_MACHINE,
];

/// Runs it, and leaves the control plane empty. Returns also what our manager made for the machines, where programs are
/// compared. Logs go to `folder`.
///
/// # Errors
/// When the program fails, or machines do not become ready.
pub async fn run(
    workload: &Workload,
    program: Program,
    files: &Files,
    plane: &ControlPlane,
    folder: &Path,
) -> anyhow::Result<(Run, Option<Plan>)> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let fleet = Fleet::new(plane.client(ADMIN, BENCH).await?);
    prepare(&fleet, workload).await?;
    let simulators = stage::simulators(plane, workload).await?;
    let mut board = Board::start(plane.client(ADMIN, BENCH).await?);

    let mut meter = Meter::start(program, plane, workload.machines)?;
    let mut manager = Manager::start(program, files, plane, folder).await?;
    let uids = make_cluster(&fleet, workload).await?;
    fleet.until_true(objects::TINKERBELL_CLUSTER, objects::CLUSTER, "/status/ready").await?;
    meter.server_begins()?;
    let begin = Instant::now();
    make_machines(&fleet, workload, &uids).await?;
    let all = workload.machines;
    let ready = board.until(|count| count.ready == all, &mut manager.process, PATIENCE).await?;
    tokio::time::sleep(SETTLE).await;
    let (provision, log) = meter.phase(ready - begin, &mut manager)?;
    let latencies = latencies(program.name(), TINKERBELL, &log);

    tokio::time::sleep(IDLE).await;
    let (idle, _) = meter.phase(IDLE, &mut manager)?;

    let is_made_again = program == Program::CaptManager && workload.repeated;
    let plan = if is_made_again { Some(Plan::read(&fleet).await?) } else { None };
    meter.server_begins()?;
    let begin = Instant::now();
    fleet.delete(objects::TINKERBELL_MACHINE, (0..all).map(objects::machine_name)).await?;
    let gone = board.until(|count| count.machines == 0, &mut manager.process, PATIENCE).await?;
    tokio::time::sleep(SETTLE).await;
    let (release, _) = meter.phase(gone.saturating_duration_since(begin), &mut manager)?;

    let peak_mib = manager.usage()?.peak_memory as f64 / f64::from(1 << 20);
    fleet.clear(objects::TINKERBELL_CLUSTER).await?;
    manager.process.stop().await?;
    clear(&fleet).await?;
    // Last: the IPAM provider has a finalizer on the pool.
    simulators.stop().await;
    let millis = |share| percentile(&latencies, share).unwrap_or_default().as_secs_f64() * 1e3;
    let (latency_p50_ms, latency_p99_ms) = (millis(0.5), millis(0.99));
    Ok((Run { provision, idle, release, peak_mib, latency_p50_ms, latency_p99_ms }, plan))
}

/// The servers, before anybody looks.
///
/// # Errors
/// When the API server refuses one.
pub async fn prepare(fleet: &Fleet, workload: &Workload) -> anyhow::Result<()> {
    if workload.ipam {
        fleet.create(objects::IN_CLUSTER_POOL, [objects::pool()]).await?;
    }
    if workload.bmc {
        fleet.create(objects::BMC_MACHINE, (0..workload.hardware).map(objects::bmc_machine)).await?;
    }
    fleet.create(objects::HARDWARE, (0..workload.hardware).map(|n| objects::hardware(workload, n))).await?;
    Ok(())
}

/// The cluster, and all that a machine needs before it is made; returns the UIDs of the Machines.
///
/// # Errors
/// When the API server refuses something.
pub async fn make_cluster(fleet: &Fleet, workload: &Workload) -> anyhow::Result<Vec<String>> {
    let uids = fleet.create(objects::CAPI_CLUSTER, [objects::cluster()]).await?;
    let uid = uids.first().context("the Cluster's UID")?;
    fleet.create(objects::TINKERBELL_CLUSTER, [objects::tinkerbell_cluster(uid)]).await?;
    fleet.create(objects::SECRET, (0..workload.machines).map(objects::secret)).await?;
    fleet.create(objects::CAPI_MACHINE, (0..workload.machines).map(objects::capi_machine)).await
}

/// The machines, all at once; `uids` are their Machines'.
///
/// # Errors
/// When the API server refuses one.
pub async fn make_machines(fleet: &Fleet, workload: &Workload, uids: &[String]) -> anyhow::Result<()> {
    let machines =
        uids.iter().enumerate().map(|(n, machine_uid)| objects::tinkerbell_machine(workload, n, machine_uid));
    fleet.create(objects::TINKERBELL_MACHINE, machines).await.map(drop)
}

/// Deletes all that a workload left.
///
/// # Errors
/// When something does not go.
pub async fn clear(fleet: &Fleet) -> anyhow::Result<()> {
    for kind in LEFT {
        fleet.clear(kind).await?;
    }
    // Last, since each of the above may still bring one.
    fleet.clear(objects::EVENT).await
}

/// Reads what a program uses, from one phase to the next.
struct Meter<'a> {
    program: Program,
    plane: &'a ControlPlane,
    machines: f64,
    mark: Mark,
    /// Requests of this phase that were answered before it began for the server.
    prepared: usize,
    used: Usage,
    server_used: Usage,
}

impl<'a> Meter<'a> {
    /// Begins before the program was started.
    fn start(program: Program, plane: &'a ControlPlane, machines: usize) -> anyhow::Result<Self> {
        let mark = plane.audit().mark()?;
        let server_used = server_usage(plane)?;
        Ok(Self { program, plane, machines: machines as f64, mark, prepared: 0, used: Usage::default(), server_used })
    }

    /// What the API server did until now was preparation.
    fn server_begins(&mut self) -> anyhow::Result<()> {
        (self.prepared, self.server_used) = (self.log()?.len(), server_usage(self.plane)?);
        Ok(())
    }

    /// What was asked of the server since the last phase.
    fn log(&self) -> anyhow::Result<Vec<Asked>> {
        let mut log = self.plane.audit().since(self.mark)?;
        log.retain(|asked| !asked.resource.is_empty());
        Ok(log)
    }

    /// What was used since the last phase, and what was asked of the server.
    fn phase(&mut self, took: Duration, manager: &mut Manager) -> anyhow::Result<(Phase, Vec<Asked>)> {
        let used = manager.usage()?;
        let server_used = server_usage(self.plane)?;
        let mark = self.plane.audit().mark()?;
        // The phase ends here; reading the log is not part of it.
        let log = self.log()?;
        let requests = Requests::of(self.program.name(), &log);
        let per_machine = |now: Usage, before: Usage| (now.cpu - before.cpu).as_secs_f64() * 1e3 / self.machines;
        let phase = Phase {
            seconds: took.as_secs_f64(),
            cpu_ms_per_machine: per_machine(used, self.used),
            writes_per_machine: machine_writes(self.program.name(), &log) as f64 / self.machines,
            all_requests_per_machine: (log.len() - self.prepared) as f64 / self.machines,
            server_cpu_ms_per_machine: per_machine(server_used, self.server_used),
            requests,
        };
        (self.mark, self.prepared, self.used, self.server_used) = (mark, 0, used, server_used);
        Ok((phase, log))
    }
}

fn server_usage(plane: &ControlPlane) -> anyhow::Result<Usage> {
    usage(plane.process().id().context("kube-apiserver has ended")?)
}
