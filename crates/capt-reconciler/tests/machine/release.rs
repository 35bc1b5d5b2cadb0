//! Deletion: the order of release, and everything that may be missing on the way.

use std::time::Duration;

use capt_reconciler::effect::{Kind, Stage, Verb, Write};
use capt_reconciler::machine::release::retry_after;
use capt_reconciler::machine::step::Step;
use capt_reconciler::ports::Presence;
use serde_json::{Value, json};

use crate::scene::{self, Scene, wait, write};

fn operations(write: &Write) -> String {
    match &write.verb {
        Verb::Json(body) => body.to_string(),
        other => panic!("expected a JSON patch, not {}", matches!(other, Verb::Delete { .. })),
    }
}

fn job(status: Value) -> Value {
    json!({"metadata": {"namespace": "metal", "name": "m-poweroff", "uid": "job-uid", "creationTimestamp": "2026-01-01T11:59:58Z",
            "annotations": {"capt.tinkerbell.org/machine-uid": "m-uid"},
            "labels": {"capt.tinkerbell.org/machine-name": "m", "capt.tinkerbell.org/machine-namespace": "default"}},
        "spec": {"machineRef": {"name": "bmc-hw-1", "namespace": "metal"}}, "status": status})
}

fn conditions(type_: &str) -> Value {
    json!({"conditions": [{"type": type_, "status": "True", "message": "their words"}]})
}

/// The Workflow and Template are gone.
fn stopped() -> Scene {
    Scene::new().provisioned().deleting().with(|s| {
        s.remove("Workflow", "metal/m").remove("Template", "metal/m");
    })
}

fn off() -> Scene {
    stopped().with(|s| s.put("Job", job(conditions("Completed"))))
}

/// The Hardware is released.
fn released() -> Scene {
    off().with(|s| {
        s.put("Hardware", scene::hardware("hw-1"));
        s.remove("Job", "metal/m-poweroff");
    })
}

#[test]
fn release_keeps_its_order_so_that_no_address_is_free_while_its_server_runs() {
    let workflow = write(&Scene::new().provisioned().deleting());
    assert_eq!((workflow.stage, workflow.kind), (Stage::Stop, Kind::Workflow), "the Workflow before the Template");
    let power_off = write(&stopped());
    assert_eq!((power_off.stage, power_off.kind), (Stage::PowerOff, Kind::Job));
    assert_eq!(wait(&stopped().with(|s| s.put("Job", job(conditions("Running"))))).0, "WaitingForPowerOff");
    assert_eq!(write(&off()).stage, Stage::ReleaseHardware);
    let job_goes = write(&off().with(|s| s.put("Hardware", scene::hardware("hw-1"))));
    assert_eq!((job_goes.kind, job_goes.verb), (Kind::Job, Verb::Delete { uid: "job-uid".to_owned() }));
    let finalizer = write(&released());
    assert_eq!((finalizer.stage, finalizer.kind), (Stage::ReleaseClaims, Kind::IPAddressClaim));
    let unprotected = released().with(|s| {
        s.change(
            "IPAddressClaim",
            "default/m-0",
            json!({"metadata": {"finalizers": ["ipam.cluster.x-k8s.io/ReleaseAddress"]}}),
        );
    });
    assert_eq!(write(&unprotected).verb, Verb::Delete { uid: "claim-uid".to_owned() });
    let going = unprotected.with(|s| {
        s.change("IPAddressClaim", "default/m-0", json!({"metadata": {"deletionTimestamp": "2026-01-01T11:59:59Z"}}));
    });
    let (reason, message) = wait(&going);
    assert_eq!(reason, "WaitingForAddressRelease");
    assert!(message.contains("ipam.cluster.x-k8s.io/ReleaseAddress"), "foreign finalizers by name: {message}");
    let last = write(&going.with(|s| {
        s.remove("IPAddressClaim", "default/m-0");
    }));
    assert_eq!((last.stage, last.kind), (Stage::Finish, Kind::TinkerbellMachine));
}

#[test]
fn one_guarded_patch_takes_everything_of_ours_off_the_hardware() {
    let all = operations(&write(&off()));
    for part in [
        r#"{"op":"replace","path":"/metadata/resourceVersion","value":"3"}"#,
        r#"{"op":"remove","path":"/metadata/labels/v1alpha1.tinkerbell.org~1ownerName"}"#,
        r#"{"op":"remove","path":"/metadata/labels/v1alpha1.tinkerbell.org~1ownerNamespace"}"#,
        r#"{"op":"remove","path":"/metadata/annotations/v1alpha1.tinkerbell.org~1provisioned"}"#,
        r#"{"op":"remove","path":"/metadata/annotations/capt.tinkerbell.org~1ipam-reservation"}"#,
        r#"{"op":"remove","path":"/spec/userData"}"#,
        r#"{"op":"replace","path":"/metadata/finalizers","value":[]}"#,
        r#"{"op":"test","path":"/spec/interfaces/0/dhcp/ip/address","value":"10.0.0.5"}"#,
        r#"{"op":"remove","path":"/spec/interfaces/0/dhcp/ip"}"#,
    ] {
        assert!(all.contains(part), "{part} is missing in {all}");
    }
}

#[test]
fn an_address_that_a_person_wrote_stays_at_release() {
    let changed = off().with(|s| {
        s.set_ip(json!({"address": "192.168.1.5"}));
    });
    let all = operations(&write(&changed));
    assert!(!all.contains("/spec/interfaces/0/dhcp/ip"), "{all}");
    assert!(all.contains("ipam-reservation"), "our record goes: {all}");
}

