//! CAPT installed by kubectl alone: what `kubectl kustomize` makes of `deploy` and of each of its components is taken by
//! the server, and `clusterctl move` takes along the machines of two such installations, which no clusterctl knows of.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use capt_simulators::kinds::{ADDRESS, CLAIM, CLUSTER, TINKERBELL_MACHINE, WORKFLOW};
use real_control_plane::api_server::ADMIN;
use real_control_plane::process::Process;
use serde_json::json;

use super::moves::{ARRIVED, addresses, only_owners_are_written};
use super::seed_example::{CLUSTER_NAME, POOL_NAME, SETTLED, control_plane_first, example, running};
use crate::stage::checks::{Switches, machines_say, no_warnings, pool_has, servers_are_clean};
use crate::stage::installed::RELEASE;
use crate::stage::kubectl::Kubectl;
use crate::stage::simulators::StandIns;
use crate::stage::{CAPT, Stage};

const COMPONENTS: &str = "components";
const MACHINES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);
/// Kinds of the Prometheus Operator that the component `monitoring` has, and which nobody else here brings.
const MONITORING: [(&str, &str); 2] = [("ServiceMonitor", "servicemonitors"), ("PrometheusRule", "prometheusrules")];

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    every_rendering_is_taken(stage).await?;

    let source = stage.bare("source").await?;
    let workload = source.workload(CLUSTER_NAME).await?;
    let mut here = Installation::make(&source).await?;
    let kubelets = source.kubelets(&workload);
    source.kubectl()?.apply(&example(workload.server.port())?).await.context("the example")?;
    control_plane_first(&source, &workload).await?;
    running(&source, MACHINES).await?;
    machines_say(&source, &SETTLED).await?;
    no_warnings(&source, true).await?;
    let before = addresses(&source.objects).await?;
    ensure!(before.len() == MACHINES, "addresses before the move: {before:?}");
    drop(kubelets);
    let switched = Switches::count(&source.power);

    let target = stage.bare("target").await?;
    let mut there = Installation::make(&target).await?;
    let to = format!("--to-kubeconfig={}", target.plane.kubeconfig(ADMIN).display());
    source.kubectl()?.clusterctl(&["move", &to, "--namespace=default"]).await.context("clusterctl move")?;
    running(&target, MACHINES).await?;
    // Whatever would go wrong has begun to by then: on the source, too, where a garbage collector runs.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = addresses(&target.objects).await?;
    ensure!(after == before, "addresses on the source {before:?}, on the target {after:?}");
    switched.must_be_none()?;
    machines_say(&target, &ARRIVED).await?;
    no_warnings(&target, false).await?;
    only_owners_are_written(&target)?;
    for (objects, kind, which) in [
        (&source.objects, TINKERBELL_MACHINE, "machines were left on the source"),
        (&target.objects, WORKFLOW, "Workflows were made on the target: servers are installed again"),
    ] {
        let count = objects.count(kind).await?;
        ensure!(count == 0, "{count} {which}");
    }
    here.manager.must_run()?;
    drop(here);

    target.objects.delete(CLUSTER, CLUSTER_NAME).await?;
    for kind in [CLUSTER, TINKERBELL_MACHINE, CLAIM, ADDRESS] {
        target.objects.wait_none(kind, PATIENCE).await?;
    }
    pool_has(&target, POOL_NAME, 101).await?;
    servers_are_clean(&target, 4).await?;
    there.manager.must_run()
}

/// A control plane where CAPT came from `install.yaml`, and all that runs on it.
struct Installation {
    manager: Process,
    _others: (Vec<Process>, Process, StandIns),
}

impl Installation {
    async fn make(stage: &Stage) -> anyhow::Result<Self> {
        stage.prepare().await?;
        stage.prepare_cluster_api().await?;
        let file = stage.root().join(RELEASE).join("install.yaml");
        apply_file(&stage.kubectl()?, &file).await?;
        let others = (
            stage.cluster_api().await?,
            stage.ipam_provider().await?,
            stage.simulators(Duration::from_millis(50)).await?,
        );
        let manager = stage.deployed("capt-manager", &stage.plane.kubeconfig(CAPT)).await?;
        Ok(Self { manager, _others: others })
    }
}

/// As the documents tell people to do it: nothing is forced.
async fn apply_file(kubectl: &Kubectl, file: &Path) -> anyhow::Result<()> {
    let file = file.display().to_string();
    kubectl.run(&["apply", "--server-side", "-f", &file]).await.with_context(|| file.clone()).map(drop)
}

/// Renders `deploy`, alone and with each of its components, and lets the server take what comes of it.
async fn every_rendering_is_taken(stage: &Stage) -> anyhow::Result<()> {
    stage.prepare().await?;
    let kubectl = stage.kubectl()?;
    kubectl.apply(&MONITORING.map(|(kind, plural)| monitoring(kind, plural))).await?;
    kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).await?;
    let deploy = stage.root().join("deploy");
    let mut components = Vec::new();
    for component in std::fs::read_dir(deploy.join(COMPONENTS))? {
        components.push(component?.file_name().to_string_lossy().into_owned());
    }
    components.sort();
    ensure!(!components.is_empty(), "deploy has no components");
    for component in std::iter::once(None).chain(components.iter().map(Some)) {
        let called = component.map_or("deploy", String::as_str);
        let folder = stage.folder().join("renderings").join(called);
        std::fs::create_dir_all(&folder)?;
        // kustomize takes no folder by its absolute path.
        let mut kustomization = json!({ "resources": [relative(&folder, &deploy)?] });
        if let (Some(component), Some(members)) = (component, kustomization.as_object_mut()) {
            let component = relative(&folder, &deploy.join(COMPONENTS).join(component))?;
            members.insert(COMPONENTS.to_owned(), json!([component]));
        }
        std::fs::write(folder.join("kustomization.yaml"), kustomization.to_string())?;
        let made = kubectl.run(&["kustomize", &folder.display().to_string()]).await;
        let file = folder.join("rendered.yaml");
        std::fs::write(&file, made.with_context(|| format!("kustomize with {called}"))?)?;
        apply_file(&kubectl, &file).await?;
    }
    Ok(())
}

/// The path from one folder to another, both absolute.
fn relative(from: &Path, to: &Path) -> anyhow::Result<String> {
    let (from, to) = (from.canonicalize()?, to.canonicalize()?);
    let shared = from.components().zip(to.components()).take_while(|(one, other)| one == other).count();
    let up = from.components().skip(shared).map(|_| "..".to_owned());
    let down = to.components().skip(shared).map(|part| part.as_os_str().to_string_lossy().into_owned());
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}

/// A definition that takes all of a kind: the operator whose kinds these are is no part of what is played here.
fn monitoring(kind: &str, plural: &str) -> serde_json::Value {
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let version = json!({ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } });
    let names =
        json!({ "kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List") });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.monitoring.coreos.com") },
        "spec": { "group": "monitoring.coreos.com", "scope": "Namespaced", "names": names, "versions": [version] },
    })
}
