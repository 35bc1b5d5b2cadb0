//! The stages of a machine, their order, and the waits of all that is not an address.

use capt_reconciler::effect::{Hold, Kind, Stage, Verb};
use capt_reconciler::machine::step::Step;
use capt_reconciler::ports::BootstrapSecret;
use serde_json::{Value, json};

use crate::scene::{Scene, body, hardware, wait, write};

#[test]
fn a_life_goes_through_its_stages_in_order_and_in_no_other() {
    let stages: Vec<(Scene, Stage)> = vec![
        (Scene::new(), Stage::Adopt),
        (Scene::new().adopted(), Stage::Reserve),
        (Scene::new().reserved().with(|s| { s.change("TinkerbellMachine", "default/m", json!({"spec": {"hardwareName": null, "providerID": null}})); }), Stage::Record),
        (Scene::new().reserved(), Stage::Claim),
        (Scene::new().fulfilled(), Stage::Address),
        (Scene::new().addressed(), Stage::Boot),
        (Scene::new().addressed().with(|s| { let labels = json!({"capt.tinkerbell.org/machine-name": "m", "capt.tinkerbell.org/machine-namespace": "default"}); s.put("Template", json!({"metadata": {"namespace": "metal", "name": "m", "labels": labels}})); }), Stage::Boot),
        (Scene::new().booted("SUCCESS"), Stage::Provisioned),
    ];
    for (scene, stage) in stages {
        assert_eq!(write(&scene).stage, stage);
    }
    assert!(matches!(Scene::new().provisioned().step(), Step::Done));
}

#[test]
fn without_a_pool_no_claim_is_ever_made_and_the_manual_address_is_used() {
    let manual = |s: &mut Scene| {
        s.set_ip(json!({"address": "192.168.1.5", "netmask": "255.255.255.0"}));
    };
    let scene = Scene::new().without_pool().reserved().with(manual);
    assert_eq!(write(&scene).stage, Stage::Boot);
    let done = scene.with(|s| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"v1alpha1.tinkerbell.org/provisioned": "true"}}}),
        );
    });
    assert!(matches!(done.step(), Step::Done));
    assert!(!done.conditions().iter().any(|c| c.starts_with("IPAddressClaimsFulfilled")), "absent without a pool");
}

#[test]
fn reserving_is_one_write_that_holds_only_for_the_hardware_as_we_know_it() {
    let reserve = write(&Scene::new().adopted());
    assert_eq!(reserve.hold, Some(Hold::Hardware), "kept from other machines before the write goes out");
    let body = body(&reserve);
    assert_eq!(body["metadata"]["resourceVersion"], "3");
    assert_eq!(body["metadata"]["labels"]["v1alpha1.tinkerbell.org/ownerName"], "m");
    assert_eq!(body["metadata"]["labels"]["v1alpha1.tinkerbell.org/ownerNamespace"], "default");
    assert_eq!(body["metadata"]["finalizers"], json!(["infrastructure.cluster.x-k8s.io/tinkerbellmachine"]));
    assert_eq!(body["spec"]["userData"], "join tinkerbell://metal/hw-1", "every PROVIDER_ID is replaced");
}

#[test]
fn bootstrap_data_never_shows_itself_in_debug_output() {
    let mut scene = Scene::new().adopted();
    let text = format!("{:?} {:?} {:?}", scene.step(), scene.pass, scene.world());
    assert!(!text.contains("join"), "{text}");
    scene.pass.bootstrap = None;
    assert!(matches!(scene.step(), Step::ReadBootstrapData(key) if key.to_string() == "default/boot"));
}

#[test]
fn every_gate_before_the_first_write_waits_with_its_own_reason() {
    let cases: Vec<(&str, Box<dyn Fn(&mut Scene)>)> = vec![
        (
            "WaitingForOwnerMachine",
            Box::new(|s| {
                s.remove("Machine", "default/owner");
            }),
        ),
        (
            "WaitingForOwnerMachine",
            Box::new(|s| {
                s.change("Machine", "default/owner", json!({"metadata": {"uid": "another"}}));
            }),
        ),
        (
            "WaitingForCluster",
            Box::new(|s| {
                s.remove("Cluster", "default/c");
            }),
        ),
        (
            "WaitingForClusterInfrastructure",
            Box::new(|s| {
                s.remove("TinkerbellCluster", "default/c");
            }),
        ),
        (
            "WaitingForClusterInfrastructure",
            Box::new(|s| {
                s.change("TinkerbellCluster", "default/c", json!({"status": {"ready": false}}));
            }),
        ),
        (
            "WaitingForBootstrapData",
            Box::new(|s| {
                s.change("Machine", "default/owner", json!({"spec": {"bootstrap": {"dataSecretName": null}}}));
            }),
        ),
        (
            "MachineInvalid",
            Box::new(|s| {
                s.change("Machine", "default/owner", json!({"spec": {"version": null}}));
            }),
        ),
    ];
    for (reason, change) in cases {
        assert_eq!(wait(&Scene::new().with(change)).0, reason);
    }
}

