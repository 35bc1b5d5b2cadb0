//! Cluster API with an infrastructure provider of two tasks' size.

use std::time::Duration;

use capt_simulators::cluster_api::{ClusterApiControllers, Options, bootstrap_token};
use capt_simulators::crds::Group;
use serde_json::{Value, json};

use crate::support::{NS, World, is_terminating};

async fn world() -> World {
    World::new(&[Group::ClusterApi]).await
}

fn start(world: &World, options: Options) -> ClusterApiControllers {
    ClusterApiControllers::start(&world.client_for("cluster-api"), options, &world.token)
}

/// Marks every TinkerbellCluster and TinkerbellMachine as provisioned, a second after it appears.
fn start_infrastructure(world: &World) {
    let world = world.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            for kind in ["TinkerbellCluster", "TinkerbellMachine"] {
                for object in world.list(kind).await {
                    let name = object["metadata"]["name"].as_str().unwrap();
                    let has_owner = object["metadata"].get("ownerReferences").is_some();
                    if object["status"]["ready"] == true || is_terminating(&object) || !has_owner {
                        continue;
                    }
                    if kind == "TinkerbellMachine" {
                        let provider_id = json!(format!("tinkerbell://{NS}/hw-of-{name}"));
                        world.patch(kind, name, json!({ "spec": { "providerID": provider_id } })).await;
                    }
                    let ready = json!({
                        "type": "Ready", "status": "True", "reason": "Provisioned", "message": "on hw",
                        "lastTransitionTime": "2026-01-01T00:00:00Z",
                    });
                    let addresses = json!([{ "type": "InternalIP", "address": "10.0.0.5" }]);
                    let status = match kind {
                        "TinkerbellMachine" => json!({ "ready": true, "addresses": addresses, "conditions": [ready] }),
                        _ => json!({ "ready": true, "conditions": [ready] }),
                    };
                    world.patch_status(kind, name, status).await;
                }
            }
        }
    });
}

async fn create_cluster(world: &World) {
    let endpoint = json!({ "host": "127.0.0.1", "port": 6443 });
    let spec = json!({ "controlPlaneEndpoint": endpoint });
    world.create("TinkerbellCluster", "c", json!({ "spec": spec })).await;
    create_template(world, "small").await;
    let spec = json!({
        "infrastructureRef": reference("infrastructure.cluster.x-k8s.io", "TinkerbellCluster", "c"),
        "controlPlaneRef": reference("controlplane.cluster.x-k8s.io", "KubeadmControlPlane", "cp"),
    });
    world.create("Cluster", "c", json!({ "spec": spec })).await;
}

async fn create_template(world: &World, name: &str) {
    let metadata = json!({ "labels": { "rack": "7" }, "annotations": { "note": name } });
    let machine = json!({ "hardwareAffinity": { "required": [
        { "labelSelector": { "matchLabels": { "size": name } } },
    ] } });
    let spec = json!({ "template": { "metadata": metadata, "spec": machine } });
    world.create("TinkerbellMachineTemplate", name, json!({ "spec": spec })).await;
}

fn reference(group: &str, kind: &str, name: &str) -> Value {
    json!({ "apiGroup": group, "kind": kind, "name": name })
}

fn template_reference(name: &str) -> Value {
    reference("infrastructure.cluster.x-k8s.io", "TinkerbellMachineTemplate", name)
}

async fn create_control_plane(world: &World, replicas: u32) {
    let spec = json!({
        "replicas": replicas, "version": "v1.33.1",
        "machineTemplate": { "spec": { "infrastructureRef": template_reference("small") } },
    });
    world.create("KubeadmControlPlane", "cp", json!({ "spec": spec })).await;
}

async fn create_workers(world: &World, replicas: u32) {
    let labels = json!({ "pool": "workers" });
    let spec = json!({
        "clusterName": "c", "replicas": replicas, "selector": { "matchLabels": labels },
        "template": {
            "metadata": { "labels": labels },
            "spec": {
                "clusterName": "c", "version": "v1.33.1",
                "bootstrap": { "configRef": reference("bootstrap.cluster.x-k8s.io", "KubeadmConfigTemplate", "md") },
                "infrastructureRef": template_reference("small"),
            },
        },
    });
    world.create("MachineDeployment", "md", json!({ "spec": spec })).await;
}

fn is_running(machine: &Value) -> bool {
    machine["status"]["phase"] == "Running"
}

fn all_running(count: usize) -> impl Fn(&[Value]) -> bool {
    move |machines| machines.len() == count && machines.iter().all(is_running)
}

