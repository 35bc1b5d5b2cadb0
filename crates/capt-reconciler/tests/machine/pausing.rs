//! Pause: who pauses, in which words, and what is written meanwhile.

use capt_reconciler::machine::report::news;
use capt_reconciler::machine::step::Step;
use capt_reconciler::observed::infra::TinkerbellMachineStatus;
use serde_json::json;

use crate::scene::{Scene, now, report};

fn paused(scene: &Scene) -> (String, String, String) {
    let status = report(&scene.world(), &scene.step(), now());
    let paused = status.conditions.into_iter().find(|c| c.type_ == "Paused").unwrap();
    assert_eq!(paused.observed_generation, Some(1));
    (paused.status, paused.reason, paused.message)
}

fn by_spec(s: &mut Scene) {
    s.change("Cluster", "default/c", json!({"spec": {"paused": true}}));
}

fn by_annotation(s: &mut Scene) {
    s.change("TinkerbellMachine", "default/m", json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}));
}

#[test]
fn the_paused_condition_speaks_cluster_apis_own_words() {
    let cluster = "Cluster spec.paused is set to true";
    let own = "TinkerbellMachine has the cluster.x-k8s.io/paused annotation";
    let both = format!("{cluster}, {own}");
    for (scene, message) in [
        (Scene::new().with(by_spec), cluster),
        (Scene::new().with(by_annotation), own),
        (Scene::new().with(by_spec).with(by_annotation), &both),
    ] {
        assert_eq!(paused(&scene), ("True".to_owned(), "Paused".to_owned(), message.to_owned()));
    }
    assert_eq!(paused(&Scene::new()), ("False".to_owned(), "NotPaused".to_owned(), String::new()));
}

#[test]
fn an_annotation_on_the_cluster_pauses_as_its_spec_does() {
    let scene = Scene::new().with(|s| {
        s.change("Cluster", "default/c", json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": "true"}}}));
    });
    assert!(matches!(scene.step(), Step::Paused));
    assert_eq!(paused(&scene).2, "Cluster has the cluster.x-k8s.io/paused annotation");
}

#[test]
fn without_a_cluster_only_the_machines_own_annotation_counts() {
    let orphan = Scene::new().with(by_spec).with(|s| {
        s.remove("Cluster", "default/c");
    });
    assert_eq!(paused(&orphan).0, "False", "said although nobody owns it");
    assert_eq!(paused(&orphan.with(by_annotation)).0, "True");
}

#[test]
fn a_deletion_waits_for_the_end_of_a_pause_although_the_owner_machine_is_gone() {
    let scene = Scene::new().provisioned().deleting().with(by_spec).with(|s| {
        s.remove("Machine", "default/owner");
        s.change(
            "TinkerbellMachine",
            "default/m",
            json!({"metadata": {"labels": {"cluster.x-k8s.io/cluster-name": "c"}}}),
        );
    });
    assert!(matches!(scene.step(), Step::Paused), "the machine's own label tells the Cluster");
}

#[test]
fn a_pause_and_its_end_are_an_event_each_and_a_new_machine_is_none() {
    let status = |scene: &Scene| report(&scene.world(), &scene.step(), now());
    let (running, halted) = (Scene::new(), Scene::new().with(by_spec));
    let reasons = |before: &TinkerbellMachineStatus, after: &Scene| -> Vec<&'static str> {
        news(before, &status(after), &after.step()).into_iter().map(|notice| notice.reason.as_str()).collect()
    };
    assert!(reasons(&Default::default(), &running).is_empty());
    assert_eq!(reasons(&status(&running), &halted), ["Paused"]);
    assert_eq!(reasons(&status(&halted), &running), ["NotPaused"]);
}
