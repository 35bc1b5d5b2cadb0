//! Kinds that CAPT can do without are missing when it starts. A machine that needs an address waits and says so; when the
//! kinds appear, it goes on, and its server is switched off with a Job when it goes.

use std::time::Duration;

use anyhow::ensure;
use real_control_plane::audit::{Asked, Mark};

use super::seed_example::SETTLED;
use crate::stage::checks::{all_is_given_back, is_told, machines_say, no_warnings_but, waits_for};
use crate::stage::machines::{all_ready, cluster, deployment, pool};
use crate::stage::objects::until;
use crate::stage::{CAPT_ACCOUNT, Stage, servers};
use capt_simulators::kinds::{BMC_JOB, DEFINITION, IN_CLUSTER_POOL, MACHINE_DEPLOYMENT, WORKFLOW};

/// Definitions that are taken away, and what has to be watched once they are back.
const OPTIONAL: [(&str, &str); 3] = [
    ("ipaddressclaims.ipam.cluster.x-k8s.io", "ipaddressclaims"),
    ("ipaddresses.ipam.cluster.x-k8s.io", "ipaddresses"),
    ("jobs.bmc.tinkerbell.org", "jobs"),
];
const CLUSTER_NAME: &str = "early";
const DEPLOYMENT: &str = "early-birds";
const POOL_NAME: &str = "early-pool";
const NOT_INSTALLED: &str = "IPAMNotInstalled";
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    // Installed with its definitions, some of which then go.
    let _cluster_api = stage.cluster_api().await?;
    let definitions = stage.objects.cluster();
    for (definition, _) in OPTIONAL {
        definitions.delete(DEFINITION, definition).await?;
        until(&format!("{definition} is gone"), PATIENCE, async || {
            let found = definitions.find(DEFINITION, definition).await?;
            Ok(found.map_or(Ok(()), |_| Err("it is there".to_owned())))
        })
        .await?;
    }
    let _stand_ins = stage.simulators(Duration::from_millis(50)).await?;
    let watch = stage.observe().await?;
    let mut manager = stage.manager("capt-manager", &[]).await?;
    watched(stage, "customresourcedefinitions").await?;

    servers::make(&stage.objects, "worker", 0..2).await?;
    pool(&stage.objects, IN_CLUSTER_POOL, POOL_NAME, "10.0.5.1-10.0.5.9").await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;
    deployment(&stage.objects, CLUSTER_NAME, DEPLOYMENT, 1, Some((IN_CLUSTER_POOL, POOL_NAME))).await?;
    let waiter = waits_for(stage, "IPAddressClaimsFulfilled", NOT_INSTALLED, "IPAddressClaim").await?;
    is_told(stage, &waiter, NOT_INSTALLED).await?;
    ensure!(stage.objects.count(WORKFLOW).await? == 0, "a server boots without its address");

    stage.install().await?;
    for (_, resource) in OPTIONAL {
        watched(stage, resource).await?;
    }
    let mut provider = stage.ipam_provider().await?;
    all_ready(&stage.objects, 1, PATIENCE).await?;
    machines_say(stage, &SETTLED).await?;
    is_told(stage, &waiter, "Provisioned").await?;
    no_warnings_but(stage, &[NOT_INSTALLED]).await?;

    stage.objects.delete(MACHINE_DEPLOYMENT, DEPLOYMENT).await?;
    all_is_given_back(stage, (POOL_NAME, 9), 2, PATIENCE).await?;
    is_told(stage, &waiter, "Released").await?;
    let off = asked(stage)?.iter().filter(|asked| asked.verb == "create" && asked.resource == BMC_JOB.plural).count();
    ensure!(off == 1, "{off} Jobs were made to switch one server off");
    provider.must_run()?;
    manager.must_run()?;
    watch.finish().await
}

/// What the manager asked for, with success.
fn asked(stage: &Stage) -> anyhow::Result<Vec<Asked>> {
    let mut asked = stage.plane.audit().since(Mark::default())?;
    asked.retain(|asked| asked.user == CAPT_ACCOUNT && (200..300).contains(&asked.code));
    Ok(asked)
}

/// Waits until the manager watches a resource.
async fn watched(stage: &Stage, resource: &str) -> anyhow::Result<()> {
    until(&format!("{resource} are watched"), PATIENCE, async || {
        let is_watch = asked(stage)?.iter().any(|asked| asked.resource == resource && asked.verb == "watch");
        Ok(if is_watch { Ok(()) } else { Err("they are not".to_owned()) })
    })
    .await
}
