//! From Go CAPT, installed by clusterctl from its own manifests, to ours and back, and to ours again by plain manifests,
//! with machines that run: no server is installed again, no object is lost.

use std::time::Duration;

use anyhow::{Context, ensure};
use real_control_plane::manifests::{parse, read_file};
use real_control_plane::pins;

use super::takeover::{Picture, needless_writes, settle};
use crate::stage::checks::{Switches, machines_say, no_warnings, servers_are_released};
use crate::stage::installed::{CAPT_DEPLOYMENT, CAPT_PROVIDER, RELEASE, VERSION};
use crate::stage::machines::{all_ready, cluster, deployment, scale};
use crate::stage::objects::text;
use crate::stage::{CAPT, CAPT_NAMESPACE, Stage, servers};
use capt_simulators::kinds::{DEPLOYMENT, TINKERBELL_MACHINE};

const CLUSTER_NAME: &str = "upgraded";
const WORKERS: &str = "upgraded";
const SERVERS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let bare = stage.bare("upgraded").await?;
    bare.prepare().await?;
    let release = stage.root().join(RELEASE);
    let releases = bare.releases(&release, &[]).await?;
    let (kubectl, config) = (bare.kubectl()?, releases.argument());
    let go_version = format!("--infrastructure=tinkerbell:{}", pins::GO_CAPT.version);
    let init = ["init", &config, "--core=cluster-api", "--bootstrap=kubeadm", "--control-plane=kubeadm", &go_version];
    kubectl.clusterctl(&init).await.context("clusterctl init of Go CAPT")?;

    let _cluster_api = bare.installed_cluster_api().await?;
    let _stand_ins = bare.simulators(Duration::from_millis(50)).await?;
    servers::make_with_addresses(&bare.objects, "worker", 0..SERVERS).await?;
    let mut go = bare.installed_go("go-capt").await?;
    cluster(&bare.objects, CLUSTER_NAME).await?;
    deployment(&bare.objects, CLUSTER_NAME, WORKERS, 1, None).await?;
    // One after the other: it gives two machines the same Hardware when they come at once.
    for machines in 1..=2 {
        scale(&bare.objects, WORKERS, machines).await?;
        all_ready(&bare.objects, machines, PATIENCE).await?;
    }
    settle().await;
    go.stop().await?;
    bare.unwire(CAPT_PROVIDER).await?;

    // To ours, by clusterctl.
    let switched = Switches::count(&bare.power);
    let before = Picture::take(&bare).await?;
    let ours = format!("--infrastructure={CAPT_NAMESPACE}/tinkerbell:{VERSION}");
    kubectl.clusterctl(&["upgrade", "apply", &config, &ours]).await.context("clusterctl upgrade apply")?;
    let mark = bare.plane.audit().mark()?;
    let mut manager = bare.deployed("capt-manager", &bare.plane.kubeconfig(CAPT)).await?;
    settle().await;
    before.must_be_unchanged(&bare, &switched).await?;
    needless_writes(&bare, mark)?;
    machines_say(&bare, &[("Ready", "True "), ("HardwareReserved", "True ")]).await?;
    no_warnings(&bare, false).await?;
    scale(&bare.objects, WORKERS, 3).await?;
    all_ready(&bare.objects, 3, PATIENCE).await?;
    settle().await;
    manager.stop().await?;
    bare.unwire(CAPT_PROVIDER).await?;

    // And back, by the manifests of the old one.
    let switched = Switches::count(&bare.power);
    let before = Picture::take(&bare).await?;
    let generate = ["generate", "provider", &config, &go_version];
    let old = kubectl.clusterctl(&generate).await.context("clusterctl generate provider")?;
    kubectl.apply(&parse(&old)?).await.context("the manifests of Go CAPT over ours")?;
    let mut go = bare.installed_go("go-capt-again").await?;
    settle().await;
    before.must_be_unchanged(&bare, &switched).await?;
    all_ready(&bare.objects, 3, PATIENCE).await?;
    scale(&bare.objects, WORKERS, 2).await?;
    all_ready(&bare.objects, 2, PATIENCE).await?;
    go.stop().await?;
    bare.unwire(CAPT_PROVIDER).await?;

    // To ours again, by kubectl alone.
    let switched = Switches::count(&bare.power);
    let before = Picture::take(&bare).await?;
    let install = read_file(&release.join("install.yaml"))?;
    kubectl.apply(&install).await.context("install.yaml over Go CAPT")?;
    let deployed = bare.objects.of(CAPT_NAMESPACE).get(DEPLOYMENT, CAPT_DEPLOYMENT).await?;
    let image = text(&deployed, "/spec/template/spec/containers/0/image");
    ensure!(image.ends_with(VERSION), "the Deployment runs {image}");
    let mut manager = bare.deployed("capt-manager-again", &bare.plane.kubeconfig(CAPT)).await?;
    settle().await;
    before.must_be_unchanged(&bare, &switched).await?;
    scale(&bare.objects, WORKERS, 0).await?;
    bare.objects.wait_none(TINKERBELL_MACHINE, PATIENCE).await?;
    servers_are_released(&bare, usize::try_from(SERVERS)?).await?;
    manager.must_run()
}
