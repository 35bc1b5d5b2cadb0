//! Watches on a whole API server: kinds come and go, connections break, objects are bad.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use capt_api::meta::ObjectKey;
use capt_kube::Settings;
use capt_reconciler::observed::infra::PoolReference;
use capt_reconciler::ports::{PoolView, Presence, Stores};
use memory_apiserver::{Fault, MemoryApiServer};

mod common;
use common::server::{IPAM, apply, core_kinds, crd, denying, ipam_kinds, job_kind, start, start_with, started, until};

const SOON: Duration = Duration::from_secs(2);

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

fn object(api_version: &str, kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\nspec: {spec}\n")
}

fn hardware(name: &str) -> String {
    object("tinkerbell.org/v1alpha1", "Hardware", name, "{}")
}

fn claim(version: &str, name: &str) -> String {
    object(&format!("{IPAM}/{version}"), "IPAddressClaim", name, "{poolRef: {kind: P, name: p, apiGroup: g}}")
}

fn pool_reference() -> PoolReference {
    PoolReference { api_group: IPAM.into(), kind: "InClusterIPPool".into(), name: "p".into() }
}

async fn delete_crd(server: &MemoryApiServer, name: &str) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    let api: kube::Api<CustomResourceDefinition> = kube::Api::all(server.client("admin"));
    api.delete(name, &Default::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_start_waits_for_kinds_that_are_missing() {
    let server = MemoryApiServer::new();
    let running = start(&server, Settings::default());
    let waits = tokio::time::timeout(Duration::from_secs(60), running.manager.synced()).await;
    assert!(waits.is_err(), "not ready without the kinds it works on");
    apply(&server, &core_kinds());
    tokio::time::timeout(SOON, running.manager.synced()).await.expect("does not see the kinds appear");
    server.apply_manifest(&hardware("h")).unwrap();
    until("Hardware", SOON, || running.manager.ports().hardware(&key("h")).is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn an_optional_kind_that_appears_later_is_found_within_two_seconds() {
    let server = MemoryApiServer::builder().crd_delay(Duration::from_secs(1)).build();
    apply(&server, &core_kinds());
    let running = start(&server, Settings::default());
    running.manager.synced().await;
    let ports = running.manager.ports();
    until("known to be absent", Duration::from_secs(10), || ports.ipam() == Presence::Absent).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    apply(&server, &ipam_kinds("v1beta2"));
    until("found", SOON, || ports.ipam() == Presence::Ready).await;
    server.apply_manifest(&claim("v1beta2", "c")).unwrap();
    until("a claim", SOON, || ports.claim(&key("c")).is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_kind_is_no_polling() {
    let server = MemoryApiServer::new();
    apply(&server, &core_kinds());
    let questions = Arc::new(AtomicUsize::new(0));
    let client = denying(&server, {
        let questions = questions.clone();
        move |path| {
            questions.fetch_add(usize::from(path == "/apis/ipam.cluster.x-k8s.io/v1beta2"), SeqCst);
            false
        }
    });
    let running = start_with(client, Settings::default());
    until("absent", Duration::from_secs(10), || running.manager.ports().ipam() == Presence::Absent).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = questions.load(SeqCst);
    assert!(before > 0, "counts the wrong thing");
    tokio::time::sleep(Duration::from_secs(600)).await;
    let asked = questions.load(SeqCst) - before;
    assert!(asked <= 6, "{asked} questions in ten minutes for two kinds");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_starts_and_does_not_know_its_kinds_yet_is_not_believed() {
    let server = MemoryApiServer::new();
    apply(&server, &core_kinds());
    server.apply_manifest(&job_kind()).unwrap();
    let starts = Arc::new(AtomicBool::new(false));
    let client = denying(&server, {
        let starts = starts.clone();
        move |path| starts.load(SeqCst) && path.starts_with("/apis/bmc.tinkerbell.org")
    });
    let running = start_with(client, Settings::default());
    let ports = running.manager.ports();
    until("ready", SOON, || ports.bmc() == Presence::Ready).await;
    starts.store(true, SeqCst);
    server.faults().drop_watches(None);
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(ports.bmc(), Presence::Ready, "else servers would be released without a look at their power");
    }
    until("in the end it is", Duration::from_secs(60), || ports.bmc() == Presence::Absent).await;
    starts.store(false, SeqCst);
    until("back", Duration::from_secs(40), || ports.bmc() == Presence::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn one_of_two_ipam_kinds_is_not_enough() {
    let server = MemoryApiServer::new();
    apply(&server, &ipam_kinds("v1beta2")[..1]);
    let running = started(&server).await;
    until("absent", Duration::from_secs(10), || running.manager.ports().ipam() == Presence::Absent).await;
}

#[tokio::test(start_paused = true)]
async fn an_older_contract_is_used_where_only_that_is_served() {
    let server = MemoryApiServer::new();
    apply(&server, &ipam_kinds("v1beta1"));
    server.apply_manifest(&claim("v1beta1", "c")).unwrap();
    let running = started(&server).await;
    let ports = running.manager.ports();
    until("ready", SOON, || ports.ipam() == Presence::Ready).await;
    assert!(ports.claim(&key("c")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_vanishes_takes_its_objects_along_and_may_come_back() {
    let server = MemoryApiServer::new();
    apply(&server, &ipam_kinds("v1beta2"));
    server.apply_manifest(&claim("v1beta2", "c")).unwrap();
    let running = started(&server).await;
    let ports = running.manager.ports();
    until("a claim", SOON, || ports.claim(&key("c")).is_some()).await;
    delete_crd(&server, "ipaddressclaims.ipam.cluster.x-k8s.io").await;
    let within = Duration::from_secs(300);
    until("absent", within, || ports.ipam() == Presence::Absent && ports.claim(&key("c")).is_none()).await;
    apply(&server, &ipam_kinds("v1beta2"));
    until("back", SOON, || ports.ipam() == Presence::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_denied_for_long_and_served_again_brings_its_objects_back() {
    let server = MemoryApiServer::new();
    apply(&server, &core_kinds());
    server.apply_manifest(&hardware("h")).unwrap();
    let denies = Arc::new(AtomicBool::new(false));
    let client = denying(&server, {
        let denies = denies.clone();
        move |path| denies.load(SeqCst) && path.starts_with("/apis/tinkerbell.org")
    });
    let running = start_with(client, Settings::default());
    let ports = running.manager.ports();
    until("Hardware", SOON, || ports.hardware(&key("h")).is_some()).await;
    denies.store(true, SeqCst);
    server.faults().drop_watches(None);
    until("believed to be gone", Duration::from_secs(180), || ports.hardware(&key("h")).is_none()).await;
    denies.store(false, SeqCst);
    until("back", Duration::from_secs(60), || ports.hardware(&key("h")).is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn kinds_are_found_even_where_definitions_may_not_be_read() {
    let server = MemoryApiServer::new();
    let forbidden = Fault::status(403, "Forbidden", "no");
    server.faults().inject(forbidden.user("capt").resource("customresourcedefinitions").always());
    let running = started(&server).await;
    let ports = running.manager.ports();
    until("absent", Duration::from_secs(20), || ports.ipam() == Presence::Absent).await;
    apply(&server, &ipam_kinds("v1beta2"));
    until("found", Duration::from_secs(40), || ports.ipam() == Presence::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_denies_a_served_kind_for_a_moment_is_not_believed() {
    let server = MemoryApiServer::new();
    server.apply_manifest(&job_kind()).unwrap();
    let job = "{machineRef: {name: m, namespace: default}, tasks: []}";
    server.apply_manifest(&object("bmc.tinkerbell.org/v1alpha1", "Job", "j", job)).unwrap();
    let running = started(&server).await;
    let ports = running.manager.ports();
    until("a Job", SOON, || ports.job(&key("j")).is_some()).await;
    let denied = || Fault::status(404, "NotFound", "the server could not find the requested resource").user("capt");
    server.faults().inject(denied().resource("jobs").times(3));
    server.faults().drop_watches(Some("jobs"));
    server.faults().compact();
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(ports.bmc(), Presence::Ready, "else servers would be released without a look at their power");
        assert!(ports.job(&key("j")).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_object_stops_no_watch_and_is_absent() {
    let server = MemoryApiServer::new();
    server.apply_manifest(&job_kind()).unwrap();
    let good = "{machineRef: {name: m, namespace: default}, tasks: []}";
    let job = |name: &str, spec: &str| object("bmc.tinkerbell.org/v1alpha1", "Job", name, spec);
    server.apply_manifest(&job("bad-from-the-start", "{tasks: 5}")).unwrap();
    server.apply_manifest(&job("turns-bad", good)).unwrap();
    let running = started(&server).await;
    let ports = running.manager.ports();
    until("good", SOON, || ports.job(&key("turns-bad")).is_some()).await;
    assert!(ports.job(&key("bad-from-the-start")).is_none());
    server.apply_manifest(&job("turns-bad", "{tasks: 5}")).unwrap();
    server.apply_manifest(&job("next", good)).unwrap();
    until("the next one", SOON, || ports.job(&key("next")).is_some()).await;
    assert!(ports.job(&key("turns-bad")).is_none(), "its last good state must not stay");
    let jobs = running.manager.snapshot().kinds.into_iter().find(|kind| kind.kind == "Job").unwrap();
    assert_eq!((jobs.objects, jobs.invalid), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn watches_go_on_after_broken_connections_and_forgotten_history() {
    let server = MemoryApiServer::builder().history(10).build();
    let running = started(&server).await;
    let ports = running.manager.ports();
    for round in 0..5 {
        server.apply_manifest(&hardware(&format!("kept-{round}"))).unwrap();
        until("kept", Duration::from_secs(5), || ports.hardware(&key(&format!("kept-{round}"))).is_some()).await;
        let broken =
            server.faults().inject(Fault::connection_error_before().user("capt").resource("hardware").always());
        server.faults().drop_watches(None);
        let api: kube::Api<capt_reconciler::observed::tinkerbell::Hardware> =
            kube::Api::namespaced(server.client("admin"), "default");
        api.delete(&format!("kept-{round}"), &Default::default()).await.unwrap();
        server.apply_manifest(&hardware(&format!("missed-{round}"))).unwrap();
        server.faults().compact();
        tokio::time::sleep(Duration::from_secs(2)).await;
        server.faults().remove(broken);
        until("the new one", Duration::from_secs(10), || {
            ports.hardware(&key(&format!("missed-{round}"))).is_some()
                && ports.hardware(&key(&format!("kept-{round}"))).is_none()
        })
        .await;
        tokio::time::sleep(Duration::from_secs(120)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn another_namespace_is_invisible_to_a_manager_of_one() {
    let server = MemoryApiServer::new();
    apply(&server, &core_kinds());
    server.apply_manifest("apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n").unwrap();
    server.apply_manifest(&hardware("mine")).unwrap();
    server.apply_manifest(&hardware("theirs").replace("default", "other")).unwrap();
    let running = start(&server, Settings { namespace: Some("default".into()), ..Settings::default() });
    running.manager.synced().await;
    assert!(running.manager.ports().hardware(&key("mine")).is_some());
    assert!(running.manager.ports().hardware(&ObjectKey::new("other", "theirs")).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_read_from_the_first_question_on() {
    let server = MemoryApiServer::new();
    let running = started(&server).await;
    let view = || running.manager.ports().pool("default", &pool_reference());
    assert!(matches!(view(), PoolView::Unknown));
    until("not served", Duration::from_secs(10), || matches!(view(), PoolView::KindNotServed)).await;
    server.apply_manifest(&crd(IPAM, "InClusterIPPool", "inclusterippools", "v1alpha2", "Namespaced")).unwrap();
    until("served", Duration::from_secs(5), || matches!(view(), PoolView::NotFound)).await;
    let full = format!(
        "apiVersion: {IPAM}/v1alpha2\nkind: InClusterIPPool\nmetadata: {{name: p, namespace: default}}\n\
         status: {{ipAddresses: {{total: 3, used: 3, free: 0}}}}\n"
    );
    server.apply_manifest(&full).unwrap();
    until("found", SOON, || matches!(view(), PoolView::Found(_))).await;
    let elsewhere = running.manager.ports().pool("other", &pool_reference());
    assert!(matches!(elsewhere, PoolView::NotFound), "a pool of another namespace is another pool");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_scoped_pool_is_found_from_every_namespace() {
    let server = MemoryApiServer::new();
    server
        .apply_manifest(&crd(IPAM, "GlobalInClusterIPPool", "globalinclusterippools", "v1alpha2", "Cluster"))
        .unwrap();
    let pool = format!("apiVersion: {IPAM}/v1alpha2\nkind: GlobalInClusterIPPool\nmetadata: {{name: p}}\n");
    server.apply_manifest(&pool).unwrap();
    let running = started(&server).await;
    let reference = PoolReference { kind: "GlobalInClusterIPPool".into(), ..pool_reference() };
    for namespace in ["default", "other"] {
        let view = || running.manager.ports().pool(namespace, &reference);
        until("found", Duration::from_secs(5), || matches!(view(), PoolView::Found(_))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_we_may_not_read_is_unknown_and_not_missing() {
    let server = MemoryApiServer::new();
    server.apply_manifest(&crd(IPAM, "InClusterIPPool", "inclusterippools", "v1alpha2", "Namespaced")).unwrap();
    server.faults().inject(Fault::status(403, "Forbidden", "no").user("capt").resource("inclusterippools").always());
    let running = started(&server).await;
    for _ in 0..20 {
        assert!(matches!(running.manager.ports().pool("default", &pool_reference()), PoolView::Unknown));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_manager_stops_when_told_and_runs_once() {
    let server = MemoryApiServer::new();
    let mut running = started(&server).await;
    running.cancel.cancel();
    tokio::time::timeout(SOON, &mut running.task).await.expect("does not stop").unwrap().unwrap();
    assert!(running.manager.run(running.cancel.clone()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_dies_ends_the_manager_instead_of_leaving_it_half_alive() {
    let server = MemoryApiServer::new();
    apply(&server, &core_kinds());
    let dies = Arc::new(AtomicBool::new(false));
    let told = dies.clone();
    let client = denying(&server, move |path| {
        assert!(!(told.load(SeqCst) && path.ends_with("/hardware")), "the task that watches Hardware dies");
        false
    });
    let mut running = start_with(client, Settings::default());
    tokio::time::timeout(SOON, running.manager.synced()).await.expect("the stores are not filled");
    dies.store(true, SeqCst);
    server.faults().drop_watches(None);
    let ended = tokio::time::timeout(Duration::from_secs(30), &mut running.task).await.expect("half alive").unwrap();
    assert_eq!(ended.unwrap_err().to_string(), "a watch ended");
}
