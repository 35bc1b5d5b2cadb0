//! Deletion: the order of release, and everything that may be missing on the way.

use std::time::Duration;

use capt_api::conditions::Reason;
use capt_reconciler::effect::{Kind, Stage, Verb, Write};
use capt_reconciler::machine::release::RETRIES;
use capt_reconciler::machine::report::news;
use capt_reconciler::machine::step::Step;
use capt_reconciler::observed::infra::TinkerbellMachineStatus;
use capt_reconciler::ports::{BmcState, BmcView, Presence};
use serde_json::{Value, json};

use crate::scene::{self, Scene, report, wait, write};

fn operations(write: &Write) -> String {
    match &write.verb {
        Verb::Json(body) => body.to_string(),
        other => panic!("expected a JSON patch, not {}", matches!(other, Verb::Delete { .. })),
    }
}

const JOB: &str = "m-poweroff-1";

fn job(status: Value) -> Value {
    json!({"metadata": {"namespace": "metal", "name": JOB, "uid": "job-uid", "resourceVersion": "50", "creationTimestamp": "2026-01-01T11:59:58Z",
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
        s.remove("Job", "metal/m-poweroff-1");
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
fn only_a_job_made_for_this_very_machine_and_bmc_under_a_new_name_proves_that_its_server_is_off() {
    for stranger in [
        json!({"metadata": {"annotations": {"capt.tinkerbell.org/machine-uid": "dead"}}}),
        json!({"metadata": {"annotations": null}}),
        json!({"metadata": {"annotations": null, "labels": null}}),
        json!({"spec": {"machineRef": {"name": "another-bmc"}}}),
    ] {
        let scene = off().with(|s| {
            s.change("Job", "metal/m-poweroff-1", stranger);
        });
        let made = write(&scene);
        assert!(matches!(made.verb, Verb::Create(_)), "a Job of our own, and the stranger's stays: {made:?}");
        assert_ne!(made.key.name, JOB);
    }
    let of_the_old_name = stopped().with(|s| {
        let mut old = job(conditions("Completed"));
        old["metadata"]["name"] = json!("m-poweroff");
        s.put("Job", old);
    });
    let made = write(&of_the_old_name);
    assert!(matches!(made.verb, Verb::Create(_)), "an old Task may have ended it: {made:?}");
}

#[test]
fn a_failed_power_off_is_told_and_tried_again_with_growing_pauses() {
    let fresh = stopped().with(|s| {
        s.put("Job", job(conditions("Failed")));
        s.pass.bmc = Some(BmcView::Found(BmcState::default()));
    });
    let (reason, message) = wait(&fresh);
    assert_eq!(reason, "PowerOffFailed");
    assert!(message.contains("bmc job metal/m-poweroff-1 failed") && message.contains("their words"), "{message}");
    let old = fresh.with(|s| {
        s.change("Job", "metal/m-poweroff-1", json!({"metadata": {"creationTimestamp": "2026-01-01T11:00:00Z"}}));
    });
    let again = write(&old.clone());
    let Verb::Create(body) = &again.verb else { panic!("expected a new Job, got {again:?}") };
    assert_ne!(again.key.name, JOB, "rufio would take the old Task for the new Job's");
    assert_eq!(
        body["metadata"]["annotations"]["capt.tinkerbell.org/failed-attempts"], "1",
        "the count survives a restart: it stands on the new Job before the old one goes"
    );
    let both = old.with(|s| {
        let mut second = job(conditions("Running"));
        second["metadata"]["name"] = json!("m-poweroff-2");
        second["metadata"]["annotations"]["capt.tinkerbell.org/failed-attempts"] = json!("1");
        s.put("Job", second);
    });
    assert_eq!(wait(&both).0, "WaitingForPowerOff", "the failure of the first says nothing of the second");
    let pauses: Vec<u64> = [1, 2, 3, 7, 40].into_iter().map(|n| RETRIES.after(n).as_secs()).collect();
    assert_eq!(pauses, [5, 10, 20, 300, 300]);
    assert_eq!(RETRIES.after(0), Duration::from_secs(5));
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
        let notice = release.notices.first().unwrap();
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
    // Once the labels are gone nothing else would tell where its Job is.
    assert_eq!((write(&scene).stage, write(&scene).kind), (Stage::Record, Kind::TinkerbellMachine));
    let recorded = Scene::new().reserved().deleting();
    assert_eq!((write(&recorded).stage, write(&recorded).kind), (Stage::PowerOff, Kind::Job));
}

#[test]
fn every_hardware_that_carries_the_machines_name_is_released_in_whatever_namespace() {
    let scene = released().with(|s| {
        let mut second = scene::hardware("hw-2");
        second["metadata"]["namespace"] = json!("other");
        second["metadata"]["labels"] =
            json!({"v1alpha1.tinkerbell.org/ownerName": "m", "v1alpha1.tinkerbell.org/ownerNamespace": "default"});
        second["spec"].as_object_mut().unwrap().remove("bmcRef");
        s.put("Hardware", second);
    });
    let release = write(&scene);
    assert_eq!((release.stage, release.key.to_string().as_str()), (Stage::ReleaseHardware, "other/hw-2"));
}

#[test]
fn after_a_move_the_provider_id_tells_the_namespace_although_the_status_is_lost() {
    for status in [Value::Null, json!({"targetNamespace": ""}), json!({"targetNamespace": "metal"})] {
        let moved = stopped().with(|s| {
            s.change("TinkerbellMachine", "default/m", json!({ "status": status }));
        });
        assert_eq!((write(&moved).kind, write(&moved).key.namespace.as_str()), (Kind::Job, "metal"));
    }
    let gone = Scene::new().provisioned().deleting().with(|s| {
        s.remove("Hardware", "metal/hw-1");
    });
    assert_eq!(write(&gone).key.to_string(), "metal/m", "the Workflow is found without the Hardware, too");
}

#[test]
fn a_version_that_is_empty_and_a_bootstrap_secret_that_is_gone_do_not_block_a_deletion() {
    let scene = off().with(|s| {
        s.change("Machine", "default/owner", json!({"spec": {"version": "", "bootstrap": {"dataSecretName": null}}}));
        s.pass.bootstrap = None;
    });
    assert_eq!(write(&scene).stage, Stage::ReleaseHardware);
}

#[test]
fn a_workflow_and_a_template_of_somebody_else_survive_the_deletion_of_a_machine() {
    let scene = Scene::new().provisioned().deleting().with(|s| {
        for kind in ["Workflow", "Template"] {
            s.change(kind, "metal/m", json!({"metadata": {"labels": null, "annotations": null}}));
        }
    });
    assert_eq!(write(&scene).stage, Stage::PowerOff);
}

#[test]
fn the_job_that_switches_off_says_whose_it_is_and_what_it_does() {
    let Verb::Create(job) = write(&stopped()).verb else { panic!("expected a Job") };
    let name = job["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("m-poweroff-") && name.len() <= 63, "{name}");
    assert_eq!(job["metadata"]["namespace"], "metal");
    assert_eq!(job["metadata"]["annotations"]["capt.tinkerbell.org/machine-uid"], "m-uid");
    assert_eq!(
        job["spec"],
        json!({"machineRef": {"name": "bmc-hw-1", "namespace": "metal"}, "tasks": [{"powerAction": "off"}]}),
        "a hard off"
    );
}

#[test]
fn waiting_for_a_job_is_no_error_and_no_timer_but_a_wait_that_the_job_ends() {
    let Step::Wait(wait) = stopped().with(|s| s.put("Job", job(conditions("Running")))).step() else {
        panic!("expected a wait")
    };
    let look = Some(Duration::from_secs(13));
    assert_eq!(
        (wait.reason.as_str(), wait.expected, wait.requeue),
        ("WaitingForPowerOff", true, look),
        "then we look why"
    );
}

#[test]
fn every_failed_attempt_to_switch_off_is_an_event_of_its_own() {
    let failed = |attempts: &str| {
        stopped().with(|s| {
            s.put("Job", job(conditions("Failed")));
            s.pass.bmc = Some(BmcView::Found(BmcState::default()));
            s.change(
                "Job",
                "metal/m-poweroff-1",
                json!({"metadata": {"annotations": {"capt.tinkerbell.org/failed-attempts": attempts}}}),
            );
        })
    };
    let status = |scene: &Scene| report(&scene.world(), &scene.step(), scene::now());
    let (first, second) = (failed("0"), failed("1"));
    let told = |before: &TinkerbellMachineStatus, after: &Scene| news(before, &status(after), &after.step());
    for events in [told(&Default::default(), &first), told(&status(&first), &second)] {
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].warning, events[0].reason), (true, Reason::PowerOffFailed));
    }
    assert!(told(&status(&first), &first).is_empty(), "the same attempt is told once");
}

#[test]
fn all_finalizers_of_ours_leave_the_machine_and_those_of_others_stay() {
    let scene = released().with(|s| {
        s.remove("IPAddressClaim", "default/m-0");
        s.change("TinkerbellMachine", "default/m", json!({"metadata": {"finalizers": ["theirs",
            "infrastructure.cluster.x-k8s.io/tinkerbellmachine", "tinkerbellmachine.infrastructure.cluster.x-k8s.io"]}}));
    });
    let last = write(&scene);
    assert_eq!(last.stage, Stage::Finish);
    assert_eq!(scene::body(&last)["metadata"]["finalizers"], json!(["theirs"]));
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
