//! Whose a server is: what makes Hardware free, and what never gives it to a second machine, nor installs it twice.

use capt_reconciler::effect::{Kind, Stage, Verb};
use capt_reconciler::machine::step::Step;
use capt_reconciler::ports::{AddressUse, BootstrapData, BootstrapSecret};
use serde_json::{Value, json};

use crate::scene::{Scene, body, hardware, now, wait, write};

const OWNER: &str = "v1alpha1.tinkerbell.org/ownerName";
const OWNER_NAMESPACE: &str = "v1alpha1.tinkerbell.org/ownerNamespace";
const MARK: &str = "v1alpha1.tinkerbell.org/provisioned";
const UID: &str = "capt.tinkerbell.org/machine-uid";
const FINALIZER: &str = "infrastructure.cluster.x-k8s.io/tinkerbellmachine";

/// `metal/hw-1` with something on it, and a machine that looks for Hardware.
fn with_hardware(patch: Value) -> Scene {
    Scene::new().adopted().with(|s| {
        s.change("Hardware", "metal/hw-1", patch);
    })
}

/// Another machine, `default/other`, which runs on `metal/hw-1`.
fn other(s: &mut Scene) {
    s.put(
        "TinkerbellMachine",
        json!({"metadata": {"namespace": "default", "name": "other", "uid": "other-uid", "resourceVersion": "9"},
            "spec": {"hardwareName": "hw-1", "providerID": "tinkerbell://metal/hw-1"},
            "status": {"ready": true, "targetNamespace": "metal"}}),
    );
}

/// The machine was ready, and this became of its Hardware.
fn ready_then(change: impl FnOnce(&mut Scene)) -> Scene {
    Scene::new().provisioned().with(|s| {
        let status = json!({"status": {"ready": true, "targetNamespace": "metal",
            "addresses": [{"type": "InternalIP", "address": "10.0.0.5"}]}});
        s.change("TinkerbellMachine", "default/m", status);
        s.remove("Workflow", "metal/m").remove("Template", "metal/m");
        change(s);
    })
}

fn blank(s: &mut Scene) {
    let mut hardware = hardware("hw-1");
    hardware["metadata"]["uid"] = json!("hw-1-anew");
    s.put("Hardware", hardware);
}

/// Plays writes to the Hardware until something else is decided.
fn play(scene: &mut Scene) -> Vec<Stage> {
    let mut stages = Vec::new();
    while let Step::Do(write) = scene.step() {
        stages.push(write.stage);
        assert_eq!(write.kind, Kind::Hardware, "{write:?}");
        match &write.verb {
            Verb::Merge(body) => {
                scene.change("Hardware", "metal/hw-1", body.clone());
            }
            Verb::Json(body) => {
                let hardware = scene.objects.get_mut(&("Hardware", "metal/hw-1".to_owned())).unwrap();
                let patch: json_patch::Patch = serde_json::from_value(body.clone()).unwrap();
                json_patch::patch(hardware, &patch).unwrap();
            }
            other => panic!("{other:?}"),
        }
        assert!(stages.len() < 9, "it does not come to rest: {stages:?}");
    }
    stages
}

#[test]
fn a_server_whose_labels_were_stripped_goes_to_no_second_machine_and_is_told_of() {
    let record = json!([{"machineUID": "other-uid", "mac": "00:00:00:00:00:01", "address": "10.0.0.9"}]).to_string();
    for patch in [
        json!({"metadata": {"finalizers": [FINALIZER]}}),
        json!({"metadata": {"finalizers": ["tinkerbellmachine.infrastructure.cluster.x-k8s.io"]}}),
        json!({"metadata": {"annotations": {"capt.tinkerbell.org/ipam-reservation": record}}}),
    ] {
        let (reason, message) = wait(&with_hardware(patch));
        assert_eq!(reason, "NoHardwareAvailable");
        assert!(message.contains("metal/hw-1 has lost its owner labels"), "{message}");
    }
    for (words, patch) in
        [("carries the UID of", json!({"metadata": {"annotations": {UID: "other-uid"}}})), ("is named by", json!({}))]
    {
        let (reason, message) = wait(&with_hardware(patch).with(other));
        assert_eq!(reason, "NoHardwareAvailable");
        assert!(message.contains(words) && message.contains("default/other"), "{message}");
    }
}

