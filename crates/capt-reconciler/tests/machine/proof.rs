//! What proves that a server is off, and what is told and done where nothing can.

use capt_api::conditions::Reason;
use capt_reconciler::effect::{Kind, Stage, Verb, Write};
use capt_reconciler::machine::step::Step;
use capt_reconciler::ports::{BmcState, BmcView};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::scene::{self, Scene, body, now, wait, write};

/// Deleted, with no Workflow and no Template left.
fn stopped() -> Scene {
    Scene::new().provisioned().deleting().with(|s| {
        s.remove("Workflow", "metal/m").remove("Template", "metal/m");
    })
}

/// Deleted while its Workflow is PREPARING: it is booted through the BMC.
fn preparing() -> Scene {
    Scene::new().booted("PREPARING").deleting().with(|s| {
        s.change("TinkerbellMachine", "default/m", json!({"spec": {"bootOptions": {"bootMode": "netboot"}}}));
        s.change(
            "Workflow",
            "metal/m",
            json!({"spec": {"hardwareRef": "hw-1", "bootOptions": {"bootMode": "netboot"}}}),
        );
    })
}

fn ago(seconds: i64) -> String {
    (now() - SignedDuration::from_secs(seconds)).to_string()
}

fn conditions(type_: &str) -> Value {
    json!({"conditions": [{"type": "Running", "status": "True"}, {"type": type_, "status": "True", "message": "their words"}]})
}

fn power_off(name: &str, version: u64, seconds: i64, status: Value) -> Value {
    json!({"metadata": {"namespace": "metal", "name": name, "uid": format!("{name}-uid"), "resourceVersion": version.to_string(),
            "creationTimestamp": ago(seconds), "annotations": {"capt.tinkerbell.org/machine-uid": "m-uid"},
            "labels": {"capt.tinkerbell.org/machine-name": "m", "capt.tinkerbell.org/machine-namespace": "default"}},
        "spec": {"machineRef": {"name": "bmc-hw-1", "namespace": "metal"}, "tasks": [{"powerAction": "off"}]}, "status": status})
}

/// tink-controller's boot Job.
fn boot_job(version: u64, seconds: i64, status: Value) -> Value {
    json!({"metadata": {"namespace": "metal", "name": "netboot-m", "uid": "boot-uid", "resourceVersion": version.to_string(),
            "creationTimestamp": ago(seconds), "labels": {"tink-controller-auto-created": "true"},
            "ownerReferences": [{"apiVersion": "tinkerbell.org/v1alpha1", "kind": "Workflow", "name": "m", "uid": "wf-uid", "controller": true}]},
        "spec": {"machineRef": {"name": "bmc-hw-1", "namespace": "metal"},
            "tasks": [{"powerAction": "off"}, {"oneTimeBootDeviceAction": {"device": ["pxe"]}}, {"powerAction": "on"}]}, "status": status})
}

fn is_release(write: &Write) -> bool {
    write.stage == Stage::ReleaseHardware
}

#[test]
fn a_boot_job_under_way_ends_before_its_workflow_is_deleted() {
    let waits = preparing().with(|s| s.put("Job", boot_job(40, 2, conditions("Running"))));
    let (reason, message) = wait(&waits);
    assert_eq!(reason, "StoppingWorkflow");
    assert!(message.contains("metal/netboot-m"), "{message}");
    let ended = preparing().with(|s| s.put("Job", boot_job(40, 2, conditions("Completed"))));
    assert_eq!(write(&ended).kind, Kind::Workflow);
    // rufio says nothing of a Job whose BMC Machine does not exist: that one never ends.
    let hopeless = preparing().with(|s| s.put("Job", boot_job(40, 20, Value::Null)));
    assert_eq!(write(&hopeless).kind, Kind::Workflow);
}