#[test]
fn a_lease_without_its_record_is_still_cleared_at_release() {
    let unrecorded = off().with(|s| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"capt.tinkerbell.org/ipam-reservation": null}}}),
        );
    });
    assert!(operations(&write(&unrecorded)).contains(r#"{"op":"remove","path":"/spec/interfaces/0/dhcp/ip"}"#));
}

#[test]
fn only_a_job_made_for_this_very_machine_proves_that_its_server_is_off() {
    for stranger in [
        json!({"metadata": {"annotations": {"capt.tinkerbell.org/machine-uid": "dead"}}}),
        json!({"metadata": {"annotations": null}}),
        json!({"metadata": {"annotations": null, "labels": null}}),
        json!({"spec": {"machineRef": {"name": "another-bmc"}}}),
    ] {
        let scene = off().with(|s| {
            s.change("Job", "metal/m-poweroff", stranger);
        });
        assert_eq!(write(&scene).verb, Verb::Delete { uid: "job-uid".to_owned() });
    }
}

#[test]
fn a_failed_power_off_is_told_and_tried_again_with_growing_pauses() {
    let fresh = stopped().with(|s| s.put("Job", job(conditions("Failed"))));
    let (reason, message) = wait(&fresh);
    assert_eq!(reason, "PowerOffFailed");
    assert!(message.contains("bmc job metal/m-poweroff failed") && message.contains("their words"), "{message}");
    let old = fresh.with(|s| {
        s.change("Job", "metal/m-poweroff", json!({"metadata": {"creationTimestamp": "2026-01-01T11:00:00Z"}}));
    });
    assert!(matches!(write(&old).verb, Verb::Delete { .. }));
    let again = stopped().with(|s| s.pass.failed_power_offs = Some(3));
    let Verb::Create(body) = write(&again).verb else { panic!("expected a new Job") };
    assert_eq!(
        body["metadata"]["annotations"]["capt.tinkerbell.org/failed-attempts"], "3",
        "the count survives a restart"
    );
    let pauses: Vec<u64> = [1, 2, 3, 7, 40].into_iter().map(|n| retry_after(n).as_secs()).collect();
    assert_eq!(pauses, [5, 10, 20, 300, 300]);
    assert_eq!(retry_after(0), Duration::from_secs(5));
}

#[test]
fn a_server_without_bmc_is_released_at_once_with_a_warning_that_names_its_address() {
    let no_bmc = stopped().with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"bmcRef": null}}));
    });
    let no_kinds = stopped().with(|s| s.bmc = Presence::Absent);
    for scene in [no_bmc, no_kinds] {
        let release = write(&scene);
        assert_eq!(release.stage, Stage::ReleaseHardware);
        let notice = release.notice.unwrap();
        assert!(notice.warning);
        assert_eq!(notice.reason, "ReleasedWithoutPowerOff");
        assert!(notice.message.contains("metal/hw-1") && notice.message.contains("10.0.0.5"), "{}", notice.message);
    }
}

#[test]
fn nothing_that_is_missing_blocks_a_deletion() {
    let strip = |s: &mut Scene| {
        s.remove("Machine", "default/owner").remove("Cluster", "default/c").remove("TinkerbellCluster", "default/c");
    };
    assert_eq!(write(&off().with(strip)).stage, Stage::ReleaseHardware, "owner, Cluster and infrastructure gone");
    let no_hardware = stopped().with(|s| {
        s.remove("Hardware", "metal/hw-1");
    });
    assert_eq!(write(&no_hardware).stage, Stage::ReleaseClaims, "Hardware gone: the claims are still released");
    let no_ipam = released().with(|s| {
        s.ipam = Presence::Absent;
        s.remove("IPAddressClaim", "default/m-0");
    });
    assert_eq!(write(&no_ipam).stage, Stage::Finish, "IPAM kinds gone");
    let bare = Scene::new().adopted().deleting().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": null}));
    });
    assert_eq!(write(&bare).stage, Stage::Finish, "empty spec");
}

#[test]
fn hardware_is_found_by_its_labels_although_the_machine_never_recorded_it() {
    let scene = Scene::new().reserved().deleting().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"hardwareName": null, "providerID": null}}));
    });
    assert_eq!((write(&scene).stage, write(&scene).kind), (Stage::PowerOff, Kind::Job));
}

#[test]
fn hardware_whose_labels_somebody_stripped_is_released_and_that_of_others_never() {
    let stripped = stopped().with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"metadata": {"labels": null}}));
    });
    assert_eq!(write(&stripped).stage, Stage::PowerOff);
    let taken = stopped().with(|s| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"labels": {"v1alpha1.tinkerbell.org/ownerName": "other"}}}),
        );
    });
    assert_eq!(write(&taken).stage, Stage::ReleaseClaims, "neither powered off nor written to");
}

#[test]
fn claims_are_found_by_owner_although_the_spec_was_edited_or_the_owner_stripped() {
    let edited = released().without_pool();
    assert_eq!(write(&edited).stage, Stage::ReleaseClaims);
    let orphaned = released().with(|s| {
        s.change("IPAddressClaim", "default/m-0", json!({"metadata": {"ownerReferences": null}}));
    });
    assert_eq!(write(&orphaned).stage, Stage::ReleaseClaims);
    let foreign = released().with(|s| { s.change("IPAddressClaim", "default/m-0", json!({"metadata": {"ownerReferences": [{"apiVersion": "x/v1", "kind": "Other", "name": "o", "uid": "o", "controller": true}]}})); });
    assert_eq!(write(&foreign).stage, Stage::Finish, "somebody else's claim is not ours to delete");
}

#[test]
fn a_machine_that_never_carried_our_finalizer_is_left_to_go() {
    assert!(matches!(Scene::new().deleting().step(), Step::Done));
}