#[test]
fn hardware_that_a_person_keeps_back_is_passed_over_and_told_of_and_taken_by_whoever_names_it() {
    for (words, patch) in [
        ("marked as provisioned", json!({"metadata": {"annotations": {MARK: "true"}}})),
        (
            "set aside (capt.tinkerbell.org/set-aside: \"disk swap\")",
            json!({"metadata": {"annotations": {"capt.tinkerbell.org/set-aside": "disk swap"}}}),
        ),
        (
            "allows no Workflows",
            json!({"spec": {"interfaces": [{"netboot": {"allowWorkflow": false}, "dhcp": {"mac": "00:00:00:00:00:01"}}]}}),
        ),
    ] {
        let alone = with_hardware(patch);
        let (reason, message) = wait(&alone);
        assert_eq!(reason, "NoHardwareAvailable");
        assert!(message.contains(words) && message.contains("metal/hw-1"), "{message}");
        let spare = alone.clone().with(|s| s.put("Hardware", hardware("hw-2")));
        assert_eq!(write(&spare).key.name, "hw-2");
        let named = alone.with(|s| {
            let named = json!({"spec": {"hardwareName": "hw-1", "providerID": "tinkerbell://metal/hw-1"}});
            s.change("TinkerbellMachine", "default/m", named);
        });
        assert_eq!((write(&named).stage, write(&named).key.name.as_str()), (Stage::Reserve, "hw-1"), "consent");
    }
}

#[test]
fn a_name_in_a_spec_never_overrides_what_is_another_machines() {
    let named = |patch: Value| {
        with_hardware(patch).with(|s| {
            let named = json!({"spec": {"hardwareName": "hw-1", "providerID": "tinkerbell://metal/hw-1"}});
            s.change("TinkerbellMachine", "default/m", named);
            other(s);
        })
    };
    for patch in [
        json!({}),
        json!({"metadata": {"annotations": {UID: "other-uid"}}}),
        json!({"metadata": {"labels": {OWNER: "other", OWNER_NAMESPACE: "default"}}}),
        json!({"metadata": {"finalizers": [FINALIZER], "annotations": {UID: "other-uid"}}}),
    ] {
        let scene = named(patch);
        let (reason, message) = wait(&scene);
        assert_eq!(reason, "HardwareTaken");
        assert!(message.contains("default/other"), "who has it: {message}");
        assert_eq!(write(&scene.deleting()).stage, Stage::Finish, "what is another's is not released");
    }
    // The finalizer of a machine that is gone.
    let gone = named(json!({"metadata": {"finalizers": [FINALIZER], "annotations": {UID: "gone"}}})).with(|s| {
        s.remove("TinkerbellMachine", "default/other");
    });
    assert_eq!(wait(&gone).0, "HardwareTaken");
    assert_eq!(write(&gone.deleting()).stage, Stage::Finish);
}

#[test]
fn a_server_of_another_management_cluster_is_neither_taken_nor_released_for_its_name() {
    let theirs = json!({"metadata": {"labels": {OWNER: "m", OWNER_NAMESPACE: "default"}, "finalizers": [FINALIZER],
        "annotations": {UID: "theirs", MARK: "true"}}});
    let scene = with_hardware(theirs).with(|s| s.put("Hardware", hardware("hw-2")));
    assert_eq!((write(&scene).stage, write(&scene).key.name.as_str()), (Stage::Reserve, "hw-2"));
    let alone = scene.clone().with(|s| {
        s.remove("Hardware", "metal/hw-2");
    });
    let (reason, message) = wait(&alone);
    assert_eq!(reason, "NoHardwareAvailable");
    assert!(message.contains("the UID theirs"), "{message}");
    assert_eq!(write(&alone.deleting()).stage, Stage::Finish, "neither switched off nor released");
}

