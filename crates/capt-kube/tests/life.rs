//! The whole, wired: one machine from its creation to its end, with a test in the place of Cluster API, the IPAM
//! provider and Tinkerbell. No resync, no polling: every step is woken by what it waits for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use capt_kube::Settings;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use memory_apiserver::MemoryApiServer;
use serde_json::{Value, json};

mod common;
use common::server::{IPAM, apply, core_kinds, crd, ipam_kinds, start, until};

const SOON: Duration = Duration::from_secs(2);
const INFRA: &str = "infrastructure.cluster.x-k8s.io";

const WORLD: &str = r"
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {name: c, namespace: default}
spec:
  controlPlaneEndpoint: {host: 10.0.0.250, port: 6443}
  infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: TinkerbellCluster, name: c}
---
apiVersion: v1
kind: Secret
metadata: {name: bootstrap, namespace: default}
data: {value: I2Nsb3VkLWNvbmZpZwo=}
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: Machine
metadata: {name: m, namespace: default, labels: {cluster.x-k8s.io/cluster-name: c}}
spec:
  clusterName: c
  version: v1.31.0
  bootstrap: {dataSecretName: bootstrap}
  infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: TinkerbellMachine, name: m}
";

const HARDWARE: &str = r"
apiVersion: tinkerbell.org/v1alpha1
kind: Hardware
metadata: {name: h, namespace: default, labels: {type: worker}}
spec:
  disks: [{device: /dev/sda}]
  interfaces: [{dhcp: {mac: '02:00:00:00:00:01', arch: x86_64}, netboot: {allowPXE: true, allowWorkflow: true}}]
  metadata: {instance: {id: '02:00:00:00:00:01'}}
";

/// Somebody who changes objects as the test wants it.
struct Hand(kube::Client);

impl Hand {
    fn api(&self, group: &str, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let resource = ApiResource {
            group: group.into(),
            version: version.into(),
            api_version: format!("{group}/{version}"),
            kind: kind.into(),
            plural: plural.into(),
        };
        Api::namespaced_with(self.0.clone(), "default", &resource)
    }

    async fn status(&self, api: &Api<DynamicObject>, name: &str, status: Value) {
        let patch = Patch::Merge(json!({"status": status}));
        api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }
}

