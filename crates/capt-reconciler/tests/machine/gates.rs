//! What a machine needs before anything is written for it, with the very words that operators know from Go CAPT.

use capt_reconciler::effect::Stage;
use capt_reconciler::machine::step::Step;
use capt_reconciler::ports::BootstrapSecret;
use serde_json::{Value, json};

use crate::scene::{Scene, body, hardware, now, report, wait, write};

#[test]
fn a_machine_without_a_version_is_told_so_even_after_it_got_its_hardware() {
    for scene in [Scene::new(), Scene::new().reserved(), Scene::new().addressed()] {
        let unversioned = scene.with(|s| {
            s.change("Machine", "default/owner", json!({"spec": {"version": null}}));
        });
        let (reason, message) = wait(&unversioned);
        assert_eq!(reason, "MachineInvalid");
        assert!(message.starts_with("machine version is empty"), "{message}");
    }
}

#[test]
fn no_gate_holds_up_a_server_that_runs_or_is_being_installed() {
    let strip = |s: &mut Scene| {
        s.remove("Machine", "default/owner").remove("Cluster", "default/c").remove("TinkerbellCluster", "default/c");
    };
    assert!(matches!(Scene::new().provisioned().with(strip).step(), Step::Done));
    assert_eq!(write(&Scene::new().booted("SUCCESS").with(strip)).stage, Stage::Provisioned);
}

#[test]
fn a_cluster_is_ready_for_machines_by_either_contract() {
    let with_status = |status: Value| {
        Scene::new().with(|s| {
            s.change("TinkerbellCluster", "default/c", json!({"status": null}));
            s.change("TinkerbellCluster", "default/c", json!({ "status": status }));
        })
    };
    assert_eq!(write(&with_status(json!({"ready": true}))).stage, Stage::Adopt);
    assert_eq!(
        write(&with_status(json!({"ready": false, "initialization": {"provisioned": true}}))).stage,
        Stage::Adopt
    );
    let neither = with_status(json!({"ready": false, "initialization": {"provisioned": false}}));
    assert_eq!(wait(&neither).0, "WaitingForClusterInfrastructure");
}

#[test]
fn the_owner_is_found_in_any_version_of_cluster_api_and_the_cluster_by_label_or_field() {
    let old = Scene::new().with(|s| {
        s.change(
            "TinkerbellMachine",
            "default/m",
            json!({"metadata": {"ownerReferences": [
            {"apiVersion": "cluster.x-k8s.io/v1beta1", "kind": "Machine", "name": "owner", "uid": "owner-uid"}]}}),
        );
        s.change("Machine", "default/owner", json!({"metadata": {"labels": null}}));
    });
    assert_eq!(write(&old).stage, Stage::Adopt, "spec.clusterName stands in for the label");
    let other = Scene::new().with(|s| {
        s.change(
            "TinkerbellMachine",
            "default/m",
            json!({"metadata": {"ownerReferences": [
            {"apiVersion": "example.com/v1", "kind": "Machine", "name": "owner", "uid": "owner-uid"}]}}),
        );
    });
    assert_eq!(wait(&other).0, "WaitingForOwnerMachine", "a Machine of somebody else's group");
}

#[test]
fn a_missing_secret_is_looked_for_again_less_and_less_often_because_nobody_watches_it() {
    let scene = Scene::new().adopted().with(|s| s.pass.bootstrap = Some(BootstrapSecret::Missing));
    let Step::Wait(wait) = scene.step() else { panic!("expected a wait") };
    assert!(wait.unwatched && wait.requeue.is_some());
}

#[test]
fn waiting_for_hardware_is_no_error_loop_but_a_wait_that_hardware_ends() {
    let scene = Scene::new().adopted().with(|s| {
        s.remove("Hardware", "metal/hw-1");
    });
    let Step::Wait(wait) = scene.step() else { panic!("expected a wait") };
    assert_eq!(wait.message, "no hardware available");
    assert_eq!(wait.requeue, None, "woken by Hardware, not by a timer");
    assert!(!wait.interest.hardware.is_empty());
}

#[test]
fn hardware_that_lacks_a_field_is_looked_at_again_when_it_changes_and_not_by_backoff() {
    for missing in [json!({"metadata": null}), json!({"metadata": {"instance": null}})] {
        let chosen = Scene::new().reserved().with(|s| {
            s.change("Hardware", "metal/hw-1", json!({ "spec": missing }));
        });
        let Step::Wait(wait) = chosen.step() else { panic!("expected a wait") };
        assert_eq!((wait.reason.as_str(), wait.requeue), ("HardwareUnfit", None));
        assert!(wait.message.contains("metal/hw-1") && wait.message.contains("spec.metadata.instance"));
        assert!(chosen.conditions().contains(&"HardwareReserved: False HardwareUnfit".to_owned()));
    }
}

