//! What Go CAPT did badly, or only by luck, as whole lives: waking, boot modes, templates, pauses, moves, ends.

use std::time::Duration;

use capt_simulators::tinkerbell::WorkflowFault;
use serde_json::{Value, json};

use crate::lab::{Lab, MANAGER};

/// Without a pool, on Hardware to which a person gave an address.
fn manual() -> Value {
    json!({"ipamPoolRef": null})
}

async fn with_address(lab: &Lab) {
    lab.set_ip("hw-000", json!({"address": "192.168.1.5", "netmask": "255.255.255.0"})).await;
}

/// Waits until it holds, and says that it held within two seconds.
async fn at_once(lab: &Lab, what: &str, holds: impl Fn(&Lab) -> bool) {
    lab.until(what, Duration::from_secs(2), holds).await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_waits_for_hardware_is_woken_when_it_appears_fits_or_is_released() {
    let mut lab = Lab::new().await;
    lab.start_manager().await;
    let needs =
        |value: &str| json!({"hardwareAffinity": {"required": [{"labelSelector": {"matchLabels": {"rack": value}}}]}});
    lab.machine_with("a", needs("one")).await;
    lab.machine_with("b", needs("two")).await;
    for name in ["a", "b"] {
        lab.until_condition(name, "HardwareReserved", "False", "NoHardwareAvailable").await;
        assert!(lab.message(name, "HardwareReserved").starts_with("no hardware available"));
    }
    // Long enough for any backoff to have grown.
    tokio::time::sleep(Duration::from_secs(900)).await;
    lab.hardware(1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.reserved_hardware(), 0, "it does not fit yet");
    let label = |value: &str| json!({"metadata": {"labels": {"rack": value}}});
    lab.patch("tinkerbell.org", "hardware", "metal", "hw-000", label("one")).await;
    at_once(&lab, "it is reserved as soon as it fits", |lab| lab.reserved_hardware() == 1).await;
    lab.until_provisioned("a").await;
    lab.patch("tinkerbell.org", "hardware", "metal", "hw-000", label("two")).await;
    lab.delete_machine("a").await;
    lab.until_released("a").await;
    at_once(&lab, "it is reserved as soon as it is free", |lab| lab.reserved_hardware() == 1).await;
    lab.until_provisioned("b").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_failed_or_timed_out_workflow_is_told_and_its_deletion_starts_the_next_one() {
    for (fault, reason, words) in [
        (WorkflowFault::AgentFails, "WorkflowFailed", "workflow failed"),
        (WorkflowFault::AgentTimesOut, "WorkflowTimedOut", "workflow timed out"),
    ] {
        let mut lab = Lab::new().await;
        lab.hardware(1).await;
        lab.workflow_fault("m", fault, 1);
        lab.start_manager().await;
        lab.machine("m").await;
        lab.until_condition("m", "WorkflowSucceeded", "False", reason).await;
        for type_ in ["WorkflowSucceeded", "Ready"] {
            let message = lab.message("m", type_);
            assert!(message.starts_with(words) && message.contains("metal/m"), "{message}");
        }
        lab.until("one event tells it", Duration::from_secs(10), |lab| lab.events(reason) == 1).await;
        let uid =
            |lab: &Lab| lab.get("tinkerbell.org", "workflows", "metal", "m").map(|w| w["metadata"]["uid"].clone());
        let failed = uid(&lab);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(uid(&lab), failed, "nothing is done about it by itself");
        lab.delete("tinkerbell.org", "workflows", "metal", "m").await;
        lab.until_provisioned("m").await;
        assert_ne!(uid(&lab), failed);
        lab.no_violations();
    }
}

#[tokio::test(start_paused = true)]
async fn a_workflow_that_somebody_sets_right_is_followed_again() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.workflow_fault("m", WorkflowFault::AgentFails, 1);
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "WorkflowSucceeded", "False", "WorkflowFailed").await;
    lab.status("tinkerbell.org", "workflows", "metal", "m", json!({"state": "STATE_SUCCESS"})).await;
    at_once(&lab, "the old name of success counts", |lab| lab.is_provisioned("m")).await;
}

