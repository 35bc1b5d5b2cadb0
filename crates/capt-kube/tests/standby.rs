//! Several managers on one cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use capt_kube::lease::{Election, Lost};
use capt_kube::{Clients, Manager, Settings};
use memory_apiserver::{MemoryApiServer, Stopped};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

mod common;
use common::server::{Running, apply, core_kinds, start_with, until};

const INFRA: &str = "infrastructure.cluster.x-k8s.io";

fn settings(name: &str) -> Settings {
    let election = Election { identity: name.into(), ..Election::new("default") };
    Settings { election: Some(election), ..Settings::default() }
}

fn start(server: &MemoryApiServer, name: &str) -> Running {
    start_with(server.client(name), settings(name))
}

/// A Cluster that somebody has to work on.
fn work(server: &MemoryApiServer, name: &str) {
    let cluster = format!(
        "apiVersion: cluster.x-k8s.io/v1beta2\nkind: Cluster\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  \
         controlPlaneEndpoint: {{host: 10.0.0.250, port: 6443}}\n"
    );
    apply(server, &[cluster]);
    let cluster = server.get("cluster.x-k8s.io", "clusters", Some("default"), name).unwrap();
    let uid = cluster["metadata"]["uid"].as_str().unwrap();
    let infra = format!(
        "apiVersion: {INFRA}/v1beta1\nkind: TinkerbellCluster\nmetadata:\n  name: {name}\n  namespace: default\n  \
         labels: {{cluster.x-k8s.io/cluster-name: {name}}}\n  ownerReferences:\n  - {{apiVersion: \
         cluster.x-k8s.io/v1beta2, kind: Cluster, name: {name}, uid: {uid}, controller: true}}\nspec: {{}}\n"
    );
    apply(server, &[infra]);
}

fn is_done(server: &MemoryApiServer, name: &str) -> bool {
    server
        .get(INFRA, "tinkerbellclusters", Some("default"), name)
        .is_some_and(|cluster| cluster["status"]["ready"] == true)
}

fn leads(running: &Running) -> bool {
    running.manager.snapshot().lease.is_some_and(|lease| lease.leading)
}

/// Everything a manager wrote, the Lease left out.
fn writes(server: &MemoryApiServer, user: &str) -> usize {
    server.journal().records().iter().filter(|write| &*write.user == user && !write.is_lease()).count()
}

async fn two(server: &MemoryApiServer) -> (Running, Running) {
    apply(server, &core_kinds());
    let a = start(server, "a");
    until("a leads", Duration::from_secs(30), || leads(&a)).await;
    let b = start(server, "b");
    timeout(Duration::from_secs(30), b.manager.synced()).await.unwrap();
    work(server, "one");
    until("the first is done", Duration::from_secs(5), || is_done(server, "one")).await;
    sleep(Duration::from_secs(60)).await;
    (a, b)
}

#[tokio::test(start_paused = true)]
async fn a_standby_writes_nothing_and_works_within_a_second_of_its_turn() {
    let server = MemoryApiServer::new();
    let (a, b) = two(&server).await;
    assert!(writes(&server, "a") > 0);
    assert_eq!(server.journal().count(Some("b"), None), 0);
    let snapshot = b.manager.snapshot();
    let warm = snapshot.kinds.iter().find(|kind| kind.kind == "TinkerbellCluster").unwrap();
    assert_eq!((warm.objects, warm.presence.as_str()), (1, "Ready"));
    assert_eq!(snapshot.lease.unwrap().holder, "a");

    server.faults().stop_after("a", 0, Stopped::Hang, false);
    work(&server, "two");
    sleep(Duration::from_secs(10)).await;
    assert!(!is_done(&server, "two") && !leads(&b));
    until("b leads", Duration::from_secs(30), || leads(&b)).await;
    until("the second is done", Duration::from_secs(1), || is_done(&server, "two")).await;
    drop(a);
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_is_told_to_stop_hands_over() {
    let server = MemoryApiServer::new();
    let (mut a, b) = two(&server).await;
    a.cancel.cancel();
    (&mut a.task).await.unwrap().unwrap();
    let began = Instant::now();
    work(&server, "two");
    until("the second is done", Duration::from_secs(6), || is_done(&server, "two")).await;
    assert!(leads(&b) && !leads(&a), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_loses_the_lead_ends_with_an_error_at_once() {
    let server = MemoryApiServer::new();
    let (mut a, b) = two(&server).await;
    server.faults().stop_after("a", 0, Stopped::Hang, false);
    // Work that hangs must not keep it.
    work(&server, "two");
    let error = timeout(Duration::from_secs(13), &mut a.task).await.expect("lives on").unwrap().unwrap_err();
    assert_eq!(error.downcast_ref::<Lost>(), Some(&Lost::Expired), "{error:#}");
    assert!(!leads(&b), "the other one leads already");
}

#[tokio::test(start_paused = true)]
async fn a_lease_does_not_wait_behind_writes_that_hang() {
    let server = MemoryApiServer::new();
    apply(&server, &core_kinds());
    server.faults().stop_after("writes", 0, Stopped::Hang, false);
    let clients = Clients { watches: server.client("a"), writes: server.client("writes"), ..server.client("a").into() };
    let manager = Manager::new(clients, settings("a"));
    let cancel = CancellationToken::new();
    let run = manager.run(cancel.clone());
    let check = async {
        for number in 0..50 {
            work(&server, &format!("c{number}"));
        }
        sleep(Duration::from_secs(120)).await;
        assert!(manager.snapshot().lease.unwrap().leading);
    };
    tokio::select! { ended = run => panic!("{ended:?}"), () = check => {} }
}
