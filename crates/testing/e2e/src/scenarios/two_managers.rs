//! Two managers work at once and neither stands for election, as after a mistake of an operator. They get in each other's
//! way; no server and no address goes to two machines, and nothing is left behind.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;

use super::seed_example::SETTLED;
use crate::stage::checks::{all_is_given_back, each_has_its_own, machines_say, no_warnings};
use crate::stage::machines::{all_ready, cluster, deployment, pool, scale};
use crate::stage::objects::text;
use crate::stage::{Stage, servers};
use capt_simulators::kinds::IN_CLUSTER_POOL;

const CLUSTER_NAME: &str = "contested";
const DEPLOYMENT: &str = "contested";
const POOL_NAME: &str = "contested-pool";
const MACHINES: usize = 20;
const SERVERS: u32 = 24;
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let _cluster_api = stage.cluster_api().await?;
    let _provider = stage.ipam_provider().await?;
    let _stand_ins = stage.simulators(Duration::from_millis(30)).await?;
    let watch = stage.observe().await?;
    let mut managers = [stage.manager("capt-manager-one", &[]).await?, stage.manager("capt-manager-two", &[]).await?];

    servers::make(&stage.objects, "worker", 0..SERVERS).await?;
    pool(&stage.objects, IN_CLUSTER_POOL, POOL_NAME, "10.0.6.1-10.0.6.30").await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;
    deployment(&stage.objects, CLUSTER_NAME, DEPLOYMENT, MACHINES, Some((IN_CLUSTER_POOL, POOL_NAME))).await?;
    let machines = all_ready(&stage.objects, MACHINES, PATIENCE).await?;
    machines_say(stage, &SETTLED).await?;
    no_warnings(stage, true).await?;
    let servers: BTreeSet<&str> = machines.iter().map(|machine| text(machine, "/spec/hardwareName")).collect();
    ensure!(servers.len() == MACHINES, "{MACHINES} machines have {} servers", servers.len());
    each_has_its_own(stage, MACHINES).await?;
    // Both may have taken a server for one machine. The one that its spec does not name stays off, and goes with the machine.

    scale(&stage.objects, DEPLOYMENT, 0).await?;
    all_is_given_back(stage, (POOL_NAME, 30), usize::try_from(SERVERS)?, PATIENCE).await?;
    for manager in &mut managers {
        manager.must_run()?;
    }
    watch.finish().await
}