#[test]
fn a_boot_job_that_outlives_its_workflow_is_waited_for_before_the_server_is_switched_off() {
    let gone = preparing().with(|s| {
        s.remove("Workflow", "metal/m").remove("Template", "metal/m");
        s.put("Job", boot_job(40, 2, conditions("Running")));
    });
    assert_eq!(wait(&gone).0, "StoppingWorkflow");
    let never_began = gone.with(|s| s.put("Job", boot_job(40, 61, Value::Null)));
    assert_eq!(write(&never_began).verb, Verb::Delete { uid: "boot-uid".to_owned() });
}

#[test]
fn a_boot_job_that_tinkerbell_makes_shortly_after_the_workflow_is_gone_does_not_overtake_the_power_off() {
    let gone = || {
        preparing().with(|s| {
            s.remove("Workflow", "metal/m").remove("Template", "metal/m");
        })
    };
    let Step::Wait(wait) = gone().step() else { panic!("nobody knows when the Workflow went") };
    assert_eq!((wait.reason.as_str(), wait.requeue.unwrap().as_secs()), ("StoppingWorkflow", 15));
    let hardware = capt_api::meta::ObjectKey::new("metal", "hw-1");
    let stirred = |seconds: i64| -> Timestamp { now() - SignedDuration::from_secs(seconds) };
    let still = gone().with(|s| {
        s.pass.memory.uid = "m-uid".to_owned();
        s.pass.memory.stirred.insert(hardware, stirred(15));
    });
    assert_eq!(write(&still).kind, Kind::Job);
    // A machine that was ready has no boot Job on its way.
    assert_eq!(write(&stopped()).kind, Kind::Job);
}

#[test]
fn a_power_off_made_before_the_workflow_was_heard_of_is_no_proof_until_tinkerbell_has_forgotten_the_workflow() {
    let hardware = capt_api::meta::ObjectKey::new("metal", "hw-1");
    let stirred = |seconds: i64| {
        preparing().with(|s| {
            s.remove("Workflow", "metal/m").remove("Template", "metal/m");
            s.put("Job", power_off("m-poweroff-1", 60, 40, conditions("Completed")));
            s.pass.memory.uid = "m-uid".to_owned();
            s.pass.memory.stirred.insert(hardware.clone(), now() - SignedDuration::from_secs(seconds));
        })
    };
    assert_eq!(wait(&stirred(3)).0, "StoppingWorkflow");
    assert!(is_release(&write(&stirred(15))));
}

#[test]
fn a_server_that_may_yet_be_booted_is_not_given_up_on_the_word_of_a_watch_that_may_be_behind() {
    let proven = |scene: Scene| {
        scene.with(|s| {
            s.remove("Workflow", "metal/m").remove("Template", "metal/m");
            s.put("Job", power_off("m-poweroff-1", 60, 40, conditions("Completed")));
            s.pass.memory.uid = "m-uid".to_owned();
            let hardware = capt_api::meta::ObjectKey::new("metal", "hw-1");
            s.pass.memory.stirred.insert(hardware, now() - SignedDuration::from_secs(15));
        })
    };
    let (step, looks) = proven(preparing()).step_and_looks();
    assert!(matches!(step, Step::Do(write) if is_release(&write)));
    let asked = |what: &str| looks.iter().any(|look| look == what);
    assert!(asked("Workflow metal/m") && asked("Job metal/netboot-m"), "{looks:?}");
    assert_eq!(looks.len(), 4, "and both under the name with a part of the UID: {looks:?}");
    // Nothing boots the server of a machine that was ready: it costs no question.
    let ready = Scene::new().provisioned().deleting();
    assert_eq!(proven(ready).step_and_looks().1, Vec::<String>::new());
}

#[test]
fn a_server_is_asked_for_what_may_boot_it_before_it_is_switched_off_too() {
    let hardware = capt_api::meta::ObjectKey::new("metal", "hw-1");
    let still = preparing().with(|s| {
        s.remove("Workflow", "metal/m").remove("Template", "metal/m");
        s.pass.memory.uid = "m-uid".to_owned();
        s.pass.memory.stirred.insert(hardware, now() - SignedDuration::from_secs(15));
    });
    let (step, looks) = still.step_and_looks();
    assert!(matches!(step, Step::Do(write) if write.kind == Kind::Job), "switched off");
    assert_eq!(looks.len(), 4, "{looks:?}");
}