fn names(machines: &[Value]) -> Vec<String> {
    let name = |machine: &Value| machine["metadata"]["name"].as_str().unwrap().to_owned();
    machines.iter().map(name).collect()
}

fn cloned_from(object: &Value) -> &str {
    object["metadata"]["annotations"]["cluster.x-k8s.io/cloned-from-name"].as_str().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_cluster_comes_up_with_everything_that_an_infrastructure_provider_reads() {
    let world = world().await;
    start(&world, Options::default());
    start_infrastructure(&world);
    create_cluster(&world).await;
    create_control_plane(&world, 1).await;
    create_workers(&world, 2).await;
    let machines = world.until_all("Machine", all_running(3)).await;
    let cluster =
        world.until("Cluster", "c", |c| c["status"]["initialization"]["controlPlaneInitialized"] == true).await;
    assert_eq!(cluster["status"]["phase"], "Provisioned");
    assert_eq!(cluster["status"]["initialization"]["infrastructureProvisioned"], true);
    assert_eq!(cluster["spec"]["controlPlaneEndpoint"]["host"], "127.0.0.1");
    let infra = world.get("TinkerbellCluster", "c").await.unwrap();
    assert_eq!(infra["metadata"]["ownerReferences"][0]["uid"], cluster["metadata"]["uid"]);
    assert_eq!(infra["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"], "c");
    for machine in &machines {
        let name = machine["metadata"]["name"].as_str().unwrap();
        assert_eq!(machine["spec"]["version"], "v1.33.1");
        assert_eq!(machine["spec"]["providerID"], format!("tinkerbell://{NS}/hw-of-{name}"));
        assert_eq!(machine["status"]["addresses"][0]["address"], "10.0.0.5");
        assert_eq!(machine["status"]["conditions"][0]["message"], "on hw");
        let infra = world.get("TinkerbellMachine", name).await.unwrap();
        let owner = &infra["metadata"]["ownerReferences"][0];
        assert_eq!(owner["uid"], machine["metadata"]["uid"]);
        assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&json!(true), &json!(true)));
        assert_eq!(infra["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"], "c");
        assert_eq!(infra["metadata"]["labels"]["rack"], "7", "from spec.template.metadata");
        assert_eq!(infra["metadata"]["annotations"]["note"], "small");
        let group_kind = "TinkerbellMachineTemplate.infrastructure.cluster.x-k8s.io";
        assert_eq!(infra["metadata"]["annotations"]["cluster.x-k8s.io/cloned-from-groupkind"], group_kind);
        let selector = "/spec/hardwareAffinity/required/0/labelSelector/matchLabels/size";
        assert_eq!(infra.pointer(selector).unwrap(), "small");
        let secret = world.get("Secret", machine["spec"]["bootstrap"]["dataSecretName"].as_str().unwrap()).await;
        let secret = secret.unwrap();
        assert_eq!(secret["type"], "cluster.x-k8s.io/secret");
        let value: k8s_openapi::ByteString = serde_json::from_value(secret["data"]["value"].clone()).unwrap();
        let text = String::from_utf8(value.0).unwrap();
        let uid = machine["metadata"]["uid"].as_str().unwrap();
        assert!(text.contains("PROVIDER_ID") && text.contains(&bootstrap_token(uid)), "{text}");
    }
    let control_plane = machines.iter().filter(|m| {
        let labels = m["metadata"]["labels"].as_object().unwrap();
        labels.contains_key("cluster.x-k8s.io/control-plane")
    });
    assert_eq!(control_plane.count(), 1);
    let set = &world.list("MachineSet").await[0];
    assert_eq!(set["metadata"]["ownerReferences"][0]["kind"], "MachineDeployment");
    let workers = machines.iter().filter(|m| m["metadata"]["ownerReferences"][0]["uid"] == set["metadata"]["uid"]);
    assert_eq!(workers.count(), 2);
    world.until("MachineDeployment", "md", |md| md["status"]["readyReplicas"] == 2).await;
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

fn is(object: &Value, kind: &str, status: &str) -> bool {
    object["status"]["conditions"].is_array() && condition(object, kind)["status"] == status
}