#[tokio::test(start_paused = true)]
async fn every_boot_mode_is_taken_by_tinkerbell_and_leads_to_a_provisioned_machine() {
    for boot in [
        json!({"bootMode": "netboot"}),
        json!({"bootMode": "iso", "isoURL": "http://10.0.0.2:7171/iso/hook.iso"}),
        json!({"bootMode": "isoboot", "isoURL": "http://10.0.0.2:7171/iso/hook.iso"}),
        json!({"bootMode": "customboot", "custombootConfig": {
            "preparingActions": [{"powerAction": "off"}, {"bootDevice": {"device": "pxe", "efiBoot": true}}, {"powerAction": "on"}],
            "postActions": [{"powerAction": "cycle"}]}}),
    ] {
        let mut lab = Lab::new().await;
        lab.hardware(1).await;
        lab.start_manager().await;
        lab.machine_with("m", json!({"bootOptions": boot})).await;
        lab.until_provisioned("m").await;
        let made = lab.get("tinkerbell.org", "workflows", "metal", "m").unwrap()["spec"]["bootOptions"].clone();
        assert_eq!(made["bootMode"], boot["bootMode"]);
        assert_eq!(made["custombootConfig"], boot["custombootConfig"]);
        lab.delete_machine("m").await;
        lab.until_released("m").await;
        lab.no_violations();
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_bmc_is_installed_and_released_whatever_boot_mode_was_asked_for() {
    for boot in [
        json!({"bootMode": "isoboot"}),
        json!({"bootMode": "customboot", "custombootConfig": {"postActions": [{"powerAction": "on"}]}}),
    ] {
        let mut lab = Lab::new().await;
        lab.hardware(1).await;
        lab.patch("tinkerbell.org", "hardware", "metal", "hw-000", json!({"spec": {"bmcRef": null}})).await;
        lab.start_manager().await;
        lab.machine_with("m", json!({"bootOptions": boot})).await;
        lab.until_provisioned("m").await;
        lab.delete_machine("m").await;
        lab.until_released("m").await;
        assert_eq!(lab.server.list("bmc.tinkerbell.org", "jobs").len(), 0);
        lab.until("the release without a look at the power is told", Duration::from_secs(10), |lab| {
            lab.events("ReleasedWithoutPowerOff") == 1
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_not_there_yet_is_told_and_its_coming_wakes_the_machine() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.annotate_hardware("hw-000", json!({"hardware.tinkerbell.org/capt-template-override": "own"})).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "WorkflowSucceeded", "False", "TemplateInvalid").await;
    assert!(lab.message("m", "WorkflowSucceeded").contains("metal/own"));
    let text = "version: '0.1'\nname: own\nglobal_timeout: 60\ntasks:\n- name: own\n  worker: '{{.device_1}}'\n  actions:\n  - name: a\n    image: i\n    timeout: 1\n";
    lab.create(json!({"apiVersion": "tinkerbell.org/v1alpha1", "kind": "Template", "metadata": {"namespace": "metal", "name": "own"}, "spec": {}})).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(lab.message("m", "WorkflowSucceeded").ends_with("has no spec.data"));
    lab.patch("tinkerbell.org", "templates", "metal", "own", json!({"spec": {"data": text}})).await;
    at_once(&lab, "the Workflow is made", |lab| lab.get("tinkerbell.org", "workflows", "metal", "m").is_some()).await;
    assert_eq!(lab.get("tinkerbell.org", "templates", "metal", "m").unwrap()["spec"]["data"], text, "copied unchanged");
    lab.until_provisioned("m").await;
}

#[tokio::test(start_paused = true)]
async fn an_annotation_on_the_cluster_or_the_machine_pauses_until_it_is_taken_off() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    let annotate = |value: Value| json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": value}}});
    for (group, plural, name) in
        [("cluster.x-k8s.io", "clusters", "c"), ("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "m")]
    {
        if plural == "clusters" {
            lab.patch(group, plural, "default", name, annotate(json!(""))).await;
            lab.start_manager().await;
            lab.machine("m").await;
        } else {
            lab.patch(group, plural, "default", name, annotate(json!("x"))).await;
            lab.delete_machine("m").await;
        }
        lab.until_condition("m", "Paused", "True", "Paused").await;
        let reserved = lab.reserved_hardware();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(lab.reserved_hardware(), reserved, "nothing happens while {plural} is paused");
        lab.patch(group, plural, "default", name, annotate(Value::Null)).await;
        if plural == "clusters" {
            lab.until_condition("m", "Paused", "False", "NotPaused").await;
            lab.until_provisioned("m").await;
        }
    }
    lab.until_released("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_machine_goes_although_owner_cluster_and_infrastructure_went_before_it() {
    let lab = Lab::with_provisioned("m").await;
    lab.delete_machine_without_owner("m").await;
    lab.until_released("m").await;
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn a_job_of_an_earlier_machine_of_the_same_name_proves_nothing() {
    let lab = Lab::with_provisioned("m").await;
    let labels = json!({"capt.tinkerbell.org/machine-name": "m", "capt.tinkerbell.org/machine-namespace": "default"});
    lab.create(json!({"apiVersion": "bmc.tinkerbell.org/v1alpha1", "kind": "Job",
        "metadata": {"namespace": "metal", "name": "m-poweroff", "labels": labels},
        "spec": {"machineRef": {"name": "bmc-hw-000", "namespace": "metal"}, "tasks": [{"powerAction": "status"}]}}))
        .await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    lab.delete_machine("m").await;
    lab.until_released("m").await;
    let jobs = lab.server.list("bmc.tinkerbell.org", "jobs");
    let left: Vec<_> = jobs.iter().map(|job| job["metadata"]["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(left, ["m-poweroff"], "the proof goes with the machine, what nobody claims stays");
    lab.no_violations();
}

/// The objects that `clusterctl move` takes along, on another server: no status, new UIDs.
async fn moved() -> Lab {
    let mut old = Lab::new().await;
    old.hardware(1).await;
    with_address(&old).await;
    old.start_manager().await;
    old.machine_with("m", manual()).await;
    old.until_provisioned("m").await;
    let mut hardware = old.get("tinkerbell.org", "hardware", "metal", "hw-000").unwrap();
    let machine = old.get("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "default", "m").unwrap();
    for member in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
        hardware["metadata"].as_object_mut().unwrap().remove(member);
    }
    let new = Lab::new().await;
    new.bmc("bmc-hw-000").await;
    new.create(hardware).await;
    let spec = json!({"ipamPoolRef": null, "hardwareName": machine["spec"]["hardwareName"], "providerID": machine["spec"]["providerID"]});
    new.machine_with("m", spec).await;
    let finalizers = json!({"metadata": {"finalizers": machine["metadata"]["finalizers"]}});
    new.patch("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", "default", "m", finalizers).await;
    new
}

#[tokio::test(start_paused = true)]
async fn after_a_move_a_server_that_runs_is_adopted_and_never_imaged_again() {
    let mut lab = moved().await;
    lab.start_manager().await;
    lab.until_provisioned("m").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.server.list("tinkerbell.org", "workflows").len(), 0);
    assert_eq!(lab.hardware_writes(MANAGER), 1, "the Hardware gets the machine's new UID, and nothing else");
    assert_eq!(lab.machine_address("m").as_deref(), Some("192.168.1.5"));
}

#[tokio::test(start_paused = true)]
async fn a_machine_deleted_right_after_a_move_still_releases_its_hardware_in_the_other_namespace() {
    let mut lab = moved().await;
    lab.delete_machine("m").await;
    lab.start_manager().await;
    lab.until_gone("m").await;
    let hardware = lab.get("tinkerbell.org", "hardware", "metal", "hw-000").unwrap();
    assert_eq!(lab.reserved_hardware(), 0);
    assert!(hardware["spec"]["userData"].is_null(), "{hardware:#}");
    assert_eq!(lab.address_of("hw-000").as_deref(), Some("192.168.1.5"), "a person wrote it");
}

#[tokio::test(start_paused = true)]
async fn a_hardware_whose_labels_were_stripped_is_labelled_again_and_no_other_is_taken() {
    let lab = Lab::with_provisioned("m").await;
    lab.hardware_range(1..3).await;
    let stripped = json!({"metadata": {"labels": {"v1alpha1.tinkerbell.org/ownerName": null, "v1alpha1.tinkerbell.org/ownerNamespace": null}}});
    lab.patch("tinkerbell.org", "hardware", "metal", "hw-000", stripped).await;
    at_once(&lab, "the labels are back", |lab| lab.reserved_hardware() == 1).await;
    let back = lab.get("tinkerbell.org", "hardware", "metal", "hw-000").unwrap();
    assert_eq!(back["metadata"]["labels"]["v1alpha1.tinkerbell.org/ownerName"], "m");
    assert!(lab.is_provisioned("m"));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_found_by_its_label_is_adopted_made_ready_and_told() {
    let mut lab = Lab::new().await;
    lab.start_manager().await;
    let ready = |lab: &Lab| {
        let cluster = lab.get("infrastructure.cluster.x-k8s.io", "tinkerbellclusters", "default", "c").unwrap();
        (cluster["status"]["ready"] == true).then_some(cluster)
    };
    lab.until("the cluster is ready", Duration::from_secs(10), |lab| ready(lab).is_some()).await;
    let cluster = ready(&lab).unwrap();
    assert_eq!(cluster["metadata"]["ownerReferences"][0]["kind"], "Cluster");
    assert_eq!(cluster["status"]["initialization"]["provisioned"], true);
    let types: Vec<&str> =
        cluster["status"]["conditions"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["Paused", "Ready"]);
    lab.until("an event tells it", Duration::from_secs(10), |lab| lab.events("Ready") == 1).await;
}

#[tokio::test(start_paused = true)]
async fn kubectl_get_shows_what_a_person_wants_to_see() {
    let lab = Lab::with_provisioned("m").await;
    let rows = lab.table("tinkerbellmachines").await;
    let heads = ["NAME", "CLUSTER", "MACHINE", "HARDWARE", "ADDRESS", "READY", "STATE", "INSTANCEID", "AGE"];
    assert_eq!(rows[0], heads);
    assert_eq!(rows[1][..8], ["m", "c", "m", "hw-000", "10.0.0.100", "True", "Ready", "tinkerbell://metal/hw-000"]);
    let rows = lab.table("tinkerbellclusters").await;
    assert_eq!(rows[0], ["NAME", "CLUSTER", "READY", "ENDPOINT", "AGE"]);
    assert_eq!(rows[1][..4], ["c", "c", "True", "10.0.0.50"]);
}