#[test]
fn labels_of_a_machine_that_does_not_exist_are_told_to_whoever_waits_for_the_server() {
    let (reason, message) =
        wait(&with_hardware(json!({"metadata": {"labels": {OWNER: "gone", OWNER_NAMESPACE: "ns"}}})));
    assert_eq!(reason, "NoHardwareAvailable");
    assert!(
        message.contains("metal/hw-1 carries the labels of TinkerbellMachine ns/gone, which does not exist"),
        "{message}"
    );
    let held = with_hardware(json!({"metadata": {"labels": {OWNER: "other", OWNER_NAMESPACE: "default"}}})).with(other);
    assert!(!wait(&held).1.contains("passed over"), "one that is held in good order is no news");
}

#[test]
fn what_go_capt_reserved_bears_no_uid_and_is_ours_by_its_labels_without_a_write() {
    let go = |s: &mut Scene| {
        s.change("Hardware", "metal/hw-1", json!({"metadata": {"annotations": {UID: null}}}));
    };
    assert!(matches!(Scene::new().provisioned().with(go).step(), Step::Done));
    assert_eq!(write(&Scene::new().reserved().with(go)).stage, Stage::Claim);
    // And what it released keeps the UID of a machine that is gone, and is free.
    assert_eq!(write(&with_hardware(json!({"metadata": {"annotations": {UID: "gone"}}}))).stage, Stage::Reserve);
}

#[test]
fn reserving_writes_the_uid_in_the_same_patch_and_takes_the_note_of_the_last_release_off() {
    let body = body(&write(&Scene::new().adopted()));
    assert_eq!(body["metadata"]["annotations"], json!({UID: "m-uid", "capt.tinkerbell.org/released-by": null}));
}

#[test]
fn a_machine_that_was_ready_is_never_installed_again_whatever_became_of_its_hardware() {
    let unmarked = |s: &mut Scene| {
        s.change("Hardware", "metal/hw-1", json!({"metadata": {"annotations": {MARK: null}}}));
    };
    let cases: Vec<(&str, Scene)> = vec![
        ("the mark is gone", ready_then(unmarked)),
        ("the object was replaced", ready_then(blank)),
        (
            "after a move, known by its owner's provider ID",
            ready_then(|s| {
                blank(s);
                s.change("TinkerbellMachine", "default/m", json!({"status": null}));
                s.change(
                    "Machine",
                    "default/owner",
                    json!({"spec": {"providerID": "tinkerbell://metal/hw-1"},
                "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.5"}]}}),
                );
            }),
        ),
        (
            "after a move, known by its Node",
            ready_then(|s| {
                unmarked(s);
                s.change("TinkerbellMachine", "default/m", json!({"status": null}));
                s.change("Machine", "default/owner", json!({"status": {"nodeRef": {"name": "node"}}}));
            }),
        ),
        (
            "by contract v1beta2 alone",
            ready_then(|s| {
                blank(s);
                s.change(
                    "TinkerbellMachine",
                    "default/m",
                    json!({"status": {"ready": null, "initialization": {"provisioned": true}}}),
                );
            }),
        ),
        (
            "by its condition alone",
            ready_then(|s| {
                blank(s);
                let condition = json!({"type": "WorkflowSucceeded", "status": "True", "reason": "Succeeded", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"});
                s.change(
                    "TinkerbellMachine",
                    "default/m",
                    json!({"status": {"ready": null, "conditions": [condition]}}),
                );
            }),
        ),
    ];
    for (case, mut scene) in cases {
        scene.pass.bootstrap = None;
        let first = write(&scene);
        assert_eq!(first.stage, Stage::Reserve, "{case}");
        assert!(body(&first).get("spec").is_none(), "{case}: no bootstrap data");
        let notice = first.notices.first().unwrap();
        assert!(
            notice.warning && notice.reason == "HardwareRestored" && notice.message.contains(MARK),
            "{case}: {notice:?}"
        );
        play(&mut scene);
        assert!(matches!(scene.step(), Step::Done), "{case}: {:?}", scene.step());
        let hardware = &scene.objects[&("Hardware", "metal/hw-1".to_owned())];
        assert_eq!(hardware["metadata"]["labels"][OWNER], "m", "{case}");
        assert_eq!(hardware["metadata"]["annotations"][MARK], "true", "{case}");
        assert_eq!(hardware["metadata"]["annotations"][UID], "m-uid", "{case}");
        assert_eq!(hardware["metadata"]["finalizers"], json!([FINALIZER]), "{case}");
        assert_eq!(
            hardware["spec"]["interfaces"][0]["dhcp"]["ip"]["address"], "10.0.0.5",
            "{case}: its claim holds it"
        );
    }
}

