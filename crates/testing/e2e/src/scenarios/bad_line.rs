//! Every other write of capt-manager is done and its answer lost. It has to look what became of it, and do nothing twice.

use std::time::Duration;

use anyhow::ensure;

use super::seed_example::SETTLED;
use crate::stage::checks::{all_is_given_back, each_has_its_own, machines_say};
use crate::stage::machines::{all_ready, cluster, deployment, pool, scale};
use crate::stage::{Stage, servers};
use capt_simulators::kinds::{
    BMC_JOB, CLAIM, HARDWARE, IN_CLUSTER_POOL, TEMPLATE, TINKERBELL_CLUSTER, TINKERBELL_MACHINE, WORKFLOW,
};

const CLUSTER_NAME: &str = "far-away";
const DEPLOYMENT: &str = "remote";
const POOL_NAME: &str = "far-pool";
const MACHINES: usize = 4;
const SERVERS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let _cluster_api = stage.cluster_api().await?;
    let _provider = stage.ipam_provider().await?;
    let _stand_ins = stage.simulators(Duration::from_millis(50)).await?;
    let watch = stage.observe().await?;
    let line = stage.bad_line().await?;
    let mut manager = stage.manager_with("capt-manager", &line.kubeconfig, &[]).await?;

    servers::make(&stage.objects, "worker", 0..SERVERS).await?;
    pool(&stage.objects, IN_CLUSTER_POOL, POOL_NAME, "10.0.3.1-10.0.3.9").await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;
    deployment(&stage.objects, CLUSTER_NAME, DEPLOYMENT, MACHINES, Some((IN_CLUSTER_POOL, POOL_NAME))).await?;
    all_ready(&stage.objects, MACHINES, PATIENCE).await?;
    machines_say(stage, &SETTLED).await?;
    each_has_its_own(stage, MACHINES).await?;

    scale(&stage.objects, DEPLOYMENT, 0).await?;
    all_is_given_back(stage, (POOL_NAME, 9), usize::try_from(SERVERS)?, PATIENCE).await?;
    for kind in [TINKERBELL_CLUSTER, TINKERBELL_MACHINE, HARDWARE, CLAIM, TEMPLATE, WORKFLOW, BMC_JOB] {
        ensure!(line.lost(kind.plural) > 0, "no answer to a write of {} was lost: nothing is shown", kind.plural);
    }
    manager.must_run()?;
    watch.finish().await
}