#[test]
fn a_disk_is_needed_even_where_a_template_of_the_users_is_used() {
    let scene = Scene::new().adopted().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"templateOverride": "mine"}}));
        s.change("Hardware", "metal/hw-1", json!({"spec": {"disks": []}}));
    });
    let (reason, message) = wait(&scene);
    assert_eq!(reason, "HardwareUnfit");
    assert!(message.contains("disk configuration is required"), "{message}");
}

#[test]
fn ties_go_by_namespace_first_and_by_name_then() {
    let scene = Scene::new().adopted().with(|s| {
        let mut other = hardware("hw-9");
        other["metadata"]["namespace"] = json!("alpha");
        s.put("Hardware", other);
    });
    assert_eq!(write(&scene).key.to_string(), "alpha/hw-9");
}

#[test]
fn hardware_with_half_an_owner_is_not_free() {
    let scene = Scene::new().adopted().with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"metadata": {"labels": {"v1alpha1.tinkerbell.org/ownerName": "m"}}}));
    });
    assert_eq!(wait(&scene).0, "NoHardwareAvailable", "ownerName alone, without our namespace");
}

#[test]
fn reserving_writes_nothing_of_the_spec_but_the_bootstrap_data_and_leaves_the_finalizers_of_others() {
    let scene = Scene::new().adopted().with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"metadata": {"finalizers": ["theirs"]}}));
    });
    let body = body(&write(&scene));
    assert_eq!(body["spec"], json!({"userData": "join tinkerbell://metal/hw-1"}), "no allowPXE, metadata, vendorData");
    assert_eq!(body["metadata"]["finalizers"], json!(["theirs", "infrastructure.cluster.x-k8s.io/tinkerbellmachine"]));
}

#[test]
fn old_finalizers_go_from_machine_and_hardware_wherever_they_are_seen() {
    let old = "tinkerbellmachine.infrastructure.cluster.x-k8s.io";
    let machine = Scene::new().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"metadata": {"finalizers": [old]}}));
    });
    let new = json!(["infrastructure.cluster.x-k8s.io/tinkerbellmachine"]);
    assert_eq!(body(&write(&machine))["metadata"]["finalizers"], new);
    let reserved = Scene::new().reserved().with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"metadata": {"finalizers": [old]}}));
    });
    assert_eq!(body(&write(&reserved))["metadata"]["finalizers"], new);
}

#[test]
fn hardware_claimed_already_is_not_written_to_again() {
    assert_eq!(write(&Scene::new().reserved()).stage, Stage::Claim, "labels and finalizer are as they should be");
    let without_pool = Scene::new().reserved().without_pool().with(|s| {
        s.set_ip(json!({"address": "192.168.1.5", "netmask": "255.255.255.0"}));
    });
    assert_eq!(write(&without_pool).stage, Stage::Boot, "nor is its bootstrap data, which is there");
}

#[test]
fn identity_is_the_hardwares_and_is_written_once() {
    let scene = Scene::new().reserved().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"hardwareName": null, "providerID": null}}));
    });
    let record = body(&write(&scene));
    assert_eq!(record["spec"], json!({"hardwareName": "hw-1", "providerID": "tinkerbell://metal/hw-1"}));
    let half = scene.with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"hardwareName": "hw-1"}}));
        s.change("TinkerbellMachine", "default/m", json!({"status": {"targetNamespace": "metal"}}));
    });
    assert_eq!(body(&write(&half))["spec"], json!({"providerID": "tinkerbell://metal/hw-1"}));
}

#[test]
fn the_namespace_of_the_hardware_is_noted_once_and_never_changed() {
    let noted = |scene: Scene| report(&scene.world(), &scene.step(), now()).target_namespace;
    assert_eq!(noted(Scene::new().booted("RUNNING")), "metal");
    let earlier = Scene::new().booted("RUNNING").with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"status": {"targetNamespace": "metal"}}));
    });
    assert_eq!(noted(earlier), "metal");
}

#[test]
fn the_machine_has_one_internal_address_that_of_the_first_interface() {
    let scene = Scene::new().reserved().without_pool().with(|s| {
        s.set_ip(json!({"address": "192.168.1.5", "netmask": "255.255.255.0"}));
    });
    let status = report(&scene.world(), &Step::Done, now());
    assert_eq!(json!(status.addresses), json!([{"type": "InternalIP", "address": "192.168.1.5"}]));
}
