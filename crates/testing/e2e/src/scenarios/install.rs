//! A release as clusterctl installs it: init, generate, describe, delete; and the Deployment started as it is written.

use std::time::Duration;

use anyhow::{Context, ensure};
use real_control_plane::manifests::parse;
use serde_json::json;

use super::seed_example::{CLUSTER_NAME, SETTLED, control_plane_first, running};
use crate::stage::checks::{machines_say, no_warnings, servers_are_released};
use crate::stage::installed::{CAPT_DEPLOYMENT, RELEASE};
use crate::stage::objects::{NAMESPACE, name};
use crate::stage::{CAPT, CAPT_NAMESPACE, Stage, servers};
use capt_simulators::kinds::{ADDRESS, CLAIM, CLUSTER, DEFINITION, DEPLOYMENT, TINKERBELL_MACHINE};

const PATIENCE: Duration = Duration::from_secs(120);
/// What the templates cannot know.
const VARIABLES: [(&str, &str); 3] =
    [("CONTROL_PLANE_VIP", "10.0.0.50"), ("NODE_ADDRESSES", "10.0.0.100-10.0.0.120"), ("NODE_GATEWAY", "10.0.0.1")];
const SERVERS: u32 = 5;
const MACHINES: usize = 3;

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let bare = stage.bare("installed").await?;
    bare.prepare().await?;
    let releases = bare.releases(&stage.root().join(RELEASE), &VARIABLES).await?;
    let (kubectl, config) = (bare.kubectl()?, releases.argument());
    let init = [
        "init",
        &config,
        "--core=cluster-api",
        "--bootstrap=kubeadm",
        "--control-plane=kubeadm",
        "--infrastructure=tinkerbell",
    ];
    kubectl.clusterctl(&init).await.context("clusterctl init")?;

    let _cluster_api = bare.installed_cluster_api().await?;
    bare.pools().await?;
    let _provider = bare.ipam_provider().await?;
    let _stand_ins = bare.simulators(Duration::from_millis(50)).await?;
    let mut manager = bare.deployed("capt-manager", &bare.plane.kubeconfig(CAPT)).await?;

    let workload = bare.workload(CLUSTER_NAME).await?;
    let _kubelets = bare.kubelets(&workload);
    servers::make(&bare.objects, "worker", 0..SERVERS).await?;
    let generate = [
        "generate",
        "cluster",
        CLUSTER_NAME,
        &config,
        "--infrastructure=tinkerbell",
        "--flavor=ipam",
        "--target-namespace=default",
        "--kubernetes-version=v1.33.5",
        "--control-plane-machine-count=1",
        "--worker-machine-count=2",
    ];
    let generated = kubectl.clusterctl(&generate).await.context("clusterctl generate cluster")?;
    let mut objects = parse(&generated).context("what clusterctl generated")?;
    for object in &mut objects {
        if let Some(endpoint) = object.pointer_mut("/spec/controlPlaneEndpoint") {
            *endpoint = json!({ "host": "127.0.0.1", "port": workload.server.port() });
        }
    }
    kubectl.apply(&objects).await.context("what clusterctl generated")?;
    control_plane_first(&bare, &workload).await?;
    running(&bare, MACHINES).await?;
    machines_say(&bare, &SETTLED).await?;
    no_warnings(&bare, true).await?;
    let tree = kubectl.clusterctl(&["describe", "cluster", CLUSTER_NAME]).await?;
    let wanted = bare.set.tree_name("TinkerbellCluster", NAMESPACE, CLUSTER_NAME);
    ensure!(tree.contains(&wanted), "clusterctl describe:\n{tree}");

    bare.objects.delete(CLUSTER, CLUSTER_NAME).await?;
    for kind in [CLUSTER, TINKERBELL_MACHINE, CLAIM, ADDRESS] {
        bare.objects.wait_none(kind, PATIENCE).await?;
    }
    servers_are_released(&bare, usize::try_from(SERVERS)?).await?;
    manager.must_run()?;
    manager.stop().await?;
    kubectl.clusterctl(&["delete", &config, "--infrastructure=tinkerbell"]).await.context("clusterctl delete")?;
    let left = bare.objects.of(CAPT_NAMESPACE).find(DEPLOYMENT, CAPT_DEPLOYMENT).await?;
    ensure!(left.is_none(), "the Deployment is left after clusterctl delete");
    let definitions = bare.objects.cluster().list(DEFINITION).await?;
    let kept = |wanted: &str| definitions.iter().any(|definition| name(definition) == wanted);
    ensure!(kept("tinkerbellmachines.infrastructure.cluster.x-k8s.io"), "clusterctl delete took the definitions");
    Ok(())
}
