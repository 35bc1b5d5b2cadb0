//! Machines are made and unmade while the manager is killed at random moments and the API server restarts; then two
//! replicas, whose leader is killed. The observer checks the rules throughout.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use real_control_plane::process::Process;
use serde_json::Value;

use super::seed_example::SETTLED;
use crate::stage::checks::{all_is_given_back, is_told, machines_say, no_warnings_but, summary};
use crate::stage::machines::{cluster, deployment, is_ready, pool, scale};
use crate::stage::objects::{name, text, told, until};
use crate::stage::{CAPT_NAMESPACE, Stage, servers};
use capt_simulators::kinds::{BMC_JOB, IN_CLUSTER_POOL, LEASE, MACHINE, TINKERBELL_MACHINE};

const CLUSTER_NAME: &str = "crashes";
/// The reason of a machine that got another's address from its provider.
const ADDRESS_DUPLICATE: &str = "AddressDuplicate";
const DEPLOYMENT: &str = "crashing";
const POOL_NAME: &str = "crash-pool";
const MACHINES: usize = 30;
/// Replaced machines keep their servers until those are proven to be off.
const SERVERS: u32 = 48;
const POOL_SIZE: u64 = 40;
const PATIENCE: Duration = Duration::from_secs(120);
/// An unlucky manager is left in peace after this long, so that a play ends.
const UNREST: Duration = Duration::from_secs(45);
/// How long a killed leader's lead lasts: short, for nobody wants to wait.
const ELECTION: [&str; 5] = [
    "--leader-elect",
    "--leader-election-namespace=capt-system",
    "--leader-elect-lease-duration=4s",
    "--leader-elect-renew-deadline=3s",
    "--leader-elect-retry-period=500ms",
];

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let mut moments = Moments::from_environment();
    let _cluster_api = stage.cluster_api().await?;
    let _provider = stage.ipam_provider().await?;
    let _stand_ins = stage.simulators(Duration::from_millis(30)).await?;
    let watch = stage.observe().await?;
    servers::make(&stage.objects, "worker", 0..SERVERS).await?;
    pool(&stage.objects, IN_CLUSTER_POOL, POOL_NAME, "10.0.2.1-10.0.2.40").await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;
    deployment(&stage.objects, CLUSTER_NAME, DEPLOYMENT, MACHINES, Some((IN_CLUSTER_POOL, POOL_NAME))).await?;

    let mut manager =
        kill_until(stage, &mut moments, "made", true, async |stage| Ok(ready(stage).await?.len() == MACHINES)).await?;
    delete_orphans(stage).await?;
    all_made(stage).await?;
    machines_say(stage, &SETTLED).await?;
    no_warnings_but(stage, &[ADDRESS_DUPLICATE]).await?;
    manager.kill().await?;

    scale(&stage.objects, DEPLOYMENT, 0).await?;
    let manager = kill_until(stage, &mut moments, "unmade", false, async |stage| {
        Ok(stage.objects.count(TINKERBELL_MACHINE).await? == 0)
    })
    .await?;
    nothing_is_left(stage).await?;
    drop(manager);

    let mut leader = stage.manager("capt-manager-leader", &ELECTION).await?;
    let first = holder(stage, "").await?;
    let mut follower = stage.manager("capt-manager-follower", &ELECTION).await?;
    scale(&stage.objects, DEPLOYMENT, MACHINES).await?;
    until("the first machines have servers", PATIENCE, async || {
        let some = stage
            .objects
            .list(TINKERBELL_MACHINE)
            .await?
            .iter()
            .any(|machine| !text(machine, "/spec/hardwareName").is_empty());
        Ok(if some { Ok(()) } else { Err("none has".to_owned()) })
    })
    .await?;
    leader.kill().await?;
    let made_by_first: BTreeSet<String> = ready(stage).await?.iter().map(|machine| name(machine).to_owned()).collect();
    holder(stage, &first).await?;
    all_made(stage).await?;
    machines_say(stage, &SETTLED).await?;
    no_warnings_but(stage, &[ADDRESS_DUPLICATE]).await?;
    // What the killed one had to tell and had not sent is lost; its successor tells all of the rest.
    for machine in ready(stage).await?.iter().map(name).filter(|machine| !made_by_first.contains(*machine)) {
        is_told(stage, machine, "Provisioned").await?;
    }
    scale(&stage.objects, DEPLOYMENT, 0).await?;
    nothing_is_left(stage).await?;
    follower.must_run()?;
    watch.finish().await
}

