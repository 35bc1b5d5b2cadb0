//! What all runs share: the control plane, the kinds, and the stand-ins.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use capt_e2e::stage::objects::until;
use capt_simulators::crds::Group;
use capt_simulators::{IPAM_PROVIDER, RUFIO, Running, Simulators, TINKERBELL, bmc, fixtures, ipam, tinkerbell};
use kube::Client;
use real_control_plane::api_server::{ADMIN, User};
use real_control_plane::build::Programs;
use real_control_plane::control_plane::ControlPlane;
use real_control_plane::manifests;
use serde_json::Value;

use crate::fleet::Fleet;
use crate::objects::NAMESPACE;
use crate::workload::{Program, Workload};

/// How long a kind may take until it is served.
const SERVED: Duration = Duration::from_secs(10);
/// Our own name, to the server.
pub const BENCH: &str = "capt-bench";

/// Starts a control plane with every kind and every user.
///
/// # Errors
/// When it does not start, or refuses a kind.
pub async fn start(programs: &Programs, folder: &Path) -> anyhow::Result<ControlPlane> {
    let names = [Program::CaptManager.name(), Program::GoCapt.name(), TINKERBELL, RUFIO, IPAM_PROVIDER];
    let plane = ControlPlane::start(programs, folder, &names.map(User::master), &[]).await?;
    let fleet = Fleet::new(plane.client(ADMIN, BENCH).await?);
    for definition in definitions()? {
        fleet.create_at("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await?;
    }
    fleet.create_at("/api/v1/namespaces", &fixtures::namespace(NAMESPACE)).await?;
    // A kind is served a moment after its definition was taken.
    for definition in definitions()? {
        until_served(&plane.client(ADMIN, BENCH).await?, &definition).await?;
    }
    Ok(plane)
}

/// The stand-ins that a workload needs, in our own process, each as a user of its own.
///
/// # Errors
/// When there is no client for one.
pub async fn simulators(plane: &ControlPlane, workload: &Workload) -> anyhow::Result<Running> {
    let mut clients = Vec::new();
    for name in [TINKERBELL, RUFIO, IPAM_PROVIDER] {
        clients.push((name, plane.client(name, name).await?));
    }
    let admin = plane.client(ADMIN, BENCH).await?;
    let client = |name: &str| {
        let known = clients.iter().find(|(known, _)| *known == name);
        known.map_or_else(|| admin.clone(), |(_, client)| client.clone())
    };
    let provider = workload.ipam.then(|| ipam::Options { workers: 16, ..ipam::Options::default() });
    let workflows = tinkerbell::Options { coarse: true, cached: true, ..tinkerbell::Options::default() };
    let jobs = workload.bmc.then(|| bmc::Options { coarse: true, ..bmc::Options::default() });
    let builder = Simulators::builder(client).ipam(provider).tinkerbell(workflows).bmc(jobs).cluster_api(None);
    Ok(builder.start())
}

fn definitions() -> anyhow::Result<Vec<Value>> {
    let groups = [Group::ClusterApi, Group::Ipam, Group::Tinkerbell, Group::Bmc, Group::InCluster];
    let mut all = Vec::new();
    for text in groups.iter().flat_map(|group| group.crds()) {
        all.extend(manifests::parse(text)?);
    }
    for definition in capt_api::crds()? {
        all.push(serde_json::to_value(&definition).context("a definition of ours")?);
    }
    Ok(all)
}

async fn until_served(client: &Client, definition: &Value) -> anyhow::Result<()> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    let served = versions.filter(|version| version.get("served").and_then(Value::as_bool) == Some(true));
    for version in served.filter_map(|version| version.get("name").and_then(Value::as_str)) {
        let path = format!("/apis/{}/{version}/{}?limit=1", text("/spec/group"), text("/spec/names/plural"));
        until(&format!("{path} is served"), SERVED, async || {
            client.request_text(http::Request::get(&path).body(Vec::new())?).await?;
            Ok(Ok(()))
        })
        .await?;
    }
    Ok(())
}
