//! Tables over what a TinkerbellCluster decides and reports.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;

use capt_api::conditions::Reason;
use capt_reconciler::cluster::World;
use capt_reconciler::cluster::decide::{Step, decide};
use capt_reconciler::cluster::report::{news, report};
use capt_reconciler::effect::{Verb, Write};
use capt_reconciler::notice::Notice;
use jiff::Timestamp;
use serde_json::{Value, json};

fn world(infra: Value, cluster: Option<Value>, is_owned: bool) -> World {
    World {
        infra: Arc::new(serde_json::from_value(infra).unwrap()),
        cluster: cluster.map(|cluster| Arc::new(serde_json::from_value(cluster).unwrap())),
        is_owned,
    }
}

fn infra() -> Value {
    json!({"metadata": {"namespace": "default", "name": "c", "uid": "tc-uid", "resourceVersion": "4"},
        "spec": {"controlPlaneEndpoint": {"host": "10.0.0.50", "port": 6443}}})
}

fn cluster() -> Option<Value> {
    Some(json!({"metadata": {"namespace": "default", "name": "c", "uid": "c-uid"}}))
}

fn body(step: &Step) -> Value {
    match step {
        Step::Do(write) => match &**write {
            Write { verb: Verb::Merge(body), .. } => body.clone(),
            other => panic!("expected a merge patch, got {other:?}"),
        },
        other => panic!("expected a write, got {other:?}"),
    }
}

fn conditions(world: &World) -> Vec<String> {
    let status = report(world, &decide(world), Timestamp::UNIX_EPOCH);
    status.conditions.iter().map(|c| format!("{}: {} {}", c.type_, c.status, c.reason)).collect()
}

#[test]
fn a_complete_cluster_is_ready_in_both_contracts() {
    let world = world(infra(), cluster(), true);
    assert!(matches!(decide(&world), Step::Ready));
    let status = report(&world, &Step::Ready, Timestamp::UNIX_EPOCH);
    assert!(status.ready);
    assert_eq!(status.initialization.unwrap().provisioned, Some(true));
    assert_eq!(conditions(&world), ["Paused: False NotPaused", "Ready: True Ready"]);
}

#[test]
fn a_cluster_found_by_its_label_is_adopted_and_other_owners_stay() {
    let mut orphan = infra();
    orphan["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "o-uid"}]);
    let patch = body(&decide(&world(orphan, cluster(), false)));
    assert_eq!(patch["metadata"]["resourceVersion"], "4");
    assert_eq!(patch["metadata"]["ownerReferences"][0]["kind"], "Other");
    assert_eq!(patch["metadata"]["ownerReferences"][1]["uid"], "c-uid");
    assert_eq!(patch["metadata"]["ownerReferences"][1]["controller"], true);
}

#[test]
fn nothing_is_written_while_paused_without_a_cluster_or_under_other_management() {
    let mut paused = cluster().unwrap();
    paused["spec"] = json!({"paused": true});
    let world_paused = world(infra(), Some(paused), true);
    assert!(matches!(decide(&world_paused), Step::Paused));
    assert_eq!(conditions(&world_paused), ["Paused: True Paused", "Ready: False Paused"]);
    assert!(matches!(decide(&world(infra(), None, false)), Step::NoCluster));
    let mut managed = infra();
    managed["metadata"]["annotations"] = json!({"cluster.x-k8s.io/managed-by": "terraform"});
    assert!(matches!(decide(&world(managed, cluster(), false)), Step::Leave));
}

#[test]
fn the_finalizer_of_old_releases_does_not_hold_a_cluster_for_ever() {
    let mut going = infra();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    going["metadata"]["finalizers"] = json!(["tinkerbellcluster.infrastructure.cluster.x-k8s.io", "theirs"]);
    assert_eq!(body(&decide(&world(going.clone(), cluster(), true)))["metadata"]["finalizers"], json!(["theirs"]));
    going["metadata"]["finalizers"] = json!(["theirs"]);
    assert!(matches!(decide(&world(going, cluster(), true)), Step::Leave));
}

#[test]
fn a_missing_endpoint_is_told_and_one_of_the_cluster_is_taken_over() {
    let mut bare = infra();
    bare["spec"] = json!({});
    let nobody = world(bare.clone(), cluster(), true);
    assert!(matches!(decide(&nobody), Step::NoEndpoint));
    assert!(conditions(&nobody).contains(&"Ready: False ControlPlaneEndpointNotSet".to_owned()));
    let mut given = cluster().unwrap();
    given["spec"] = json!({"controlPlaneEndpoint": {"host": "10.0.0.9", "port": 1}});
    let patch = body(&decide(&world(bare, Some(given), true)));
    assert_eq!(patch["spec"]["controlPlaneEndpoint"], json!({"host": "10.0.0.9", "port": 1}));
}

#[test]
fn a_cluster_that_nobody_owns_says_what_it_waits_for() {
    let orphan = world(infra(), None, false);
    assert_eq!(conditions(&orphan), ["Paused: False NotPaused", "Ready: False WaitingForCluster"]);
    assert!(!report(&orphan, &decide(&orphan), Timestamp::UNIX_EPOCH).ready);
}

#[test]
fn the_missing_endpoint_is_told_in_the_words_of_go_capt() {
    let mut bare = infra();
    bare["spec"] = json!({"controlPlaneEndpoint": {"port": 6443}});
    let nobody = world(bare, cluster(), true);
    let status = report(&nobody, &decide(&nobody), Timestamp::UNIX_EPOCH);
    let ready = status.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    assert_eq!(ready.message, "controlplane endpoint is not set");
    let events = news(&[], &status, &nobody);
    assert_eq!(events, [Notice::warning(Reason::EndpointNotSet, "controlplane endpoint is not set")]);
    assert!(news(&status.conditions, &status, &nobody).is_empty(), "told once");
}

#[test]
fn a_paused_cluster_keeps_even_its_old_finalizer() {
    let mut going = infra();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    going["metadata"]["finalizers"] = json!(["tinkerbellcluster.infrastructure.cluster.x-k8s.io"]);
    going["metadata"]["annotations"] = json!({"cluster.x-k8s.io/paused": ""});
    assert!(matches!(decide(&world(going, cluster(), true)), Step::Paused));
}

#[test]
fn a_pause_is_told_in_cluster_apis_own_words() {
    let mut given = cluster().unwrap();
    given["spec"] = json!({"paused": true});
    let mut annotated = infra();
    annotated["metadata"]["annotations"] = json!({"cluster.x-k8s.io/paused": "x"});
    let both = world(annotated, Some(given), true);
    let status = report(&both, &decide(&both), Timestamp::UNIX_EPOCH);
    assert_eq!(
        status.conditions[0].message,
        "Cluster spec.paused is set to true, TinkerbellCluster has the cluster.x-k8s.io/paused annotation"
    );
}

#[test]
fn a_cluster_is_never_given_a_finalizer_and_once_ready_nothing_is_written() {
    let world = world(infra(), cluster(), true);
    assert!(matches!(decide(&world), Step::Ready), "no write");
    let adopted = body(&decide(&self::world(infra(), cluster(), false)));
    assert!(adopted["metadata"]["finalizers"].is_null());
}