#[test]
fn a_bootstrap_secret_that_holds_nothing_usable_stops_before_any_hardware_is_written() {
    for (secret, reason, words) in [
        (BootstrapSecret::Missing, "WaitingForBootstrapData", "default/boot"),
        (BootstrapSecret::KeyMissing, "BootstrapDataInvalid", "retrieving bootstrap data: secret value key is missing"),
        (BootstrapSecret::Empty, "BootstrapDataInvalid", "received bootstrap user data is empty"),
    ] {
        let found = wait(&Scene::new().adopted().with(|s| s.pass.bootstrap = Some(secret)));
        assert_eq!(found.0, reason);
        assert!(found.1.contains(words), "{}", found.1);
    }
}

#[test]
fn hardware_that_cannot_be_used_is_told_with_the_missing_field_before_anything_is_written_to_it() {
    let cases = [
        (json!({"spec": {"disks": null}}), "disk configuration is required"),
        (json!({"spec": {"metadata": null}}), "spec.metadata.instance"),
        (json!({"spec": {"metadata": {"instance": null}}}), "spec.metadata.instance"),
        (json!({"spec": {"interfaces": null}}), "hardware has no interfaces defined"),
        (json!({"spec": {"interfaces": [{}]}}), "hardware's first interface has no DHCP address defined"),
        (json!({"spec": {"interfaces": [{"dhcp": {}}]}}), "spec.interfaces[0].dhcp.mac"),
    ];
    for (change, words) in cases {
        let scene = Scene::new().adopted().with(|s| {
            s.change("Hardware", "metal/hw-1", change);
        });
        let (reason, message) = wait(&scene);
        assert_eq!(reason, "HardwareUnfit");
        assert!(message.contains(words) && message.contains("metal/hw-1"), "{message}");
    }
    let (reason, message) = wait(&Scene::new().without_pool().adopted());
    assert_eq!(reason, "HardwareUnfit");
    assert!(message.contains("hardware's first interface has no DHCP IP address defined"), "{message}");
}

#[test]
fn unfit_hardware_is_passed_over_while_there_is_other() {
    let scene = Scene::new().adopted().with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"disks": null}}));
        s.put("Hardware", hardware("hw-2"));
    });
    assert_eq!(write(&scene).key.name, "hw-2");
}

#[test]
fn all_matching_weights_are_summed_and_ties_go_by_namespace_and_name() {
    let preferred = |weight: i32, key: &str| json!({"weight": weight, "hardwareAffinityTerm": {"labelSelector": {"matchLabels": {key: "y"}}}});
    let scene = Scene::new().adopted().with(|s| {
        for (name, labels) in [("hw-1", json!({"a": "y"})), ("hw-2", json!({"b": "y", "c": "y"})), ("hw-3", json!({"b": "y", "c": "y"}))] {
            s.put("Hardware", hardware(name));
            s.change("Hardware", &format!("metal/{name}"), json!({"metadata": {"labels": labels}}));
        }
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"hardwareAffinity": {"preferred": [preferred(50, "a"), preferred(30, "b"), preferred(30, "c")]}}}));
    });
    assert_eq!(write(&scene).key.name, "hw-2", "30 + 30 beats 50; hw-2 comes before hw-3");
}

#[test]
fn any_required_term_is_enough_and_none_means_all() {
    let term = |value: &str| json!({"labelSelector": {"matchLabels": {"type": value}}});
    let scene = Scene::new().adopted().with(|s| {
        s.put("Hardware", hardware("hw-2"));
        s.change("Hardware", "metal/hw-2", json!({"metadata": {"labels": {"type": "worker"}}}));
        s.change(
            "TinkerbellMachine",
            "default/m",
            json!({"spec": {"hardwareAffinity": {"required": [term("other"), term("worker")]}}}),
        );
    });
    assert_eq!(write(&scene).key.name, "hw-2");
    let none = scene.with(|s| {
        s.remove("Hardware", "metal/hw-2");
    });
    let (reason, message) = wait(&none);
    assert_eq!(reason, "NoHardwareAvailable");
    assert!(message.starts_with("no hardware available"), "{message}");
}

#[test]
fn a_selector_that_makes_no_sense_is_told_on_the_machine() {
    let scene = Scene::new().adopted().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"hardwareAffinity": {"required": [{"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}]}}}));
    });
    let (reason, message) = wait(&scene);
    assert_eq!(reason, "MachineInvalid");
    assert!(message.contains("spec.hardwareAffinity.required[0]"), "{message}");
}

#[test]
fn once_the_spec_names_hardware_no_other_is_ever_considered() {
    let stripped = |labels: Value| {
        Scene::new().reserved().with(|s| {
            s.change("Hardware", "metal/hw-1", json!({"metadata": {"labels": labels}}));
            s.put("Hardware", hardware("hw-2"));
        })
    };
    let free =
        stripped(json!({"v1alpha1.tinkerbell.org/ownerName": null, "v1alpha1.tinkerbell.org/ownerNamespace": null}));
    let again = write(&free);
    assert_eq!((again.stage, again.key.name.as_str()), (Stage::Reserve, "hw-1"), "labelled again");
    let taken = stripped(json!({"v1alpha1.tinkerbell.org/ownerName": "other"}));
    assert_eq!(wait(&taken).0, "HardwareTaken");
    let gone = Scene::new().reserved().with(|s| {
        s.remove("Hardware", "metal/hw-1");
        s.put("Hardware", hardware("hw-2"));
    });
    assert_eq!(wait(&gone).0, "HardwareNotFound");
}

#[test]
fn terminating_hardware_is_never_taken() {
    let scene = Scene::new().adopted().with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}));
    });
    assert_eq!(wait(&scene).0, "NoHardwareAvailable");
}