#[test]
fn an_address_that_the_machine_was_not_ready_with_is_told_and_not_written_to_a_blank_hardware() {
    let mut scene = ready_then(|s| {
        blank(s);
        s.change(
            "TinkerbellMachine",
            "default/m",
            json!({"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.77"}]}}),
        );
    });
    assert_eq!(play(&mut scene), [Stage::Reserve]);
    assert!(
        scene.conditions().contains(&"IPAddressClaimsFulfilled: False HardwareAddressConflict".to_owned()),
        "{:?}",
        scene.conditions()
    );
}

#[test]
fn a_machine_that_was_ready_and_knows_no_hardware_takes_none() {
    let lost = Scene::new().adopted().with(|s| {
        s.change("Machine", "default/owner", json!({"status": {"nodeRef": {"name": "node"}}}));
    });
    assert_eq!(wait(&lost).0, "HardwareNotFound");
    let by_owner = lost.with(|s| {
        s.change("Machine", "default/owner", json!({"spec": {"providerID": "tinkerbell://metal/hw-1"}}));
        s.put("Hardware", hardware("aa-0"));
    });
    assert_eq!(write(&by_owner).key.name, "hw-1", "where its owner says that it runs");
}

#[test]
fn a_ready_machine_whose_hardware_is_gone_or_going_is_told_so() {
    let gone = ready_then(|s| {
        s.remove("Hardware", "metal/hw-1");
    });
    let (reason, message) = wait(&gone);
    assert_eq!(reason, "HardwareNotFound");
    assert!(message.contains("metal/hw-1") && message.contains("delete the Machine"), "{message}");
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    for scene in [ready_then(|_| {}), Scene::new().addressed(), Scene::new().booted("RUNNING")] {
        let scene = scene.with(|s| {
            s.change("Hardware", "metal/hw-1", going.clone());
        });
        let (reason, message) = wait(&scene);
        assert_eq!(reason, "HardwareTerminating");
        assert!(message.contains("delete the Machine to release it"), "{message}");
        assert!(scene.conditions().contains(&"HardwareReserved: False HardwareTerminating".to_owned()));
    }
    let ended = Scene::new().booted("SUCCESS").with(|s| {
        s.change("Hardware", "metal/hw-1", going);
    });
    assert_eq!(write(&ended).stage, Stage::Provisioned, "what is installed is marked all the same");
}

#[test]
fn the_hardware_of_a_deleted_machine_is_released_although_somebody_replaced_it_and_only_once() {
    let replaced = ready_then(blank).deleting();
    assert_eq!(write(&replaced).stage, Stage::PowerOff, "the server runs with an address of the pool");
    let mut released = replaced.with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"bmcRef": null}}));
    });
    let release = write(&released);
    assert_eq!(release.stage, Stage::ReleaseHardware);
    let Verb::Json(patch) = release.verb else { panic!("expected a JSON patch") };
    let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
    json_patch::patch(released.objects.get_mut(&("Hardware", "metal/hw-1".to_owned())).unwrap(), &patch).unwrap();
    assert_eq!(write(&released).stage, Stage::ReleaseClaims);
    // From now on it is free for others, although the machine names it to its end.
    let next = released.with(|s| {
        let mut machine = s.objects[&("TinkerbellMachine", "default/m".to_owned())].clone();
        machine["metadata"]["name"] = json!("gone");
        s.put("TinkerbellMachine", machine);
        let fresh = Scene::new().adopted().objects.remove(&("TinkerbellMachine", "default/m".to_owned())).unwrap();
        s.put("TinkerbellMachine", fresh);
    });
    assert_eq!(write(&next).key.to_string(), "metal/hw-1");
}

