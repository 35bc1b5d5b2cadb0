//! Nothing spins: machines that fail or wait cost next to nothing, however long it lasts.

use std::time::Duration;

use capt_simulators::tinkerbell::WorkflowFault;
use serde_json::{Value, json};

use crate::lab::{Lab, MANAGER};

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// One machine for every way to wait for ever.
async fn stuck() -> Lab {
    let mut lab = Lab::new().await;
    lab.hardware(6).await;
    lab.patch(
        "tinkerbell.org",
        "hardware",
        "metal",
        "hw-005",
        json!({"spec": {"disks": null}, "metadata": {"labels": {"only": "unfit"}}}),
    )
    .await;
    lab.workflow_fault("failed", WorkflowFault::AgentFails, 1);
    lab.start_manager().await;
    let needs = |label: Value| json!({"hardwareAffinity": {"required": [{"labelSelector": {"matchLabels": label}}]}});
    lab.machine("failed").await;
    lab.machine_with(
        "poolless",
        json!({"ipamPoolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "none"}}),
    )
    .await;
    lab.until_condition("failed", "WorkflowSucceeded", "False", "WorkflowFailed").await;
    lab.machine_with("nowhere", needs(json!({"rack": "none"}))).await;
    lab.machine_with("unfit", needs(json!({"only": "unfit"}))).await;
    lab.machine_with("senseless", json!({"hardwareAffinity": {"required": [{"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}]}})).await;
    lab.machine_with("isoless", json!({"bootOptions": {"bootMode": "iso"}})).await;
    lab.machine_with("formless", json!({"imageLookupFormat": "{{.Nonsense}}"})).await;
    lab.pause_cluster(true).await;
    lab.machine("versionless").await;
    lab.patch("cluster.x-k8s.io", "machines", "default", "versionless", json!({"spec": {"version": null}})).await;
    lab.pause_cluster(false).await;
    lab
}

#[tokio::test(start_paused = true)]
async fn machines_that_wait_for_ever_write_nothing_and_hardly_read() {
    let lab = stuck().await;
    for (name, type_, reason) in [
        ("poolless", "IPAddressClaimsFulfilled", "PoolNotFound"),
        ("nowhere", "HardwareReserved", "NoHardwareAvailable"),
        ("unfit", "HardwareReserved", "HardwareUnfit"),
        ("senseless", "HardwareReserved", "MachineInvalid"),
        ("versionless", "HardwareReserved", "MachineInvalid"),
        ("isoless", "WorkflowSucceeded", "TemplateInvalid"),
        ("formless", "WorkflowSucceeded", "TemplateInvalid"),
    ] {
        lab.until_condition(name, type_, "False", reason).await;
        lab.until(&format!("an event tells of {name}"), Duration::from_secs(10), |lab| lab.events(reason) >= 1).await;
    }
    // What the provider does about a pool that is missing is its own business.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let (requests, writes, looks) = (lab.requests(MANAGER), lab.writes(MANAGER), lab.looks_at_machines());
    assert!(looks > 0);
    tokio::time::sleep(TEN_MINUTES).await;
    // One by one in the sync period, and those that wait for a pool every 30 seconds.
    let looks = lab.looks_at_machines() - looks;
    assert!(looks <= 40, "{looks} looks at nine machines in ten minutes");
    assert_eq!(lab.writes(MANAGER), writes, "{:?}", lab.write_list(MANAGER));
    // Once in the sync period each looks around, which may take one read of its bootstrap data.
    let reads = lab.requests(MANAGER) - requests;
    assert!(reads <= 8, "{reads} reads");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_never_comes_is_looked_for_less_and_less_often() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.pause_cluster(true).await;
    lab.machine("m").await;
    lab.delete_secret("m-bootstrap").await;
    lab.pause_cluster(false).await;
    lab.start_manager().await;
    lab.until_condition("m", "HardwareReserved", "False", "WaitingForBootstrapData").await;
    let looks = |lab: &Lab| lab.server.journal().count_requests(Some(MANAGER), Some("get"), Some("secrets"));
    let before = looks(&lab);
    tokio::time::sleep(TEN_MINUTES).await;
    let more = looks(&lab) - before;
    assert!((8..=20).contains(&more), "{more} looks in ten minutes");
    lab.create(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "default", "name": "m-bootstrap"},
        "stringData": {"value": "late"}}),
    )
    .await;
    lab.until_provisioned("m").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_switched_off_is_tried_again_less_and_less_often_and_each_failure_is_told() {
    let lab = Lab::with_provisioned("m").await;
    lab.fail_power_off("hw-000", 1000);
    lab.delete_machine("m").await;
    lab.until_condition("m", "Deleting", "True", "PowerOffFailed").await;
    let (writes, events) = (lab.writes_without_events(MANAGER), lab.events("PowerOffFailed"));
    tokio::time::sleep(TEN_MINUTES).await;
    // After 5, 10, 20, 40, 80, 160 and 300 seconds.
    let tries = lab.events("PowerOffFailed") - events;
    assert!((5..=8).contains(&tries), "{tries} tries in ten minutes");
    let writes = lab.writes_without_events(MANAGER) - writes;
    assert!(writes <= 32, "{writes} writes in ten minutes: {:?}", lab.write_list(MANAGER));
    assert_eq!(lab.reserved_hardware(), 1, "the server may run");
    assert!(lab.message("m", "Ready").contains("power-off of Hardware"));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_waits_for_a_provider_asks_for_nothing_meanwhile() {
    let lab = Lab::with_provisioned("m").await;
    lab.pause_provider();
    lab.delete_machine("m").await;
    lab.until_condition("m", "Deleting", "True", "WaitingForAddressRelease").await;
    let requests = lab.requests(MANAGER);
    tokio::time::sleep(TEN_MINUTES).await;
    assert_eq!(lab.requests(MANAGER), requests);
    lab.resume_provider();
    lab.until_released("m").await;
}