fn uid(server: &MemoryApiServer, group: &str, plural: &str, name: &str) -> String {
    server.get(group, plural, Some("default"), name).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_provisioned_and_released_without_a_resync() {
    let server = MemoryApiServer::new();
    apply(&server, &core_kinds());
    apply(&server, &ipam_kinds("v1beta2"));
    apply(&server, &[crd(IPAM, "InClusterIPPool", "inclusterippools", "v1alpha2", "Namespaced")]);
    let mut settings = Settings::default();
    settings.reconciler.safety_net = Duration::from_secs(100_000);
    let running = start(&server, settings);
    running.manager.synced().await;
    let hand = Hand(server.client("hand"));
    let get = |group: &str, plural: &str, name: &str| server.get(group, plural, Some("default"), name);

    apply(&server, &[WORLD.to_owned()]);
    let owner = |kind: &str, plural: &str, name: &str| {
        let uid = uid(&server, "cluster.x-k8s.io", plural, name);
        format!("[{{apiVersion: cluster.x-k8s.io/v1beta2, kind: {kind}, name: {name}, uid: {uid}, controller: true}}]")
    };
    let cluster = format!(
        "apiVersion: {INFRA}/v1beta1\nkind: TinkerbellCluster\nmetadata:\n  name: c\n  namespace: default\n  \
         labels: {{cluster.x-k8s.io/cluster-name: c}}\n  ownerReferences: {}\nspec: {{}}\n",
        owner("Cluster", "clusters", "c")
    );
    let machine = format!(
        "apiVersion: {INFRA}/v1beta1\nkind: TinkerbellMachine\nmetadata:\n  name: m\n  namespace: default\n  \
         labels: {{cluster.x-k8s.io/cluster-name: c}}\n  ownerReferences: {}\nspec:\n  \
         ipamPoolRef: {{apiGroup: {IPAM}, kind: InClusterIPPool, name: p}}\n",
        owner("Machine", "machines", "m")
    );
    apply(&server, &[machine]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    apply(&server, &[cluster]);
    let ready = || get(INFRA, "tinkerbellclusters", "c").is_some_and(|cluster| cluster["status"]["ready"] == true);
    until("the TinkerbellCluster is ready", SOON, ready).await;
    let clusters = hand.api("cluster.x-k8s.io", "v1beta2", "Cluster", "clusters");
    hand.status(&clusters, "c", json!({"initialization": {"infrastructureProvisioned": true}})).await;
    tokio::time::sleep(Duration::from_secs(60)).await;

    // It waits for Hardware, which appears only now.
    apply(&server, &[HARDWARE.to_owned()]);
    until("a claim", SOON, || get(IPAM, "ipaddressclaims", "m-0").is_some()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;

    // The provider answers.
    let claim_uid = uid(&server, IPAM, "ipaddressclaims", "m-0");
    let address = format!(
        "apiVersion: {IPAM}/v1beta2\nkind: IPAddress\nmetadata:\n  name: m-0\n  namespace: default\n  \
         ownerReferences: [{{apiVersion: {IPAM}/v1beta2, kind: IPAddressClaim, name: m-0, uid: {claim_uid}, \
         controller: true}}]\nspec:\n  address: 10.0.0.5\n  prefix: 24\n  gateway: 10.0.0.1\n  \
         claimRef: {{name: m-0}}\n  poolRef: {{apiGroup: {IPAM}, kind: InClusterIPPool, name: p}}\n"
    );
    apply(&server, &[address]);
    let claims = hand.api(IPAM, "v1beta2", "IPAddressClaim", "ipaddressclaims");
    hand.status(&claims, "m-0", json!({"addressRef": {"name": "m-0"}})).await;
    until("a Workflow", SOON, || get("tinkerbell.org", "workflows", "m").is_some()).await;
    let hardware = get("tinkerbell.org", "hardware", "h").unwrap();
    assert_eq!(hardware["spec"]["interfaces"][0]["dhcp"]["ip"]["address"], "10.0.0.5");
    assert_eq!(hardware["spec"]["userData"], "#cloud-config\n");
    tokio::time::sleep(Duration::from_secs(60)).await;

    // Tinkerbell installs.
    let workflows = hand.api("tinkerbell.org", "v1alpha1", "Workflow", "workflows");
    hand.status(&workflows, "m", json!({"state": "SUCCESS"})).await;
    let ready = || get(INFRA, "tinkerbellmachines", "m").is_some_and(|machine| machine["status"]["ready"] == true);
    until("the machine is ready", SOON, ready).await;

    // And everything goes back.
    let machines = hand.api(INFRA, "v1beta1", "TinkerbellMachine", "tinkerbellmachines");
    machines.delete("m", &DeleteParams::default()).await.unwrap();
    until("the machine is gone", Duration::from_secs(5), || get(INFRA, "tinkerbellmachines", "m").is_none()).await;
    assert!(get(IPAM, "ipaddressclaims", "m-0").is_none());
    let hardware = get("tinkerbell.org", "hardware", "h").unwrap();
    assert_eq!(hardware["spec"]["interfaces"][0]["dhcp"].get("ip"), None, "{hardware}");
    let labels = &hardware["metadata"]["labels"];
    assert_eq!(labels.get("v1alpha1.tinkerbell.org/ownerName"), None, "{labels}");
    tokio::time::sleep(SOON).await;
    let writes = server.journal().count(Some("capt"), None);
    println!("{writes} writes for a whole life");
    assert_eq!(running.manager.snapshot().queues.iter().map(|queue| queue.running + queue.ready).sum::<usize>(), 0);
}