#[test]
fn a_power_off_made_before_its_workflow_was_heard_of_is_taken_back_with_the_workflow() {
    let scene = preparing().with(|s| s.put("Job", power_off("m-poweroff-1", 60, 40, conditions("Completed"))));
    let first = write(&scene);
    assert_eq!((first.kind, first.key.name.as_str()), (Kind::Job, "m-poweroff-1"));
    assert!(matches!(first.verb, Verb::Delete { .. }));
    let second = write(&scene.with(|s| {
        s.remove("Job", "metal/m-poweroff-1");
    }));
    assert_eq!(second.kind, Kind::Workflow);
}

#[test]
fn a_power_off_is_no_proof_if_a_job_that_switches_on_did_anything_since() {
    let seen = |version: &str| {
        stopped().with(|s| {
            let mut off = power_off("m-poweroff-1", 60, 5, conditions("Completed"));
            off["metadata"]["annotations"]["capt.tinkerbell.org/other-jobs-seen"] = json!(version);
            s.put("Job", off);
            s.put("Job", boot_job(70, 4, conditions("Completed")));
        })
    };
    let again = write(&seen("40"));
    let Verb::Create(job) = &again.verb else { panic!("the server is on: {again:?}") };
    assert_eq!(job["metadata"]["annotations"]["capt.tinkerbell.org/other-jobs-seen"], "70");
    assert!(is_release(&write(&seen("70"))), "it had ended before");
}

#[test]
fn each_of_two_hardware_of_one_machine_in_two_namespaces_is_proven_for_itself() {
    let both = stopped().with(|s| {
        let mut second = scene::hardware("hw-2");
        second["metadata"]["namespace"] = json!("other");
        second["metadata"]["labels"] =
            json!({"v1alpha1.tinkerbell.org/ownerName": "m", "v1alpha1.tinkerbell.org/ownerNamespace": "default"});
        s.put("Hardware", second);
        s.put("Job", power_off("m-poweroff-1", 60, 5, conditions("Completed")));
    });
    let first = write(&both);
    assert_eq!((first.stage, first.key.to_string().as_str()), (Stage::ReleaseHardware, "metal/hw-1"));
    let second = write(&both.with(|s| s.put("Hardware", scene::hardware("hw-1"))));
    assert_eq!((second.kind, second.key.namespace.as_str()), (Kind::Job, "other"), "not proven by the first one's Job");
    assert_eq!(body(&second)["spec"]["machineRef"], json!({"name": "bmc-hw-2", "namespace": "other"}));
}

#[test]
fn the_job_of_a_living_namesake_is_neither_proof_nor_deleted() {
    let namesake = stopped().with(|s| {
        let mut job = power_off("m-poweroff-9", 60, 5, conditions("Completed"));
        job["metadata"]["labels"]["capt.tinkerbell.org/machine-namespace"] = json!("tenant-b");
        job["metadata"]["annotations"]["capt.tinkerbell.org/machine-uid"] = json!("b-uid");
        s.put("Job", job);
    });
    assert!(matches!(write(&namesake).verb, Verb::Create(_)));
    let released = namesake.with(|s| s.put("Hardware", scene::hardware("hw-1")));
    assert_eq!(write(&released).stage, Stage::ReleaseClaims, "not cleaned up with ours");
}

#[test]
fn a_lost_answer_asks_for_the_same_job_again_and_a_used_name_never_comes_back() {
    let scene = stopped();
    let first = write(&scene).key;
    let lost = scene.clone().with(|s| {
        s.pass.memory.uid = "m-uid".to_owned();
        s.pass
            .memory
            .unconfirmed_jobs
            .insert(capt_api::meta::ObjectKey::new("metal", "hw-1"), "m-poweroff-x".to_owned());
    });
    assert_eq!(write(&lost).key.name, "m-poweroff-x");
    let used = scene.with(|s| {
        s.pass.memory.uid = "m-uid".to_owned();
        s.pass.memory.confirmed = 1;
    });
    assert_ne!(write(&used).key, first);
}

