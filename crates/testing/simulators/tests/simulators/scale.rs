//! All stand-ins together, with many machines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use capt_simulators::crds::Group;
use capt_simulators::{Running, Simulators, bmc, cluster_api, fixtures, ipam, tinkerbell};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::support::{NS, World, is_terminating};

/// Brings up this many workers and takes them down; the provider in between is a few lines that make a claim, a
/// Workflow and a power-off Job for each.
async fn up_and_down(workers: u32) {
    let world = World::new(&Group::ALL).await;
    let running = start(&world);
    let labels = BTreeMap::new();
    for n in 0..workers {
        let (name, bmc) = (format!("hw-{n}"), format!("bmc-{n}"));
        world.create("BMC", &bmc, fixtures::bmc_machine(NS, &bmc)).await;
        let hardware = fixtures::hardware(NS, &name, &fixtures::mac(n), &labels, Some(&bmc));
        world.create("Hardware", &name, hardware).await;
    }
    let pool = json!({ "addresses": ["10.0.0.0/16"], "prefix": 16, "gateway": "10.0.0.1" });
    world.create("InClusterIPPool", "pool", json!({ "spec": pool })).await;
    let data = "{name: t, tasks: [{name: t, worker: '{{.device_1}}', actions: [{name: a, image: i}]}]}";
    world.create("Template", "t", json!({ "spec": { "data": data } })).await;
    world.create("TinkerbellMachineTemplate", "t", json!({ "spec": { "template": { "spec": {} } } })).await;
    let reference = |group: &str, kind: &str, name: &str| json!({ "apiGroup": group, "kind": kind, "name": name });
    let infra = "infrastructure.cluster.x-k8s.io";
    world.create("TinkerbellCluster", "c", json!({ "spec": {} })).await;
    let cluster = json!({ "infrastructureRef": reference(infra, "TinkerbellCluster", "c") });
    world.create("Cluster", "c", json!({ "spec": cluster })).await;
    let deployment = json!({
        "clusterName": "c", "replicas": workers, "selector": { "matchLabels": { "a": "b" } },
        "template": { "metadata": { "labels": { "a": "b" } }, "spec": {
            "clusterName": "c", "version": "v1.33.1", "bootstrap": { "dataSecretName": "unused" },
            "infrastructureRef": reference(infra, "TinkerbellMachineTemplate", "t"),
        } },
    });
    world.create("MachineDeployment", "md", json!({ "spec": deployment })).await;

    let count = usize::try_from(workers).unwrap();
    let machines = world.until_all("TinkerbellMachine", |all| all.len() == count).await;
    let provision = |(n, machine): (usize, Value)| {
        let world = world.clone();
        async move { provision(&world, n, &machine).await }
    };
    let addresses: Vec<String> =
        stream::iter(machines.into_iter().enumerate()).map(provision).buffer_unordered(count).collect().await;
    assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), count, "no address twice");
    let ready = |md: &Value| md["status"]["readyReplicas"] == workers;
    world.until("MachineDeployment", "md", ready).await;

    world.delete("Cluster", "c").await;
    world.until_all("TinkerbellMachine", |all| all.len() == count && all.iter().all(is_terminating)).await;
    stream::iter(0..count)
        .for_each_concurrent(count, |n| {
            let world = world.clone();
            async move { release(&world, n).await }
        })
        .await;
    for machine in world.list("TinkerbellMachine").await {
        let name = machine["metadata"]["name"].as_str().unwrap();
        world.patch("TinkerbellMachine", name, json!({ "metadata": { "finalizers": null } })).await;
    }
    world.until_gone("Cluster", "c").await;
    let unused = |pool: &Value| pool["status"]["ipAddresses"]["used"] == 0;
    world.until("InClusterIPPool", "pool", unused).await;
    assert!(running.power().snapshot().values().all(|power| *power == bmc::Power::Off));
    running.stop().await;
}

fn start(world: &World) -> Running {
    Simulators::builder(|user| world.client_for(user))
        .ipam([ipam::Options::default()])
        .tinkerbell(tinkerbell::Options { coarse: true, ..tinkerbell::Options::default() })
        .bmc(bmc::Options { coarse: true, ..bmc::Options::default() })
        .cluster_api(cluster_api::Options { coarse: true, ..cluster_api::Options::default() })
        .token(world.token.clone())
        .start()
}

async fn provision(world: &World, n: usize, machine: &Value) -> String {
    let name = machine["metadata"]["name"].as_str().unwrap();
    world.patch("TinkerbellMachine", name, json!({ "metadata": { "finalizers": ["example.org/held"] } })).await;
    let pool = json!({ "apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "pool" });
    let claim = json!({ "spec": { "clusterName": "c", "poolRef": pool } });
    let claim_name = format!("claim-{n}");
    world.create("IPAddressClaim", &claim_name, claim).await;
    world.until("IPAddressClaim", &claim_name, |claim| claim["status"].get("addressRef").is_some()).await;
    let address = world.get("IPAddress", &claim_name).await.unwrap();
    let workflow = json!({
        "templateRef": "t", "hardwareRef": format!("hw-{n}"), "hardwareMap": { "device_1": name },
        "bootOptions": { "toggleAllowNetboot": true },
    });
    world.create("Workflow", name, json!({ "spec": workflow })).await;
    world.until("Workflow", name, |workflow| workflow["status"]["state"] == "SUCCESS").await;
    world.patch_status("TinkerbellMachine", name, json!({ "ready": true })).await;
    address["spec"]["address"].as_str().unwrap().to_owned()
}

async fn release(world: &World, n: usize) {
    let machine = json!({ "name": format!("bmc-{n}"), "namespace": NS });
    let job = json!({ "machineRef": machine, "tasks": [{ "powerAction": "off" }] });
    let name = format!("off-{n}");
    world.create("Job", &name, json!({ "spec": job })).await;
    let is_done = |job: &Value| job["status"].get("completionTime").is_some();
    world.until("Job", &name, is_done).await;
    world.delete("IPAddressClaim", &format!("claim-{n}")).await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_machines_come_and_go_and_nothing_is_left() {
    up_and_down(100).await;
}

/// `cargo test --release -p capt-simulators --test neighbours -- --ignored --nocapture` tells how long it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, on an unpaused clock"]
async fn a_thousand_machines_in_real_time() {
    let start = std::time::Instant::now();
    tokio::time::timeout(Duration::from_secs(300), up_and_down(1000)).await.unwrap();
    println!("1000 machines up and down: {:?}", start.elapsed());
}
