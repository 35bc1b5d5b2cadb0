//! Which keys are worked on, and when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use capt_api::kube_core::{Expression, Selector};
use capt_api::meta::ObjectKey;
use capt_kube::cache::{Cache, Cached};
use capt_kube::controller::{self, Reconcile};
use capt_kube::controller::{Fact, Wake};
use capt_kube::decode::Guarded;
use capt_kube::watch::Sink;
use capt_reconciler::observed::infra::TinkerbellMachine;
use capt_reconciler::observed::tinkerbell::Hardware;
use capt_reconciler::outcome::{Interest, Outcome};
use kube::runtime::watcher::Event;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ns", name)
}

fn put<K: Cached>(cache: &Cache, mut object: Value, version: u64) {
    object["metadata"]["namespace"] = json!("ns");
    object["metadata"]["resourceVersion"] = json!(version.to_string());
    object["metadata"]["uid"] = object["metadata"]["name"].clone();
    let object: Guarded<K> = serde_json::from_str(&object.to_string()).unwrap();
    Sink::<K>::event(cache, Event::Apply(object));
}

/// The keys that are ready, in order; all of them are done with afterwards.
async fn woken(cache: &Cache, controller: impl Fn(&Wake) -> &capt_kube::controller::Controller) -> Vec<String> {
    let controller = controller(&cache.wake);
    let mut names = Vec::new();
    while controller.queue.depth().ready > 0 {
        let key = controller.queue.next().await.unwrap();
        names.push(key.name.clone());
        controller.queue.finish(&key, capt_kube::controller::Finish::Settled(None));
    }
    names.sort();
    names
}

async fn machines(cache: &Cache) -> Vec<String> {
    woken(cache, |wake| &wake.machines).await
}

async fn clusters(cache: &Cache) -> Vec<String> {
    woken(cache, |wake| &wake.clusters).await
}