#[test]
fn a_server_that_is_off_although_its_bmc_calls_that_an_error_is_released_on_a_fresh_look_only() {
    let failed = |view: Option<BmcState>| {
        stopped().with(|s| {
            s.put("Job", power_off("m-poweroff-1", 60, 2, conditions("Failed")));
            s.pass.bmc = view.map(BmcView::Found);
        })
    };
    assert!(matches!(failed(None).step(), Step::AskBmc(question) if question.anew));
    let state = |power: &str, since: i64| BmcState {
        power_state: power.to_owned(),
        contactable: Some(true),
        contactable_since: Some(now() - SignedDuration::from_secs(since)),
        ..BmcState::default()
    };
    let asked = |scene: Scene, job: &str| {
        scene.with(|s| {
            s.pass.memory.uid = "m-uid".to_owned();
            s.pass.memory.asked.insert(capt_api::meta::ObjectKey::new("metal", "hw-1"), job.to_owned());
        })
    };
    assert_eq!(wait(&failed(Some(state("off", 100)))).0, "PowerOffFailed", "read before the server was switched on");
    for (power, job) in [("off", "m-poweroff-0"), ("unknown", "m-poweroff-1"), ("on", "m-poweroff-1")] {
        assert_eq!(wait(&asked(failed(Some(state(power, 100))), job)).0, "PowerOffFailed", "{power} {job}");
    }
    assert!(
        matches!(asked(failed(None), "m-poweroff-1").step(), Step::AskBmc(question) if !question.anew),
        "asked once"
    );
    let reached_since = write(&failed(Some(state("off", 1))));
    assert!(is_release(&reached_since), "rufio has reached the BMC since the Job was made");
    let fresh = write(&asked(failed(Some(state("off", 100))), "m-poweroff-1"));
    assert!(is_release(&fresh));
    assert!(!fresh.notices.first().unwrap().warning, "it is off");
}

#[test]
fn a_job_that_does_not_end_is_a_problem_that_says_what_is_missing_and_what_to_do() {
    let pending = |seconds, status: Value, view: Option<BmcView>| {
        stopped().with(|s| {
            s.put("Job", power_off("m-poweroff-1", 60, seconds, status.clone()));
            s.pass.bmc = view;
        })
    };
    let Step::Wait(early) = pending(5, Value::Null, None).step() else { panic!("expected a wait") };
    assert!(early.expected);
    assert!(matches!(pending(20, Value::Null, None).step(), Step::AskBmc(_)));
    let unreachable =
        BmcState { contactable: Some(false), message: "no route to host".to_owned(), ..BmcState::default() };
    for (view, reason, words) in [
        (BmcView::Missing, "BMCNotFound", "does not exist"),
        (BmcView::Found(unreachable), "BMCNotContactable", "no route to host"),
    ] {
        let scene = pending(20, Value::Null, Some(view));
        let Step::Wait(told) = scene.step() else { panic!("expected a wait") };
        assert_eq!((told.reason.as_str(), told.expected), (reason, false));
        assert!(told.message.contains(words), "{}", told.message);
        assert!(told.message.contains("capt.tinkerbell.org/release-without-power-off"), "{}", told.message);
    }
    let slow = BmcView::Found(BmcState { contactable: Some(true), ..BmcState::default() });
    assert_eq!(wait(&pending(20, conditions("Running"), Some(slow.clone()))).0, "WaitingForPowerOff");
    assert_eq!(wait(&pending(90, conditions("Running"), Some(slow))).0, "PowerOffOverdue");
}

