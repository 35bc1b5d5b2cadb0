//! A new installation that a person asks for: the only way in which a machine that was ready is installed again.

use capt_reconciler::effect::{Kind, Stage, Verb};
use capt_reconciler::machine::step::Step;
use serde_json::{Value, json};

use crate::scene::{Scene, body, wait, write};

const MARK: &str = "v1alpha1.tinkerbell.org/provisioned";
const ASK: &str = "capt.tinkerbell.org/reinstall";

/// A machine that was ready, with its old Workflow and Template, and the request.
fn asked(request: &str) -> Scene {
    Scene::new().provisioned().with(|s| {
        s.change(
            "TinkerbellMachine",
            "default/m",
            json!({"status": {"ready": true, "targetNamespace": "metal"},
            "metadata": {"annotations": {ASK: request}}}),
        );
    })
}

/// Performs the next step, as a server would. Returns what was done.
fn perform(scene: &mut Scene) -> Option<(Stage, Kind)> {
    let Step::Do(write) = scene.step() else { return None };
    let kind = match write.kind {
        Kind::TinkerbellMachine => "TinkerbellMachine",
        Kind::Hardware => "Hardware",
        Kind::Template => "Template",
        Kind::Workflow => "Workflow",
        other => panic!("{other:?}"),
    };
    match &write.verb {
        Verb::Delete { .. } => {
            scene.remove(kind, &write.key.to_string());
        }
        Verb::Create(body) => {
            let mut body = body.clone();
            body["metadata"]["uid"] = json!("anew");
            scene.put(kind, body);
        }
        Verb::Merge(patch) => {
            scene.change(kind, &write.key.to_string(), patch.clone());
        }
        Verb::Json(patch) => {
            let object = scene.objects.get_mut(&(kind, write.key.to_string())).unwrap();
            let patch: json_patch::Patch = serde_json::from_value(patch.clone()).unwrap();
            json_patch::patch(object, &patch).unwrap();
        }
        Verb::Status(_) => panic!("no status here"),
    }
    Some((write.stage, write.kind))
}

fn rest(scene: &mut Scene) -> Vec<(Stage, Kind)> {
    let mut done = Vec::new();
    while let Some(step) = perform(scene) {
        done.push(step);
        assert!(done.len() < 20, "it loops: {done:?}");
    }
    done
}

fn succeed(scene: &mut Scene) {
    scene.change("Workflow", "metal/m", json!({"status": {"state": "SUCCESS"}}));
}

fn annotation(scene: &Scene, kind: &'static str, key: &str, name: &str) -> Value {
    scene.objects[&(kind, key.to_owned())]["metadata"]["annotations"][name].clone()
}

#[test]
fn a_person_asks_for_a_new_installation_and_gets_one_and_only_one() {
    let mut scene = asked("2026-11-28");
    let begun = rest(&mut scene);
    assert_eq!(
        begun,
        [
            (Stage::Boot, Kind::Workflow),
            (Stage::Boot, Kind::Template),
            (Stage::Reserve, Kind::Hardware),
            (Stage::Boot, Kind::Template),
            (Stage::Boot, Kind::Workflow)
        ],
        "the old ones go before the mark does"
    );
    assert_eq!(wait(&scene).0, "WorkflowPending");
    assert!(annotation(&scene, "Hardware", "metal/hw-1", MARK).is_null());
    succeed(&mut scene);
    let ended = rest(&mut scene);
    assert_eq!(
        ended,
        [
            (Stage::Provisioned, Kind::Hardware),
            (Stage::Record, Kind::TinkerbellMachine),
            (Stage::Provisioned, Kind::Hardware)
        ]
    );
    assert!(matches!(scene.step(), Step::Done));
    assert_eq!(annotation(&scene, "Hardware", "metal/hw-1", MARK), "true");
    for (kind, key) in [("TinkerbellMachine", "default/m"), ("Hardware", "metal/hw-1")] {
        assert!(annotation(&scene, kind, key, ASK).is_null(), "{kind}: the same request can be made again");
    }
    scene.change("TinkerbellMachine", "default/m", json!({"metadata": {"annotations": {ASK: "2026-11-28"}}}));
    assert_eq!(rest(&mut scene), begun, "and is served again");
}

#[test]
fn the_bootstrap_data_is_written_anew_in_the_patch_that_takes_the_mark_off() {
    let mut scene = asked("").with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"userData": null}}));
    });
    assert_eq!(
        (perform(&mut scene), perform(&mut scene)),
        (Some((Stage::Boot, Kind::Workflow)), Some((Stage::Boot, Kind::Template)))
    );
    let begin = body(&write(&scene));
    assert_eq!(begin["metadata"]["annotations"], json!({MARK: null, ASK: ""}));
    assert_eq!(begin["spec"]["userData"], "join tinkerbell://metal/hw-1");
    assert_eq!(begin["metadata"]["resourceVersion"], "3");
}

#[test]
fn a_request_that_is_taken_back_half_way_does_not_leave_a_server_without_a_system_marked_as_installed() {
    let mut scene = asked("now");
    rest(&mut scene);
    scene.change("TinkerbellMachine", "default/m", json!({"metadata": {"annotations": {ASK: null}}}));
    assert_eq!(wait(&scene).0, "WorkflowPending", "the installation goes on");
    succeed(&mut scene);
    assert_eq!(rest(&mut scene), [(Stage::Provisioned, Kind::Hardware), (Stage::Provisioned, Kind::Hardware)]);
    assert!(annotation(&scene, "Hardware", "metal/hw-1", ASK).is_null());
}

#[test]
fn hardware_that_cannot_be_installed_keeps_its_mark() {
    let unfit = asked("now").with(|s| {
        s.change("Hardware", "metal/hw-1", json!({"spec": {"disks": null}}));
    });
    assert_eq!(wait(&unfit).0, "HardwareUnfit");
    let without_data = asked("now").with(|s| {
        s.remove("Workflow", "metal/m").remove("Template", "metal/m");
        s.pass.bootstrap = Some(capt_reconciler::ports::BootstrapSecret::Missing);
    });
    assert_eq!(wait(&without_data).0, "WaitingForBootstrapData");
}

#[test]
fn a_new_installation_that_fails_is_told_and_is_not_begun_again_by_itself() {
    let mut scene = asked("now");
    rest(&mut scene);
    scene.change("Workflow", "metal/m", json!({"status": {"state": "FAILED"}}));
    assert_eq!(wait(&scene).0, "WorkflowFailed");
    scene.change("TinkerbellMachine", "default/m", json!({"metadata": {"annotations": {ASK: "once more"}}}));
    assert_eq!(write(&scene).verb, Verb::Delete { uid: "anew".to_owned() }, "another request begins another one");
}