/// As `kubectl wait --for=condition=Available` sees it, and the columns of `kubectl get`.
#[tokio::test(start_paused = true)]
async fn what_is_up_says_that_it_is_available_and_how_many_there_are() {
    let world = world().await;
    start(&world, Options::default());
    create_cluster(&world).await;
    create_control_plane(&world, 1).await;
    create_workers(&world, 2).await;
    let cluster = world.until("Cluster", "c", |cluster| is(cluster, "Available", "False")).await;
    let message = condition(&cluster, "Available")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("MachineDeployment md not available"), "{message}");
    start_infrastructure(&world);
    for (kind, name) in [("MachineDeployment", "md"), ("KubeadmControlPlane", "cp"), ("Cluster", "c")] {
        world.until(kind, name, |object| is(object, "Available", "True")).await;
    }
    let machines = world.until_all("Machine", all_running(3)).await;
    assert!(machines.iter().all(|machine| is(machine, "Available", "True") && is(machine, "Ready", "True")));
    world.settle().await;
    let set = &world.list("MachineSet").await[0]["status"];
    for count in ["replicas", "readyReplicas", "availableReplicas", "upToDateReplicas"] {
        assert_eq!(set[count], 2, "{count} of {set}");
    }
    // `kubectl scale` looks for the selector.
    assert_eq!(world.get("MachineDeployment", "md").await.unwrap()["status"]["selector"], "pool=workers");
    let selector = "cluster.x-k8s.io/cluster-name=c,cluster.x-k8s.io/control-plane";
    assert_eq!(world.get("KubeadmControlPlane", "cp").await.unwrap()["status"]["selector"], selector);
}

