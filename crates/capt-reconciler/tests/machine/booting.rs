//! Template and Workflow: which text, which boot mode, whose they are, and what their end means.

use capt_reconciler::effect::{Kind, Stage, Verb};
use capt_reconciler::machine::step::Step;
use serde_json::{Value, json};

use crate::scene::{Scene, body, now, report, wait, write};

/// The Template is there, the Workflow is next.
fn templated() -> Scene {
    Scene::new().booted("").with(|s| {
        s.remove("Workflow", "metal/m");
    })
}

fn workflow(boot: Value) -> Value {
    let scene = templated().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"bootOptions": boot}}));
    });
    let write = write(&scene);
    assert_eq!(write.kind, Kind::Workflow);
    body(&write)
}

#[test]
fn a_workflow_names_template_hardware_and_device_and_toggles_netboot() {
    let spec = workflow(Value::Null)["spec"].clone();
    assert_eq!(
        spec,
        json!({"templateRef": "m", "hardwareRef": "hw-1", "hardwareMap": {"device_1": "00:00:00:00:00:01"},
            "bootOptions": {"toggleAllowNetboot": true}})
    );
}

#[test]
fn every_boot_mode_reaches_the_workflow_as_the_user_wrote_it() {
    let options = |boot: Value| workflow(boot)["spec"]["bootOptions"].clone();
    assert_eq!(options(json!({"bootMode": "netboot"})), json!({"toggleAllowNetboot": true, "bootMode": "netboot"}));
    let url = "http://10.0.0.2:7171/iso/hook.iso";
    for mode in ["iso", "isoboot"] {
        assert_eq!(
            options(json!({"bootMode": mode, "isoURL": url})),
            json!({"toggleAllowNetboot": true, "bootMode": mode,
                "isoURL": "http://10.0.0.2:7171/iso/00-00-00-00-00-01/hook.iso"})
        );
    }
    let config = json!({
        "preparingActions": [
            {"powerAction": "off"},
            {"bootDevice": {"device": "pxe", "efiBoot": true, "persistent": false}},
            {"oneTimeBootDeviceAction": {"device": ["pxe"], "efiBoot": false}},
            {"virtualMediaAction": {"kind": "CD", "mediaURL": "http://h/x.iso"}},
        ],
        "postActions": [{"powerAction": "cycle"}],
    });
    assert_eq!(
        options(json!({"bootMode": "customboot", "custombootConfig": config})),
        json!({"toggleAllowNetboot": true, "bootMode": "customboot", "custombootConfig": config}),
        "nothing of the user's actions is lost"
    );
    assert_eq!(options(json!({"isoURL": url})), json!({"toggleAllowNetboot": true}), "no mode, no URL");
}

#[test]
fn without_a_bmc_no_boot_mode_is_asked_for() {
    let url = "http://10.0.0.2:7171/iso/hook.iso";
    for boot in [
        json!({"bootMode": "netboot"}),
        json!({"bootMode": "iso", "isoURL": url}),
        json!({"bootMode": "isoboot"}),
        json!({"bootMode": "customboot", "custombootConfig": {"postActions": [{"powerAction": "on"}]}}),
    ] {
        let scene = templated().with(|s| {
            s.change("TinkerbellMachine", "default/m", json!({"spec": {"bootOptions": boot}}));
            s.change("Hardware", "metal/hw-1", json!({"spec": {"bmcRef": null}}));
        });
        assert_eq!(body(&write(&scene))["spec"]["bootOptions"], json!({"toggleAllowNetboot": true}), "{boot}");
    }
}

#[test]
fn an_iso_boot_without_a_url_is_told_before_any_template_is_made() {
    for mode in ["iso", "isoboot"] {
        let scene = Scene::new().addressed().with(|s| {
            s.change("TinkerbellMachine", "default/m", json!({"spec": {"bootOptions": {"bootMode": mode}}}));
        });
        let (reason, message) = wait(&scene);
        assert_eq!(reason, "TemplateInvalid");
        assert!(message.ends_with("iso boot mode requires an isoURL"), "{message}");
    }
}

#[test]
fn a_boot_mode_of_a_later_release_is_told_and_harms_nothing() {
    let scene = templated().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"bootOptions": {"bootMode": "telepathy"}}}));
    });
    assert!(wait(&scene).1.contains("spec.bootOptions.bootMode"));
}

