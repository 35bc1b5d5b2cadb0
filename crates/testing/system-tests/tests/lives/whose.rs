//! Whose a server is, as whole lives: stripped labels, Hardware that comes back blank, a new installation by request.

use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::{Lab, MANAGER};

const MARK: &str = "v1alpha1.tinkerbell.org/provisioned";

fn stripped() -> Value {
    json!({"metadata": {"labels": {"v1alpha1.tinkerbell.org/ownerName": null, "v1alpha1.tinkerbell.org/ownerNamespace": null}}})
}

fn hardware(lab: &Lab) -> Value {
    lab.get("tinkerbell.org", "hardware", "metal", "hw-000").unwrap()
}

fn workflow_uid(lab: &Lab) -> Option<String> {
    let workflow = lab.get("tinkerbell.org", "workflows", "metal", "m")?;
    workflow["metadata"]["uid"].as_str().map(str::to_owned)
}

async fn pause(lab: &Lab, value: Value) {
    let patch = json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": value}}});
    lab.patch("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "default", "m", patch).await;
}

/// Replaces the Hardware as `kubectl replace --force` does, by its first manifest.
async fn replace(lab: &Lab) {
    lab.purge("tinkerbell.org", "hardware", "metal", "hw-000").await;
    lab.hardware_object(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_labels_are_stripped_while_its_machine_is_paused_goes_to_no_other_machine() {
    let lab = Lab::with_provisioned("m").await;
    pause(&lab, json!("")).await;
    lab.until_condition("m", "Paused", "True", "Paused").await;
    lab.patch("tinkerbell.org", "hardware", "metal", "hw-000", stripped()).await;
    lab.machine("thief").await;
    lab.until_condition("thief", "HardwareReserved", "False", "NoHardwareAvailable").await;
    let told = lab.message("thief", "HardwareReserved");
    assert!(told.contains("metal/hw-000") && told.contains("lost its owner labels"), "{told}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(lab.reserved_hardware(), 0);
    pause(&lab, Value::Null).await;
    lab.until("the labels are back", Duration::from_secs(5), |lab| lab.reserved_hardware() == 1).await;
    assert_eq!(hardware(&lab)["metadata"]["labels"]["v1alpha1.tinkerbell.org/ownerName"], "m");
    lab.until("a warning tells it", Duration::from_secs(10), |lab| lab.events("HardwareRestored") == 1).await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn hardware_that_comes_back_blank_is_marked_again_and_its_server_never_installed_again() {
    let lab = Lab::with_provisioned("m").await;
    lab.delete("tinkerbell.org", "workflows", "metal", "m").await;
    replace(&lab).await;
    lab.until("the mark is back", Duration::from_secs(10), |lab| {
        hardware(lab)["metadata"]["annotations"][MARK] == "true"
    })
    .await;
    lab.until("the address is back", Duration::from_secs(10), |lab| lab.address_of("hw-000").is_some()).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(lab.address_of("hw-000").as_deref(), Some("10.0.0.100"));
    assert_eq!(workflow_uid(&lab), None, "no Workflow");
    assert!(hardware(&lab)["spec"]["userData"].is_null(), "no bootstrap data");
    assert_eq!(lab.events("HardwareRestored"), 1);
    assert!(lab.is_provisioned("m"));
    lab.delete_machine("m").await;
    lab.until_released("m").await;
}

#[tokio::test(start_paused = true)]
async fn the_server_of_a_machine_deleted_after_its_hardware_was_replaced_is_off_before_its_address_is_free() {
    let mut lab = Lab::with_provisioned("m").await;
    lab.kill_manager().await;
    replace(&lab).await;
    lab.delete_machine("m").await;
    lab.start_manager().await;
    lab.until_released("m").await;
    lab.until("its server was switched off", Duration::from_secs(10), |lab| lab.events("Released") >= 1).await;
    assert_eq!(lab.reserved_hardware(), 0);
}

#[tokio::test(start_paused = true)]
async fn bootstrap_data_that_somebody_wipes_while_the_server_is_installed_comes_back() {
    let mut lab = Lab::slow().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until("the Workflow is there", Duration::from_secs(60), |lab| workflow_uid(lab).is_some()).await;
    let right = hardware(&lab)["spec"]["userData"].clone();
    for change in [Value::Null, json!("theirs")] {
        let patch = json!({"spec": {"userData": change}});
        lab.patch("tinkerbell.org", "hardware", "metal", "hw-000", patch).await;
        lab.until("it is back", Duration::from_secs(5), |lab| hardware(lab)["spec"]["userData"] == right).await;
    }
    lab.until_provisioned("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_request_installs_a_server_again_once_and_then_leaves_the_machine() {
    let lab = Lab::with_provisioned("m").await;
    let first = workflow_uid(&lab);
    for _ in 0..2 {
        let before = workflow_uid(&lab);
        let ask = json!({"metadata": {"annotations": {"capt.tinkerbell.org/reinstall": "please"}}});
        lab.patch("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "default", "m", ask).await;
        lab.until("the request is served", Duration::from_secs(120), |lab| {
            let machine = lab.get("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "default", "m").unwrap();
            machine["metadata"]["annotations"]["capt.tinkerbell.org/reinstall"].is_null()
        })
        .await;
        assert_ne!(workflow_uid(&lab), before, "by a Workflow of its own");
        let marks = hardware(&lab)["metadata"]["annotations"].clone();
        assert_eq!(marks[MARK], "true");
    }
    assert_ne!(workflow_uid(&lab), first);
    let writes = lab.writes_without_events(MANAGER);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(lab.writes_without_events(MANAGER), writes, "and it does not begin again");
    assert!(lab.is_provisioned("m"));
}
