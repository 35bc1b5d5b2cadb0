//! Objects that the schemas accept and nobody expects, beside a machine that wants to live.

use std::time::Duration;

use kube::api::{Api, DynamicObject, PostParams};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::lab::{Lab, MANAGER};
use crate::odd::{member, schema};

const MACHINES: &str =
    include_str!("../../../../../deploy/crds/infrastructure.cluster.x-k8s.io_tinkerbellmachines.yaml");
const HARDWARE: &str = include_str!("../../../simulators/crds/tinkerbell/hardware.yaml");

/// Objects of each kind; those that a rule in CEL refuses are left out.
const EACH: usize = 64;

/// Any values of this member that the schema accepts; always the same ones.
fn values(definition: &str, name: &str) -> Vec<Value> {
    let (schema, mut runner) = (schema(definition), TestRunner::deterministic());
    let strategy = member(&schema, name);
    (0..EACH).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

impl Lab {
    /// Creates an object if the server takes it.
    async fn offer(&self, api: &Api<DynamicObject>, object: Value) -> bool {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        api.create(&PostParams::default(), &object).await.is_ok()
    }
}

/// Odd Hardware, odd machines with an owner and without.
async fn odd_world(lab: &Lab) -> usize {
    let mut taken = 0;
    let hardware = lab.api("tinkerbell.org", "hardware", "metal");
    for (n, spec) in values(HARDWARE, "spec").into_iter().enumerate() {
        let object = json!({"apiVersion": "tinkerbell.org/v1alpha1", "kind": "Hardware",
            "metadata": {"namespace": "metal", "name": format!("odd-{n}")}, "spec": spec});
        taken += usize::from(lab.offer(&hardware, object).await);
    }
    let machines = lab.api("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "default");
    for (n, spec) in values(MACHINES, "spec").into_iter().enumerate() {
        let name = format!("odd-{n}");
        if n % 2 == 0 {
            let owned = lab.owner(&name).await;
            let object = json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine",
                "metadata": owned, "spec": spec});
            taken += usize::from(lab.offer(&machines, object).await);
        } else {
            let object = json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine",
                "metadata": {"namespace": "default", "name": name}, "spec": spec});
            taken += usize::from(lab.offer(&machines, object).await);
        }
    }
    for (n, status) in values(MACHINES, "status").into_iter().enumerate() {
        // One that is not there, or a status that the server refuses, is no matter.
        let patch = kube::api::Patch::Merge(json!({ "status": status }));
        let _ = machines.patch_status(&format!("odd-{n}"), &Default::default(), &patch).await;
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn a_hundred_odd_objects_harm_no_machine_beside_them_and_nothing_spins() {
    let mut lab = Lab::new().await;
    let taken = odd_world(&lab).await;
    assert!(taken >= 100, "only {taken} objects were taken");
    // Enough for all, for most odd machines take any.
    lab.hardware(70).await;
    let theirs = json!({"metadata": {"labels": {"v1alpha1.tinkerbell.org/ownerName": "somebody"}}});
    lab.patch("tinkerbell.org", "hardware", "metal", "hw-000", theirs).await;
    let bystander = lab.get("tinkerbell.org", "hardware", "metal", "hw-000");
    lab.start_manager().await;
    lab.machine_with(
        "good",
        json!({"hardwareAffinity": {"required": [{"labelSelector": {"matchLabels": {"type": "worker"}}}]}}),
    )
    .await;
    lab.until_provisioned("good").await;
    // Workflows end, claims settle; what waits then waits for good.
    tokio::time::sleep(Duration::from_secs(400)).await;
    let writes = lab.writes(MANAGER);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let last: Vec<String> = lab.write_list(MANAGER).into_iter().rev().take(20).collect();
    assert_eq!(lab.writes(MANAGER), writes, "machines that wait write nothing: {last:?}");
    assert!(lab.provisioned().len() > 10, "odd machines live, too: {:?}", lab.provisioned());
    assert_eq!(lab.get("tinkerbell.org", "hardware", "metal", "hw-000"), bystander, "Hardware of others is as it was");
    lab.delete_machine("good").await;
    lab.until_released("good").await;
    lab.no_violations();
    let ours = [
        "tinkerbellmachines",
        "tinkerbellclusters",
        "hardware",
        "templates",
        "workflows",
        "jobs",
        "ipaddressclaims",
        "events",
    ];
    let records = lab.server.journal().records();
    let strange = records.iter().find(|record| &*record.user == MANAGER && !ours.contains(&&*record.resource));
    assert!(strange.is_none(), "{strange:?}");
}