#[test]
fn what_is_made_for_a_machine_carries_its_labels_always_and_its_owner_only_in_its_own_namespace() {
    let apart = body(&write(&Scene::new().addressed()))["metadata"].clone();
    assert_eq!((&apart["namespace"], &apart["name"]), (&json!("metal"), &json!("m")), "in the Hardware's namespace");
    assert_eq!(apart["labels"]["capt.tinkerbell.org/machine-name"], "m");
    assert_eq!(apart["labels"]["capt.tinkerbell.org/machine-namespace"], "default");
    assert!(apart["ownerReferences"].is_null(), "an owner in another namespace would be garbage to the collector");
    let together = Scene::new().without_pool().reserved().with(|s| {
        s.set_ip(json!({"address": "192.168.1.5", "netmask": "255.255.255.0"}));
        let mut hardware = s.objects.remove(&("Hardware", "metal/hw-1".to_owned())).unwrap();
        hardware["metadata"]["namespace"] = json!("default");
        hardware["spec"]["userData"] = json!("join tinkerbell://default/hw-1");
        s.put("Hardware", hardware);
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"providerID": "tinkerbell://default/hw-1"}}));
    });
    let together = body(&write(&together))["metadata"].clone();
    assert_eq!(together["labels"], apart["labels"]);
    assert_eq!(
        together["ownerReferences"],
        json!([{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine", "name": "m",
            "uid": "m-uid", "controller": true, "blockOwnerDeletion": true}])
    );
}

#[test]
fn the_text_of_the_template_is_the_first_of_five_sources() {
    let text = |scene: &Scene| {
        let write = write(scene);
        assert_eq!(write.kind, Kind::Template);
        body(&write)["spec"]["data"].as_str().unwrap().to_owned()
    };
    let generated = Scene::new().addressed();
    assert!(text(&generated).contains("stream image"), "the generated one comes last");
    let by_cluster_reference = generated.with(|s| {
        s.change("TinkerbellCluster", "default/c", json!({"spec": {"templateOverrideRef": {"name": "shared"}}}));
        s.put("Template", json!({"metadata": {"namespace": "metal", "name": "shared"}, "spec": {"data": "reference"}}));
    });
    assert_eq!(text(&by_cluster_reference), "reference", "in the Hardware's namespace where none is named");
    let elsewhere = by_cluster_reference.clone().with(|s| {
        s.change("TinkerbellCluster", "default/c", json!({"spec": {"templateOverrideRef": {"namespace": "library"}}}));
        s.put("Template", json!({"metadata": {"namespace": "library", "name": "shared"}, "spec": {"data": "library"}}));
    });
    assert_eq!(text(&elsewhere), "library");
    let by_cluster = elsewhere.with(|s| {
        s.change("TinkerbellCluster", "default/c", json!({"spec": {"templateOverride": "cluster"}}));
    });
    assert_eq!(text(&by_cluster), "cluster");
    let by_hardware = by_cluster.with(|s| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"hardware.tinkerbell.org/capt-template-override": "own"}}}),
        );
        s.put("Template", json!({"metadata": {"namespace": "metal", "name": "own"}, "spec": {"data": "hardware"}}));
    });
    assert_eq!(text(&by_hardware), "hardware");
    let by_machine = by_hardware.with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"templateOverride": "machine"}}));
    });
    assert_eq!(text(&by_machine), "machine");
}

#[test]
fn an_empty_template_annotation_names_no_template() {
    let scene = Scene::new().addressed().with(|s| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"hardware.tinkerbell.org/capt-template-override": ""}}}),
        );
    });
    assert_eq!(write(&scene).kind, Kind::Template, "the next source counts");
}

#[test]
fn a_template_without_text_is_told_in_the_same_words_for_every_kind_of_reference() {
    let by_cluster = Scene::new().addressed().with(|s| {
        s.change("TinkerbellCluster", "default/c", json!({"spec": {"templateOverrideRef": {"name": "shared"}}}));
    });
    let by_hardware = Scene::new().addressed().with(|s| {
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"hardware.tinkerbell.org/capt-template-override": "shared"}}}),
        );
    });
    for (scene, words) in [
        (by_cluster, "template referenced by cluster TemplateOverrideRef has no spec.data"),
        (
            by_hardware,
            "template referenced by Hardware annotation hardware.tinkerbell.org/capt-template-override has no spec.data",
        ),
    ] {
        let Step::Wait(missing) = scene.step() else { panic!("expected a wait") };
        assert!(missing.message.ends_with("does not exist"), "{}", missing.message);
        assert_eq!(missing.interest.template.as_ref().unwrap().to_string(), "metal/shared", "woken when it is made");
        for spec in [json!({}), json!({"data": ""})] {
            let empty = scene.clone().with(|s| {
                s.put("Template", json!({"metadata": {"namespace": "metal", "name": "shared"}, "spec": spec}));
            });
            let (reason, message) = wait(&empty);
            assert_eq!(reason, "TemplateInvalid");
            assert!(message.ends_with(words) && message.contains("metal/shared"), "{message}");
        }
    }
}

#[test]
fn a_template_is_never_written_again_once_it_is_there() {
    let scene = templated().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"templateOverride": "changed"}}));
    });
    assert_eq!(write(&scene).kind, Kind::Workflow);
}