#[test]
fn every_state_of_a_workflow_is_told_the_old_names_included() {
    for (state, reason) in [
        ("", "WorkflowPending"),
        ("PREPARING", "WorkflowPending"),
        ("PENDING", "WorkflowPending"),
        ("STATE_PENDING", "WorkflowPending"),
        ("RUNNING", "WorkflowRunning"),
        ("POST", "WorkflowRunning"),
        ("STATE_RUNNING", "WorkflowRunning"),
        ("FAILED", "WorkflowFailed"),
        ("STATE_FAILED", "WorkflowFailed"),
        ("TIMEOUT", "WorkflowTimedOut"),
        ("STATE_TIMEOUT", "WorkflowTimedOut"),
    ] {
        let scene = Scene::new().booted(state);
        let (found, message) = wait(&scene);
        assert_eq!(found, reason, "{state}");
        assert!(message.contains("metal/m"), "{message}");
        assert!(scene.conditions().contains(&format!("WorkflowSucceeded: False {reason}")));
    }
}

#[test]
fn templates_that_cannot_be_used_are_told_with_the_name_of_the_template() {
    let annotated = |s: &mut Scene| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"hardware.tinkerbell.org/capt-template-override": "mine"}}}),
        );
    };
    let missing = Scene::new().addressed().with(annotated);
    assert!(wait(&missing).1.contains("metal/mine"));
    let empty = missing.with(|s| s.put("Template", json!({"metadata": {"namespace": "metal", "name": "mine"}})));
    assert_eq!(wait(&empty).0, "TemplateInvalid");
    assert!(wait(&empty).1.ends_with("has no spec.data"));
    let good = empty.with(|s| {
        s.change("Template", "metal/mine", json!({"spec": {"data": "text"}}));
    });
    assert_eq!(body(&write(&good))["spec"]["data"], "text");
    let first = good.with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"templateOverride": "own"}}));
    });
    assert_eq!(body(&write(&first))["spec"]["data"], "own", "the machine's own text comes first");
}

#[test]
fn a_workflow_of_somebody_else_is_left_alone_and_one_of_an_earlier_machine_goes() {
    let foreign = Scene::new().booted("SUCCESS").with(|s| {
        s.change("Workflow", "metal/m", json!({"metadata": {"labels": null, "annotations": null}}));
    });
    let made = write(&foreign);
    assert_eq!((made.kind, made.key.to_string().as_str()), (Kind::Workflow, "metal/m-muid"), "a name of its own");
    assert_eq!(body(&made)["spec"]["templateRef"], "m", "the Template is this machine's");
    let both = foreign.with(|s| {
        s.put("Workflow", json!({"metadata": {"namespace": "metal", "name": "m-muid", "uid": "x"}, "spec": {}}));
    });
    assert_eq!(wait(&both).0, "WorkflowConflict");
    let namesake = Scene::new().booted("SUCCESS").with(|s| {
        s.change(
            "Workflow",
            "metal/m",
            json!({"metadata": {"annotations": {"capt.tinkerbell.org/machine-uid": "other"}}}),
        );
    });
    assert_eq!(write(&namesake).key.to_string(), "metal/m-muid", "a machine of this name in another cluster may live");
    let stale = Scene::new().booted("SUCCESS").with(|s| {
        s.change(
            "Workflow",
            "metal/m",
            json!({"metadata": {"annotations": {"capt.tinkerbell.org/machine-uid": "dead"}}, "spec": {"hardwareRef": "hw-1"}}),
        );
    });
    let delete = write(&stale);
    assert_eq!(delete.verb, Verb::Delete { uid: "wf-uid".to_owned() }, "its SUCCESS is not ours");
}

#[test]
fn a_pause_stops_everything_deletion_included() {
    for scene in [Scene::new(), Scene::new().provisioned().deleting()] {
        let by_spec = scene.clone().with(|s| {
            s.change("Cluster", "default/c", json!({"spec": {"paused": true}}));
        });
        let by_cluster = scene.clone().with(|s| {
            s.change("Cluster", "default/c", json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}));
        });
        let by_machine = scene.with(|s| {
            s.change(
                "TinkerbellMachine",
                "default/m",
                json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": "any"}}}),
            );
        });
        for paused in [by_spec, by_cluster, by_machine] {
            assert!(matches!(paused.step(), Step::Paused));
            assert!(paused.conditions().contains(&"Paused: True Paused".to_owned()));
        }
    }
}