/// Cluster API 1.14.2, `core/reconcilers/machine/machine_controller_status.go`: line 912 and what follows sets the phase, which
/// knows no way back from `Running`; line 239 says in `InfrastructureReady` what is gone, and `Ready` and `Available` follow.
#[tokio::test(start_paused = true)]
async fn a_machine_that_lost_its_infrastructure_is_neither_ready_nor_available_any_more() {
    let world = world().await;
    start(&world, Options::default());
    start_infrastructure(&world);
    create_cluster(&world).await;
    create_control_plane(&world, 1).await;
    create_workers(&world, 1).await;
    let machines = world.until_all("Machine", all_running(2)).await;
    let lost = machines.iter().find(|m| m["metadata"]["labels"]["pool"] == "workers").unwrap();
    let name = lost["metadata"]["name"].as_str().unwrap();
    world.until("Cluster", "c", |cluster| is(cluster, "Available", "True")).await;
    world.delete("TinkerbellMachine", name).await;
    let machine = world.until("Machine", name, |machine| is(machine, "Ready", "False")).await;
    assert!(is(&machine, "Available", "False"), "{machine}");
    let told = condition(&machine, "InfrastructureReady");
    let message = "TinkerbellMachine has been deleted while the Machine still exists";
    assert_eq!((&told["reason"], &told["message"]), (&json!("Deleted"), &json!(message)));
    assert!(is_running(&machine), "Cluster API leaves the phase as it is");
    let deployment = world.until("MachineDeployment", "md", |md| is(md, "Available", "False")).await;
    assert_eq!(deployment["status"]["availableReplicas"], 0);
    assert_eq!(condition(&deployment, "Available")["message"], "0 available replicas, at least 1 required");
    world.until("Cluster", "c", |cluster| is(cluster, "Available", "False")).await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_grows_one_by_one_and_workers_come_at_once() {
    let world = world().await;
    start(&world, Options::default());
    create_cluster(&world).await;
    create_control_plane(&world, 3).await;
    world.settle().await;
    assert!(world.list("Machine").await.is_empty(), "not before the infrastructure of the cluster is there");
    world.patch_status("TinkerbellCluster", "c", json!({ "ready": true })).await;
    world.settle().await;
    assert_eq!(world.list("Machine").await.len(), 1, "the first alone");
    create_workers(&world, 4).await;
    world.until_all("TinkerbellMachine", |all| all.len() == 5).await;
    start_infrastructure(&world);
    world.until_all("Machine", all_running(7)).await;
    let ready = |cp: &Value| cp["status"]["readyReplicas"] == 3;
    world.until("KubeadmControlPlane", "cp", ready).await;
}

#[tokio::test(start_paused = true)]
async fn a_parallel_control_plane_comes_at_once() {
    let world = world().await;
    let options = Options { parallel_control_plane: true, ..Options::default() };
    start(&world, options);
    create_cluster(&world).await;
    create_control_plane(&world, 3).await;
    world.patch_status("TinkerbellCluster", "c", json!({ "ready": true })).await;
    world.settle().await;
    assert_eq!(world.list("Machine").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn scaling_adds_and_removes_and_every_machine_leaves_nothing_behind() {
    let world = world().await;
    start(&world, Options::default());
    start_infrastructure(&world);
    create_cluster(&world).await;
    create_workers(&world, 1).await;
    let first = names(&world.until_all("Machine", all_running(1)).await);
    // Kubernetes counts time in seconds; the ones to come must be younger.
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.patch("MachineDeployment", "md", json!({ "spec": { "replicas": 3 } })).await;
    world.until_all("Machine", all_running(3)).await;
    world.patch("MachineDeployment", "md", json!({ "spec": { "replicas": 1 } })).await;
    let left = names(&world.until_all("Machine", all_running(1)).await);
    assert_eq!(names(&world.list("TinkerbellMachine").await), left);
    assert_eq!(names(&world.list("Secret").await), left);
    assert_eq!(left, first, "the newest went first");
}

#[tokio::test(start_paused = true)]
async fn a_new_template_rolls_out_with_one_machine_more_and_never_fewer() {
    let world = world().await;
    start(&world, Options::default());
    start_infrastructure(&world);
    create_cluster(&world).await;
    create_control_plane(&world, 1).await;
    create_workers(&world, 3).await;
    let before = names(&world.until_all("Machine", all_running(4)).await);
    create_template(&world, "large").await;
    let template = json!({ "template": { "spec": { "infrastructureRef": template_reference("large") } } });
    world.patch("MachineDeployment", "md", json!({ "spec": template })).await;
    let template = json!({ "machineTemplate": { "spec": { "infrastructureRef": template_reference("large") } } });
    world.patch("KubeadmControlPlane", "cp", json!({ "spec": template })).await;
    let mut most = 0;
    for _ in 0..1500 {
        let machines = world.list("Machine").await;
        let alive = machines.iter().filter(|m| !is_terminating(m));
        let (up, all) = alive.fold((0, 0), |(up, all), m| (up + usize::from(is_running(m)), all + 1));
        most = most.max(all);
        assert!(up >= 4, "never fewer than wanted");
        if all == 4 && machines.iter().all(|m| cloned_from(m) == "large" && is_running(m)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(most, 6, "one worker and one control plane more");
    let after = world.until_all("Machine", all_running(4)).await;
    assert!(after.iter().all(|m| cloned_from(m) == "large"));
    assert!(names(&after).iter().all(|name| !before.contains(name)));
    world.until_all("MachineSet", |sets| sets.len() == 1).await;
    let large = world.get("TinkerbellMachineTemplate", "large").await.unwrap();
    assert_eq!(large["metadata"]["ownerReferences"][0]["kind"], "Cluster");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_machine_is_replaced() {
    let world = world().await;
    start(&world, Options::default());
    start_infrastructure(&world);
    create_cluster(&world).await;
    create_workers(&world, 2).await;
    let machines = names(&world.until_all("Machine", all_running(2)).await);
    world.delete("Machine", &machines[0]).await;
    world.until_gone("Machine", &machines[0]).await;
    world.until_all("Machine", all_running(2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_waits_until_its_infrastructure_is_gone() {
    let world = world().await;
    start(&world, Options::default());
    start_infrastructure(&world);
    create_cluster(&world).await;
    create_workers(&world, 1).await;
    let name = names(&world.until_all("Machine", all_running(1)).await).remove(0);
    let hold = json!({ "metadata": { "finalizers": ["example.org/held"] } });
    world.patch("TinkerbellMachine", &name, hold).await;
    world.delete("MachineDeployment", "md").await;
    world.settle().await;
    assert!(is_terminating(&world.get("TinkerbellMachine", &name).await.unwrap()));
    let machine = world.get("Machine", &name).await.unwrap();
    assert_eq!(machine["status"]["phase"], "Deleting");
    assert!(world.get("Secret", &name).await.is_some(), "bootstrap data outlives the infrastructure");
    let release = json!({ "metadata": { "finalizers": null } });
    world.patch("TinkerbellMachine", &name, release).await;
    world.until_gone("Machine", &name).await;
    world.until_gone("MachineDeployment", "md").await;
    assert!(world.get("Secret", &name).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_goes_down_workers_first_then_control_plane_then_infrastructure() {
    let world = world().await;
    start(&world, Options::default());
    start_infrastructure(&world);
    create_cluster(&world).await;
    create_control_plane(&world, 1).await;
    create_workers(&world, 2).await;
    let machines = world.until_all("Machine", all_running(3)).await;
    let is_worker = |m: &&Value| m["metadata"]["labels"].get("pool").is_some();
    let worker = names(&machines.iter().filter(is_worker).cloned().collect::<Vec<_>>()).remove(0);
    let hold = json!({ "metadata": { "finalizers": ["example.org/held"] } });
    world.patch("TinkerbellMachine", &worker, hold.clone()).await;
    world.patch("TinkerbellCluster", "c", hold).await;
    world.delete("Cluster", "c").await;
    world.settle().await;
    assert_eq!(world.list("Machine").await.len(), 2, "the held worker and the control plane");
    assert!(!is_terminating(&world.get("KubeadmControlPlane", "cp").await.unwrap()));
    let release = json!({ "metadata": { "finalizers": null } });
    world.patch("TinkerbellMachine", &worker, release.clone()).await;
    world.until_gone("KubeadmControlPlane", "cp").await;
    world.settle().await;
    assert!(is_terminating(&world.get("TinkerbellCluster", "c").await.unwrap()));
    assert!(world.get("Cluster", "c").await.is_some());
    world.patch("TinkerbellCluster", "c", release).await;
    world.until_gone("Cluster", "c").await;
    for kind in ["Machine", "TinkerbellMachine", "Secret", "MachineSet"] {
        assert!(world.list(kind).await.is_empty(), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_cluster_stands_still() {
    let world = world().await;
    start(&world, Options::default());
    start_infrastructure(&world);
    create_cluster(&world).await;
    create_workers(&world, 1).await;
    world.until_all("Machine", all_running(1)).await;
    world.patch("Cluster", "c", json!({ "spec": { "paused": true } })).await;
    world.settle().await;
    world.patch("MachineDeployment", "md", json!({ "spec": { "replicas": 3 } })).await;
    world.settle().await;
    assert_eq!(world.list("Machine").await.len(), 1);
    world.patch("Cluster", "c", json!({ "spec": { "paused": false } })).await;
    world.until_all("Machine", all_running(3)).await;
}

#[tokio::test(start_paused = true)]
async fn bootstrap_data_can_come_late() {
    let world = world().await;
    let options = Options { bootstrap_delay: Duration::from_secs(20), ..Options::default() };
    start(&world, options);
    create_cluster(&world).await;
    create_workers(&world, 1).await;
    world.settle().await;
    let machine = &world.list("Machine").await[0];
    assert!(machine["spec"]["bootstrap"].get("dataSecretName").is_none());
    assert_eq!(world.list("TinkerbellMachine").await.len(), 1, "the infrastructure object is there already");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let machine = &world.list("Machine").await[0];
    assert_eq!(machine["spec"]["bootstrap"]["dataSecretName"], machine["metadata"]["name"]);
    assert_eq!(world.list("Secret").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_older_contract_is_spoken_where_only_that_is_served() {
    let world = World::with_contract(&[Group::ClusterApi], "v1beta1").await;
    start(&world, Options::default());
    start_infrastructure(&world);
    let reference = |group: &str, version: &str, kind: &str, name: &str| json!({ "apiVersion": format!("{group}/{version}"), "kind": kind, "name": name, "namespace": NS });
    let infra = "infrastructure.cluster.x-k8s.io";
    let endpoint = json!({ "host": "127.0.0.1", "port": 6443 });
    world.create("TinkerbellCluster", "c", json!({ "spec": { "controlPlaneEndpoint": endpoint } })).await;
    create_template(&world, "small").await;
    let spec = json!({
        "infrastructureRef": reference(infra, "v1beta1", "TinkerbellCluster", "c"),
        "controlPlaneRef": reference("controlplane.cluster.x-k8s.io", "v1beta1", "KubeadmControlPlane", "cp"),
    });
    world.create("Cluster", "c", json!({ "spec": spec })).await;
    let template = reference(infra, "v1beta1", "TinkerbellMachineTemplate", "small");
    let spec = json!({
        "replicas": 1, "version": "v1.33.1", "kubeadmConfigSpec": {},
        "machineTemplate": { "infrastructureRef": template },
    });
    world.create("KubeadmControlPlane", "cp", json!({ "spec": spec })).await;
    let machine = world.until_all("Machine", all_running(1)).await.remove(0);
    assert_eq!(machine["status"]["infrastructureReady"], true);
    assert_eq!(machine["spec"]["infrastructureRef"]["apiVersion"], format!("{infra}/v1beta1"));
    let cluster = world.until("Cluster", "c", |c| c["status"]["controlPlaneReady"] == true).await;
    assert_eq!(cluster["status"]["infrastructureReady"], true);
    world.until("KubeadmControlPlane", "cp", |cp| cp["status"]["initialized"] == true).await;
    world.delete("Cluster", "c").await;
    world.until_gone("Cluster", "c").await;
}