#[test]
fn an_end_that_is_not_good_is_told_in_the_words_of_go_capt_with_name_and_state_and_waits_for_a_change() {
    for (state, reason, words) in [
        ("FAILED", "WorkflowFailed", "workflow failed"),
        ("STATE_FAILED", "WorkflowFailed", "workflow failed"),
        ("TIMEOUT", "WorkflowTimedOut", "workflow timed out"),
        ("STATE_TIMEOUT", "WorkflowTimedOut", "workflow timed out"),
    ] {
        let scene = Scene::new().booted(state);
        let Step::Wait(wait) = scene.step() else { panic!("expected a wait") };
        assert_eq!((wait.reason.as_str(), wait.requeue), (reason, None), "no retry by the clock");
        assert!(!wait.expected, "worth an event");
        assert!(wait.message.starts_with(words), "{}", wait.message);
        assert!(wait.message.contains("metal/m") && wait.message.contains(state), "{}", wait.message);
        assert!(scene.conditions().contains(&format!("Ready: False {reason}")), "the summary says it too");
    }
}

#[test]
fn the_mark_of_a_provisioned_server_does_not_fail_because_tinkerbell_wrote_just_before() {
    let Verb::Json(mark) = write(&Scene::new().booted("SUCCESS")).verb else { panic!("expected a JSON patch") };
    assert!(!mark.to_string().contains("resourceVersion"), "{mark}");
    let tested = mark.as_array().unwrap().iter().filter(|operation| operation["op"] == "test");
    let tested: Vec<_> = tested.map(|operation| (operation["path"].clone(), operation["value"].clone())).collect();
    let expected = [
        ("/metadata/uid", "hw-1-uid"),
        ("/metadata/labels/v1alpha1.tinkerbell.org~1ownerName", "m"),
        ("/metadata/labels/v1alpha1.tinkerbell.org~1ownerNamespace", "default"),
    ];
    assert_eq!(tested, expected.map(|(path, value)| (json!(path), json!(value))), "the server is still ours");
}

#[test]
fn success_by_its_old_name_counts_and_a_state_nobody_knows_is_waited_for() {
    for state in ["SUCCESS", "STATE_SUCCESS"] {
        assert_eq!(write(&Scene::new().booted(state)).stage, Stage::Provisioned);
    }
    for state in ["STATE_PREPARING", "STATE_POST", "HIBERNATING", "success"] {
        let (reason, _) = wait(&Scene::new().booted(state));
        assert!(["WorkflowPending", "WorkflowRunning"].contains(&reason), "{state}: {reason}");
    }
}

#[test]
fn a_workflow_that_somebody_deleted_is_made_anew() {
    let scene = Scene::new().booted("FAILED").with(|s| {
        s.remove("Workflow", "metal/m");
    });
    let again = write(&scene);
    assert!(again.kind == Kind::Workflow && matches!(again.verb, Verb::Create(_)));
    assert_eq!(again.notices.first().unwrap().reason, "WorkflowCreated");
}

#[test]
fn after_a_move_a_provisioned_server_is_never_imaged_again() {
    // Status, Template and Workflow do not move; the Hardware's labels and annotation do.
    let moved = Scene::new().provisioned().without_pool().with(|s| {
        s.remove("Workflow", "metal/m").remove("Template", "metal/m");
    });
    assert!(matches!(moved.step(), Step::Done));
    let status = report(&moved.world(), &moved.step(), now());
    assert!(status.ready && status.initialization.unwrap().provisioned == Some(true));
    assert_eq!((status.instance_status, status.target_namespace.as_str()), (Some(4), "metal"));
    assert!(moved.conditions().contains(&"WorkflowSucceeded: True AlreadyProvisioned".to_owned()));
}

#[test]
fn hardware_that_was_provisioned_before_is_used_as_it_is_by_a_machine_that_names_it() {
    let scene = Scene::new().adopted().without_pool().with(|s| {
        let names = json!({"spec": {"hardwareName": "hw-1", "providerID": "tinkerbell://metal/hw-1"}});
        s.change("TinkerbellMachine", "default/m", names);
        s.change(
            "Hardware",
            "metal/hw-1",
            json!({"metadata": {"annotations": {"v1alpha1.tinkerbell.org/provisioned": "true"}},
            "spec": {"disks": null, "metadata": null}}),
        );
        s.set_ip(json!({"address": "192.168.1.5", "netmask": "255.255.255.0"}));
    });
    assert_eq!(write(&scene).stage, Stage::Reserve, "what only an installation needs may be missing");
    let reserved = scene.reserved();
    assert!(matches!(reserved.step(), Step::Done), "no Template, no Workflow");
}

#[test]
fn the_state_of_the_workflow_is_written_as_a_number() {
    for (state, number) in
        [("", 0), ("PENDING", 0), ("RUNNING", 1), ("FAILED", 2), ("STATE_TIMEOUT", 3), ("SUCCESS", 4)]
    {
        let scene = Scene::new().booted(state);
        assert_eq!(report(&scene.world(), &scene.step(), now()).instance_status, Some(number), "{state}");
    }
    let none = Scene::new();
    assert_eq!(report(&none.world(), &none.step(), now()).instance_status, None);
}