#[test]
fn a_machine_on_its_way_out_keeps_its_replaced_hardware_from_others_until_it_has_given_it_back() {
    let scene = with_hardware(json!({})).with(|s| {
        other(s);
        s.change(
            "TinkerbellMachine",
            "default/other",
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
        );
    });
    assert_eq!(wait(&scene).0, "NoHardwareAvailable");
    let given_back = scene.with(|s| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"capt.tinkerbell.org/released-by": "other-uid"}}}),
        );
    });
    assert_eq!(write(&given_back).stage, Stage::Reserve);
}

#[test]
fn bootstrap_data_is_put_back_until_the_server_is_provisioned_and_the_secret_is_not_read_for_nothing() {
    let wiped = |s: &mut Scene| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"userData": null}}));
    };
    for state in ["", "RUNNING"] {
        let back = write(&Scene::new().booted(state).with(wiped));
        assert_eq!(body(&back)["spec"]["userData"], "join tinkerbell://metal/hw-1");
        assert!(back.notices.first().unwrap().warning);
    }
    let changed = Scene::new().booted("RUNNING").with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"userData": "theirs"}}));
        s.pass.bootstrap = None;
        s.pass.known_user_data =
            Some(capt_reconciler::observed::tinkerbell::UserData::of("join tinkerbell://metal/hw-1"));
    });
    assert!(matches!(changed.step(), Step::ReadBootstrapData(_)));
    let right = changed.with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"userData": "join tinkerbell://metal/hw-1"}}));
    });
    assert_eq!(wait(&right).0, "WorkflowRunning", "no look at the Secret");
    let secret_gone = Scene::new().booted("RUNNING").with(|s| s.pass.bootstrap = Some(BootstrapSecret::Missing));
    assert_eq!(wait(&secret_gone).0, "WorkflowRunning", "what is there cannot be compared, and is left");
    assert_eq!(wait(&secret_gone.with(wiped)).0, "WaitingForBootstrapData");
    let ended = Scene::new().booted("SUCCESS").with(wiped);
    assert_eq!(write(&ended).stage, Stage::Provisioned, "the server has it already");
    assert!(matches!(Scene::new().provisioned().with(wiped).step(), Step::Done));
}

#[test]
fn two_hardware_with_one_mac_are_told_before_anything_boots_and_passed_over_while_there_is_other() {
    let twin = |s: &mut Scene| {
        let mut twin = hardware("hw-2");
        twin["metadata"]["namespace"] = json!("elsewhere");
        twin["spec"]["interfaces"] =
            json!([{"dhcp": {"mac": "00:00:00:00:00:09"}}, {"dhcp": {"mac": "00:00:00:00:00:01"}}]);
        s.put("Hardware", twin);
    };
    for scene in [Scene::new().adopted(), Scene::new().reserved(), Scene::new().addressed()] {
        let (reason, message) = wait(&scene.with(twin));
        assert_eq!(reason, "MACAddressDuplicate");
        assert!(
            message.contains("metal/hw-1")
                && message.contains("elsewhere/hw-2")
                && message.contains("00:00:00:00:00:01"),
            "{message}"
        );
    }
    let spare = Scene::new().adopted().with(twin).with(|s| s.put("Hardware", hardware("hw-3")));
    assert_eq!(write(&spare).key.name, "hw-3");
    assert!(matches!(Scene::new().provisioned().with(twin).step(), Step::Done), "what runs is left alone");
}

#[test]
fn a_static_address_of_two_hardware_is_told_before_anything_boots() {
    let scene = Scene::new().without_pool().reserved().with(|s| {
        s.set_ip(json!({"address": "192.168.1.5", "netmask": "255.255.255.0"}));
        let key = capt_api::meta::ObjectKey::new("elsewhere", "hw-9");
        s.users = vec![AddressUse { kind: "Hardware", key, role: "address" }];
    });
    let Step::Wait(wait) = scene.step() else { panic!("expected a wait") };
    assert_eq!(wait.reason.as_str(), "AddressDuplicate");
    assert!(wait.message.contains("192.168.1.5") && wait.message.contains("elsewhere/hw-9"), "{}", wait.message);
    assert_eq!(wait.interest.address, Some("192.168.1.5".parse().unwrap()), "woken when it is given up");
}