/// Starts the manager, kills it at random moments and starts it anew, until `done`; returns the one that is left.
/// Half-way, if wanted, the API server restarts under it.
async fn kill_until(
    stage: &mut Stage,
    moments: &mut Moments,
    what: &str,
    restart_server: bool,
    done: impl AsyncFn(&Stage) -> anyhow::Result<bool>,
) -> anyhow::Result<Process> {
    let begin = Instant::now();
    let mut kills = 0;
    loop {
        let mut manager = stage.manager("capt-manager", &[]).await?;
        tokio::time::sleep(moments.next()).await;
        if kills == 2 && restart_server {
            stage.plane.restart().await?;
        }
        // A server that has just started may not answer yet.
        let is_done = done(stage).await.unwrap_or(false);
        manager.must_run()?;
        if (is_done || begin.elapsed() > UNREST) && kills > 2 {
            println!(
                "          crashes: {MACHINES} machines {what} with {kills} kills in {} s",
                begin.elapsed().as_secs()
            );
            return Ok(manager);
        }
        manager.kill().await?;
        kills += 1;
    }
}

async fn ready(stage: &Stage) -> anyhow::Result<Vec<Value>> {
    let mut machines = stage.objects.list(TINKERBELL_MACHINE).await?;
    machines.retain(is_ready);
    Ok(machines)
}

/// Waits until all machines are ready.
///
/// The in-cluster provider has been seen to give one address to two claims when the API server restarts. The manager
/// keeps the second machine waiting and says so; as it tells operators to, that machine is replaced.
async fn all_made(stage: &Stage) -> anyhow::Result<()> {
    until(&format!("{MACHINES} machines are ready"), PATIENCE, async || {
        let machines = stage.objects.list(TINKERBELL_MACHINE).await?;
        let waiting: Vec<Value> = machines.iter().filter(|machine| !is_ready(machine)).cloned().collect();
        for machine in &waiting {
            let told = told(machine, "IPAddressClaimsFulfilled");
            if told.starts_with(&format!("False {ADDRESS_DUPLICATE}"))
                && text(machine, "/metadata/deletionTimestamp").is_empty()
            {
                println!("          crashes: {} is replaced: {told}", name(machine));
                stage.objects.delete(MACHINE, name(machine)).await?;
            }
        }
        let all = waiting.is_empty() && machines.len() == MACHINES;
        Ok(if all { Ok(()) } else { Err(format!("{} machines; {}", machines.len(), summary(&waiting))) })
    })
    .await
}

/// Cluster API makes a TinkerbellMachine first and its Machine then. When the server goes in between, the former stays
/// behind, owned by nobody; an operator deletes it.
async fn delete_orphans(stage: &Stage) -> anyhow::Result<()> {
    let machines = stage.objects.list(MACHINE).await?;
    for own in stage.objects.list(TINKERBELL_MACHINE).await? {
        if machines.iter().all(|machine| name(machine) != name(&own)) {
            stage.objects.delete(TINKERBELL_MACHINE, name(&own)).await?;
        }
    }
    Ok(())
}

async fn nothing_is_left(stage: &Stage) -> anyhow::Result<()> {
    all_is_given_back(stage, (POOL_NAME, POOL_SIZE), usize::try_from(SERVERS)?, PATIENCE).await?;
    let jobs = stage.objects.list(BMC_JOB).await?;
    let orphans = jobs.iter().filter(|job| text(job, "/metadata/deletionTimestamp").is_empty()).count();
    ensure!(orphans <= usize::try_from(SERVERS)?, "{orphans} Jobs are left");
    Ok(())
}

/// Waits until somebody else than `not` holds the lead, and returns who.
async fn holder(stage: &Stage, not: &str) -> anyhow::Result<String> {
    until("there is a new leader", PATIENCE, async || {
        let leases = stage.objects.of(CAPT_NAMESPACE).list(LEASE).await?;
        let holders: Vec<&str> = leases.iter().map(|lease| text(lease, "/spec/holderIdentity")).collect();
        let new = holders.iter().find(|holder| !holder.is_empty() && **holder != not);
        Ok(new.map(|holder| (*holder).to_owned()).ok_or_else(|| holders.join(", ")))
    })
    .await
}

/// Random times, the same ones for the same seed.
struct Moments(u64);

impl Moments {
    /// Seeded by `E2E_SEED`, else by the clock; the seed is printed.
    fn from_environment() -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
        let seed = std::env::var("E2E_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(clock);
        println!("          crashes: E2E_SEED={seed}");
        Self(seed)
    }

    /// Between 0.3 and 3 seconds.
    fn next(&mut self) -> Duration {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis(300 + (z ^ (z >> 31)) % 2700)
    }
}