#[test]
fn a_person_may_let_a_server_go_without_proof_and_the_event_names_the_address_at_risk() {
    let asked = |value: &str| {
        stopped().with(|s| {
            s.put("Job", power_off("m-poweroff-1", 60, 2, conditions("Failed")));
            s.pass.bmc = Some(BmcView::Missing);
            s.change(
                "TinkerbellMachine",
                "default/m",
                json!({"metadata": {"annotations": {"capt.tinkerbell.org/release-without-power-off": value}}}),
            );
        })
    };
    assert_eq!(wait(&asked("false")).0, "BMCNotFound");
    for value in ["true", ""] {
        let release = write(&asked(value));
        assert!(is_release(&release));
        let notice = release.notices.first().unwrap();
        assert_eq!((notice.warning, notice.reason), (true, Reason::ReleasedWithoutPowerOff));
        assert!(notice.message.contains("10.0.0.5"), "{}", notice.message);
    }
}

#[test]
fn a_namespace_that_is_being_deleted_does_not_hold_its_machine_for_a_job_that_cannot_be_made() {
    let ending = stopped().with(|s| {
        s.pass.ending_namespaces.insert("metal".to_owned());
    });
    let release = write(&ending);
    assert!(is_release(&release));
    let notice = release.notices.first().unwrap();
    assert!(notice.warning && notice.message.contains("namespace metal is being deleted"), "{}", notice.message);
    assert!(notice.message.contains("10.0.0.5"), "{}", notice.message);
}

#[test]
fn machine_names_up_to_the_limit_get_names_that_tinkerbell_can_work_with() {
    let long = "fabrik-nord-01-control-plane-template-1690000000000-abcde-xyz";
    let named = |mode: Option<&str>| {
        let scene = Scene::new().addressed().with(|s| {
            let text = serde_json::to_string(&s.objects.values().collect::<Vec<_>>()).unwrap();
            drop(text);
            let mut machine = s.objects[&("TinkerbellMachine", "default/m".to_owned())].clone();
            if let Some(mode) = mode {
                machine["spec"]["bootOptions"] = json!({ "bootMode": mode });
            }
            machine["metadata"]["name"] = json!(long);
            machine["spec"]["ipamPoolRef"] = Value::Null;
            s.put("TinkerbellMachine", machine);
            s.change(
                "Hardware",
                "metal/hw-1",
                json!({"metadata": {"labels": {"v1alpha1.tinkerbell.org/ownerName": long}, "annotations": {"capt.tinkerbell.org/ipam-reservation": null}}}),
            );
        });
        let key = capt_api::meta::ObjectKey::new("default", long);
        let world = capt_reconciler::machine::observe::observe(&scene, &key, &scene.pass, &Default::default()).unwrap();
        match crate::scene::decide(&world, now()) {
            Step::Do(write) => *write,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(named(None).key.name, long, "as users know it");
    for (mode, before) in [("netboot", "netboot-"), ("customboot", "customboot-preparing-")] {
        let template = named(Some(mode));
        assert_eq!(template.kind, Kind::Template);
        let job = format!("{before}{}", template.key.name);
        assert!(job.len() <= 63, "{job}");
    }
}

#[test]
fn a_server_released_in_mid_install_is_not_left_to_boot_into_the_installer() {
    let scene = |instance_status: Value| {
        Scene::new().booted("RUNNING").deleting().with(|s| {
            s.remove("Workflow", "metal/m").remove("Template", "metal/m");
            s.change("TinkerbellMachine", "default/m", json!({"status": {"instanceStatus": instance_status}}));
            s.put("Job", power_off("m-poweroff-1", 60, 2, conditions("Completed")));
        })
    };
    let operations = |scene: &Scene| body(&write(scene)).to_string();
    let forbids = r#"{"op":"replace","path":"/spec/interfaces/0/netboot/allowPXE","value":false}"#;
    assert!(operations(&scene(json!(1))).contains(forbids));
    assert!(!operations(&scene(Value::Null)).contains("allowPXE"), "what no Workflow asked for is the person's");
}