fn machine(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"cluster.x-k8s.io/cluster-name": "c"}}, "spec": {}})
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_workflow_job_or_address_is_there_goes_before_those_that_begin() {
    fn labels(name: &str) -> Value {
        json!({"capt.tinkerbell.org/machine-name": name, "capt.tinkerbell.org/machine-namespace": "ns"})
    }
    fn workflow(state: &str) -> Value {
        json!({"metadata": {"name": "w", "labels": labels("imaged")}, "status": {"state": state}})
    }
    fn job(conditions: &Value) -> Value {
        json!({"metadata": {"name": "j", "labels": labels("off")}, "status": {"conditions": conditions},
               "spec": {"machineRef": {"name": "b", "namespace": "ns"}}})
    }
    let cache = Cache::new();
    for (version, name) in (1..).zip(["imaged", "off", "addressed"]) {
        put::<TinkerbellMachine>(&cache, machine(name), version);
    }
    put::<capt_reconciler::observed::tinkerbell::Workflow>(&cache, workflow("POST"), 4);
    put::<capt_reconciler::observed::bmc::Job>(&cache, job(&json!([])), 5);
    machines(&cache).await;

    put::<TinkerbellMachine>(&cache, machine("new"), 6);
    put::<capt_reconciler::observed::tinkerbell::Workflow>(&cache, workflow("SUCCESS"), 7);
    put::<capt_reconciler::observed::bmc::Job>(&cache, job(&json!([{"type": "Completed", "status": "True"}])), 8);
    let claim = json!({"name": "addressed-0"});
    let pool = json!({"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "p"});
    put::<capt_reconciler::observed::cluster_api::IPAddress>(
        &cache,
        json!({"metadata": {"name": "addressed-0"},
               "spec": {"address": "10.0.0.9", "prefix": 24, "claimRef": claim, "poolRef": pool}}),
        9,
    );
    let queue = &cache.wake.machines.queue;
    for expected in ["imaged", "off", "addressed", "new"] {
        let next = queue.next().await.unwrap();
        assert_eq!(next.name, expected);
        queue.finish(&next, capt_kube::controller::Finish::Settled(None));
    }
}

#[tokio::test(start_paused = true)]
async fn everything_around_a_machine_wakes_it() {
    let cache = Cache::new();
    put::<TinkerbellMachine>(&cache, machine("m"), 1);
    put::<TinkerbellMachine>(&cache, machine("other"), 2);
    assert_eq!(machines(&cache).await, ["m", "other"]);
    let ours = json!({"capt.tinkerbell.org/machine-name": "m", "capt.tinkerbell.org/machine-namespace": "ns"});
    let controller = json!([{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine",
                             "name": "m", "uid": "m", "controller": true}]);

    put::<capt_reconciler::observed::cluster_api::Machine>(
        &cache,
        json!({"metadata": {"name": "capi"}, "spec": {"clusterName": "c", "infrastructureRef":
            {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellMachine", "name": "m"}}}),
        3,
    );
    assert_eq!(machines(&cache).await, ["m"], "its Machine");
    put::<capt_reconciler::observed::tinkerbell::Workflow>(
        &cache,
        json!({"metadata": {"name": "w", "labels": ours}}),
        4,
    );
    assert_eq!(machines(&cache).await, ["m"], "its Workflow, in whatever namespace");
    put::<capt_reconciler::observed::bmc::Job>(
        &cache,
        json!({"metadata": {"name": "j", "labels": ours}, "spec": {"machineRef": {"name": "b", "namespace": "ns"}}}),
        5,
    );
    assert_eq!(machines(&cache).await, ["m"], "its Job");
    put::<capt_reconciler::observed::cluster_api::IPAddressClaim>(
        &cache,
        json!({"metadata": {"name": "any", "ownerReferences": controller}}),
        6,
    );
    assert_eq!(machines(&cache).await, ["m"], "a claim that it controls");
    put::<capt_reconciler::observed::cluster_api::IPAddress>(
        &cache,
        json!({"metadata": {"name": "a"}, "spec": {"claimRef": {"name": "any"}}}),
        7,
    );
    assert_eq!(machines(&cache).await, ["m"], "the address of its claim");
    put::<capt_reconciler::observed::cluster_api::IPAddressClaim>(&cache, json!({"metadata": {"name": "m-0"}}), 8);
    assert_eq!(machines(&cache).await, ["m"], "somebody else's claim of the name it needs");
    let owner = json!({"v1alpha1.tinkerbell.org/ownerName": "m", "v1alpha1.tinkerbell.org/ownerNamespace": "ns"});
    put::<Hardware>(&cache, json!({"metadata": {"name": "h", "labels": owner}}), 9);
    assert_eq!(machines(&cache).await, ["m"], "its Hardware");
    put::<Hardware>(&cache, json!({"metadata": {"name": "h"}}), 10);
    assert_eq!(machines(&cache).await, ["m"], "the Hardware that somebody takes from it");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_wakes_its_machines_only_for_what_they_look_at() {
    use capt_reconciler::observed::cluster_api::Cluster;
    let cache = Cache::new();
    put::<TinkerbellMachine>(&cache, machine("m"), 1);
    machines(&cache).await;
    let cluster = |extra: Value| {
        let mut cluster = json!({"metadata": {"name": "c"}, "spec": {"infrastructureRef":
            {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellCluster", "name": "tc"}}});
        for (path, value) in extra.as_object().unwrap() {
            cluster[path.split_once('.').unwrap().0][path.split_once('.').unwrap().1] = value.clone();
        }
        cluster
    };
    put::<Cluster>(&cache, cluster(json!({})), 2);
    assert_eq!((machines(&cache).await, clusters(&cache).await), (vec!["m".into()], vec!["tc".into()]), "it appears");
    put::<Cluster>(&cache, cluster(json!({"metadata.labels": {"a": "b"}})), 3);
    assert!(machines(&cache).await.is_empty(), "labels are nothing to them");
    assert_eq!(clusters(&cache).await, ["tc"]);
    for (version, change) in [
        (4, json!({"spec.paused": true})),
        (5, json!({"metadata.annotations": {"cluster.x-k8s.io/paused": ""}})),
        (6, json!({"status.initialization": {"infrastructureProvisioned": true}})),
        (7, json!({"spec.controlPlaneEndpoint": {"host": "10.0.0.1", "port": 6443}})),
    ] {
        put::<Cluster>(&cache, cluster(change.clone()), version);
        assert_eq!(machines(&cache).await, ["m"], "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn hardware_that_becomes_free_wakes_those_who_look_for_such() {
    let cache = Arc::new(Cache::new());
    let waits = |value: &str| {
        let selector: Selector = Expression::Equal("type".into(), value.into()).into();
        Interest { hardware: vec![selector], ..Interest::default() }
    };
    let settle = |name: &str, interest: Interest| {
        cache.wake.machines.begin(&key(name));
        cache.wake.machines.finish(&key(name), interest, capt_kube::controller::Finish::Settled(None));
    };
    settle("big", waits("big"));
    settle("small", waits("small"));
    let owned = json!({"type": "big", "v1alpha1.tinkerbell.org/ownerName": "x",
                       "v1alpha1.tinkerbell.org/ownerNamespace": "ns"});
    put::<Hardware>(&cache, json!({"metadata": {"name": "h", "labels": owned}}), 1);
    assert_eq!(machines(&cache).await, ["x"]);
    put::<Hardware>(&cache, json!({"metadata": {"name": "h", "labels": {"type": "big"}}}), 2);
    assert_eq!(machines(&cache).await, ["big", "x"]);

    settle("big", waits("big"));
    let held = cache.hold_hardware(&key("h")).unwrap();
    put::<Hardware>(&cache, json!({"metadata": {"name": "h", "labels": {"type": "big", "a": "b"}}}), 3);
    assert!(machines(&cache).await.is_empty(), "somebody is about to take it");
    drop(held);
    assert_eq!(machines(&cache).await, ["big"], "and did not");
}

/// Works on one key; a test decides how long it takes.
struct Slow {
    began: Notify,
    go_on: Notify,
    runs: Mutex<u32>,
}

impl Reconcile for Slow {
    async fn reconcile(&self, _: &ObjectKey) -> Outcome {
        *self.runs.lock() += 1;
        self.began.notify_one();
        self.go_on.notified().await;
        let interest = Interest { address: Some("10.0.0.1".parse().unwrap()), ..Interest::default() };
        Outcome::settled(None, interest)
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_between_the_decision_and_its_end_is_not_lost() {
    let wake = Arc::new(Wake::default());
    let slow = Arc::new(Slow { began: Notify::new(), go_on: Notify::new(), runs: Mutex::new(0) });
    let workers = tokio::spawn(controller::run(|wake| &wake.machines, wake.clone(), slow.clone(), 4));
    wake.machines.wake(&key("m"));
    slow.began.notified().await;
    // The decision is made: wait for 10.0.0.1. The queue does not know yet.
    wake.publish(Fact::Address("10.0.0.1".parse().unwrap()));
    slow.go_on.notify_one();
    tokio::time::timeout(Duration::from_secs(1), slow.began.notified()).await.expect("the wake-up is lost");
    slow.go_on.notify_one();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(*slow.runs.lock(), 2, "and it is not worked on again without a reason");
    wake.machines.queue.close();
    workers.await.unwrap().unwrap();
}

/// Panics for one object.
struct Faulty(Mutex<Vec<String>>);

impl Reconcile for Faulty {
    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        self.0.lock().push(key.name.clone());
        assert_ne!(key.name, "bad", "a fault of ours");
        Outcome::settled(None, Interest::default())
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_in_the_work_on_one_object_harms_no_other() {
    let wake = Arc::new(Wake::default());
    let faulty = Arc::new(Faulty(Mutex::default()));
    let workers = tokio::spawn(controller::run(|wake| &wake.machines, wake.clone(), faulty.clone(), 1));
    wake.machines.wake(&key("bad"));
    wake.machines.wake(&key("good"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    wake.machines.queue.close();
    workers.await.unwrap().unwrap();
    let worked_on = faulty.0.lock();
    assert_eq!(worked_on[..2], ["bad", "good"]);
    assert!(worked_on.len() > 2 && worked_on.len() < 6, "the bad one is tried again, with pauses: {worked_on:?}");
}

#[tokio::test(start_paused = true)]
async fn hardware_that_comes_back_without_our_labels_wakes_the_machine_that_names_it() {
    let cache = Cache::new();
    let named = json!({"metadata": {"name": "m"}, "spec": {"providerID": "tinkerbell://ns/h", "hardwareName": "h"}});
    put::<TinkerbellMachine>(&cache, named, 1);
    machines(&cache).await;
    put::<Hardware>(&cache, json!({"metadata": {"name": "h"}, "spec": {}}), 2);
    assert_eq!(machines(&cache).await, ["m"]);
}

#[tokio::test(start_paused = true)]
async fn a_mac_that_is_given_up_wakes_the_machine_that_it_stood_in_the_way_of() {
    let cache = Cache::new();
    let owner = json!({"v1alpha1.tinkerbell.org/ownerName": "m", "v1alpha1.tinkerbell.org/ownerNamespace": "ns"});
    let interface = |mac: &str| json!({"interfaces": [{"dhcp": {"mac": mac}}]});
    put::<Hardware>(&cache, json!({"metadata": {"name": "h", "labels": owner}, "spec": interface("0a:01")}), 1);
    put::<Hardware>(&cache, json!({"metadata": {"name": "twin"}, "spec": interface("0A:01")}), 2);
    machines(&cache).await;
    put::<Hardware>(&cache, json!({"metadata": {"name": "twin"}, "spec": interface("0a:02")}), 3);
    assert_eq!(machines(&cache).await, ["m"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_hardware_hears_that_one_is_kept_back_or_no_longer_named_by_anybody() {
    let cache = Cache::new();
    let waits = |cache: &Cache| {
        let interest = Interest { hardware: vec![Selector::default()], ..Interest::default() };
        cache.wake.machines.begin(&key("waits"));
        cache.wake.machines.finish(&key("waits"), interest, capt_kube::controller::Finish::Settled(None));
    };
    put::<TinkerbellMachine>(&cache, machine("waits"), 1);
    let named = json!({"metadata": {"name": "m"}, "spec": {"providerID": "tinkerbell://ns/h", "hardwareName": "h"}});
    put::<TinkerbellMachine>(&cache, named, 2);
    put::<Hardware>(&cache, json!({"metadata": {"name": "h"}, "spec": {}}), 3);
    machines(&cache).await;

    waits(&cache);
    let aside =
        json!({"metadata": {"name": "h", "annotations": {"capt.tinkerbell.org/set-aside": "disk"}}, "spec": {}});
    put::<Hardware>(&cache, aside, 4);
    assert_eq!(machines(&cache).await, ["m", "waits"], "it is kept back, and says so");

    put::<Hardware>(&cache, json!({"metadata": {"name": "h"}, "spec": {}}), 5);
    machines(&cache).await;
    waits(&cache);
    put::<TinkerbellMachine>(&cache, json!({"metadata": {"name": "m"}, "spec": {}}), 6);
    assert_eq!(machines(&cache).await, ["m", "waits"], "the machine that named it does so no longer");
}