#[test]
fn a_name_that_no_label_takes_is_told_before_anything_is_touched() {
    let name = "n".repeat(64);
    let mut scene = Scene::new();
    let mut machine = scene.objects[&("TinkerbellMachine", "default/m".to_owned())].clone();
    machine["metadata"]["name"] = json!(name);
    scene.put("TinkerbellMachine", machine);
    let key = capt_api::meta::ObjectKey::new("default", name);
    let settings = std::sync::Arc::new(capt_reconciler::Settings::default());
    let world = capt_reconciler::machine::observe::observe(&scene, &key, &scene.pass, &settings).unwrap();
    let Step::Wait(wait) = crate::scene::decide(&world, now()) else { panic!("expected a wait") };
    assert_eq!((wait.reason.as_str(), wait.expected), ("MachineInvalid", false));
}

#[test]
fn a_failed_installation_is_noted_before_its_workflow_goes_and_such_hardware_comes_last() {
    for (state, words) in [("FAILED", "failed"), ("TIMEOUT", "timed out"), ("RUNNING", "was stopped before it ended")] {
        let scene = Scene::new().booted(state).deleting().with(|s| {
            s.change("Workflow", "metal/m", json!({"spec": {"hardwareRef": "hw-1"}}));
        });
        let note = write(&scene);
        let text = body(&note)["metadata"]["annotations"]["capt.tinkerbell.org/installation-failed"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            text.starts_with("2026-01-01T12:00:00Z ") && text.contains(words) && text.contains("metal/m"),
            "{text}"
        );
        let noted = scene.with(|s| {
            s.change("Hardware", "metal/hw-1", body(&note));
        });
        let next = write(&noted);
        assert_eq!((next.stage, next.kind), (Stage::Stop, Kind::Workflow), "noted once");
    }
    for state in ["", "SUCCESS"] {
        let scene = Scene::new().booted(state).deleting();
        assert_eq!(write(&scene).kind, Kind::Workflow, "nothing went wrong");
    }
    let failed = json!({"metadata": {"labels": {"a": "y"}, "annotations": {"capt.tinkerbell.org/installation-failed": "then and how"}}});
    let two = with_hardware(failed).with(|s| {
        s.put("Hardware", hardware("hw-2"));
        let preferred =
            json!([{"weight": 100, "hardwareAffinityTerm": {"labelSelector": {"matchLabels": {"a": "y"}}}}]);
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"hardwareAffinity": {"preferred": preferred}}}));
    });
    assert_eq!(write(&two).key.name, "hw-2", "no preference outweighs it");
    let alone = write(&two.with(|s| {
        s.remove("Hardware", "metal/hw-2");
    }));
    let notice = alone.notices.first().unwrap();
    assert!(notice.warning && notice.message.contains("then and how"), "{notice:?}");
    let succeeded = Scene::new().booted("SUCCESS").with(|s| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"capt.tinkerbell.org/installation-failed": "x"}}}),
        );
    });
    assert_eq!(
        body(&write(&succeeded))["metadata"]["annotations"],
        json!({MARK: "true", "capt.tinkerbell.org/installation-failed": null})
    );
}

#[test]
fn a_second_machine_that_forges_what_it_can_write_gets_nothing_of_a_running_server() {
    // The owner lost everything on its Hardware; the forger wrote name, provider ID and finalizer.
    let forger = Scene::new().reserved().with(|s| {
        blank(s);
        other(s);
    });
    assert_eq!(wait(&forger).0, "HardwareTaken");
    assert_eq!(write(&forger.deleting()).stage, Stage::Finish);
    // And the owner is not kept from its server by the forger.
    let owner = ready_then(|s| {
        blank(s);
        other(s);
        s.change("TinkerbellMachine", "default/other", json!({"status": null}));
    });
    assert_eq!(write(&owner).stage, Stage::Reserve);
    let data = BootstrapData::new(String::new());
    assert!(!format!("{data:?}").contains("join"));
}
