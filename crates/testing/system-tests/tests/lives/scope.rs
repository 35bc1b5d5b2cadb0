//! What a manager looks at, how much at once, and how often: watch filter, namespace, concurrency, resync.

use std::time::Duration;

use capt_kube::Settings;
use capt_kube::cache::WatchFilter;
use memory_apiserver::Fault;
use serde_json::json;

use crate::lab::{Lab, MANAGER, Options};

const INFRA: &str = "infrastructure.cluster.x-k8s.io";
const FILTER: &str = "cluster.x-k8s.io/watch-filter";

fn filtered(settings: Settings, label: &str) -> Options {
    let settings = Settings { watch_filter: WatchFilter::new("blue"), ..settings };
    Options { labels: json!({ FILTER: label }), settings, ..Options::default() }
}

#[tokio::test(start_paused = true)]
async fn a_watch_filter_asks_no_label_of_hardware_workflows_jobs_and_claims() {
    let mut lab = Lab::with(filtered(Settings { sync_period: Duration::ZERO, ..Settings::default() }, "blue")).await;
    lab.start_manager().await;
    lab.machine("m").await;
    lab.until_condition("m", "HardwareReserved", "False", "NoHardwareAvailable").await;
    // Each of these steps is told by an object without the label: the Hardware, the claim, the Workflow, the Job.
    lab.hardware(1).await;
    let begin = tokio::time::Instant::now();
    lab.until_provisioned("m").await;
    assert!(begin.elapsed() < Duration::from_secs(5), "woken by a timer only, after {:?}", begin.elapsed());
    lab.delete_machine("m").await;
    let begin = tokio::time::Instant::now();
    lab.until_released("m").await;
    assert!(begin.elapsed() < Duration::from_secs(5), "woken by a timer only, after {:?}", begin.elapsed());
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn what_another_managers_watch_filter_selects_is_left_alone() {
    let settings = Settings { sync_period: Duration::from_secs(60), ..Settings::default() };
    let mut lab = Lab::with(filtered(settings, "green")).await;
    lab.hardware(1).await;
    lab.start_manager().await;
    lab.machine("m").await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(lab.writes(MANAGER), 0, "{:?}", lab.write_list(MANAGER));
    // Ours from now on.
    let ours = json!({"metadata": {"labels": {FILTER: "blue"}}});
    for (group, plural, name) in [
        ("cluster.x-k8s.io", "clusters", "c"),
        (INFRA, "tinkerbellclusters", "c"),
        ("cluster.x-k8s.io", "machines", "m"),
        (INFRA, "tinkerbellmachines", "m"),
    ] {
        lab.patch(group, plural, "default", name, ours.clone()).await;
    }
    lab.until_provisioned("m").await;
    // And no longer.
    lab.patch(INFRA, "tinkerbellmachines", "default", "m", json!({"metadata": {"labels": {FILTER: null}}})).await;
    lab.delete_machine("m").await;
    let writes = lab.machine_writes(MANAGER);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(lab.machine_writes(MANAGER), writes, "{:?}", lab.write_list(MANAGER));
}

/// The Machine lacks the label, so that its change wakes nobody, as in the Go manager; there the machine waited for
/// hours, for the flag had no effect.
#[tokio::test(start_paused = true)]
async fn the_sync_period_has_an_effect() {
    let settings = Settings { sync_period: Duration::from_secs(600), ..Settings::default() };
    let mut lab = Lab::with(filtered(settings, "blue")).await;
    lab.hardware(1).await;
    lab.machine("m").await;
    let machine = json!({"metadata": {"labels": {FILTER: null}}, "spec": {"bootstrap": {"dataSecretName": null}}});
    lab.patch("cluster.x-k8s.io", "machines", "default", "m", machine).await;
    lab.start_manager().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let machine = json!({"spec": {"bootstrap": {"dataSecretName": "m-bootstrap"}}});
    lab.patch("cluster.x-k8s.io", "machines", "default", "m", machine).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(lab.reserved_hardware(), 0, "something else woke the machine");
    lab.until_provisioned("m").await;
}

#[tokio::test(start_paused = true)]
async fn a_resync_asks_the_server_nothing_and_writes_nothing_when_idle() {
    let settings = Settings { sync_period: Duration::from_secs(60), ..Settings::default() };
    let mut lab = Lab::with(Options { settings, ..Options::default() }).await;
    lab.hardware(3).await;
    lab.start_manager().await;
    for name in ["a", "b", "c"] {
        lab.machine(name).await;
    }
    for name in ["a", "b", "c"] {
        lab.until_provisioned(name).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let asked = |lab: &Lab| {
        let requests = lab.server.journal().requests();
        // The watches reconnect by themselves.
        requests.iter().filter(|r| &*r.user == MANAGER && r.verb != "watch").map(|r| r.count).sum::<u64>()
    };
    let before = asked(&lab);
    tokio::time::sleep(Duration::from_secs(1200)).await;
    assert_eq!(asked(&lab), before, "{:?}", lab.server.journal().requests());
}

#[tokio::test(start_paused = true)]
async fn hardware_in_another_namespace_is_invisible_and_a_cluster_wide_pool_is_not() {
    let settings = Settings { namespace: Some("default".into()), ..Settings::default() };
    let mut lab = Lab::with(Options { settings, pool: false, ..Options::default() }).await;
    lab.create(json!({"apiVersion": "ipam.cluster.x-k8s.io/v1alpha2", "kind": "GlobalInClusterIPPool", "metadata": {"name": "everywhere"},
        "spec": {"addresses": ["10.0.0.100-10.0.0.250"], "prefix": 24, "gateway": "10.0.0.1"}})).await;
    lab.hardware(1).await;
    lab.start_manager().await;
    let pool = json!({"apiGroup": "ipam.cluster.x-k8s.io", "kind": "GlobalInClusterIPPool", "name": "everywhere"});
    lab.machine_with("m", json!({ "ipamPoolRef": pool })).await;
    lab.until_condition("m", "HardwareReserved", "False", "NoHardwareAvailable").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.hardware_writes(MANAGER), 0);
    lab.put_hardware_into("default");
    lab.hardware_range(7..8).await;
    lab.until_provisioned("m").await;
    assert_eq!(lab.machine_address("m").as_deref(), Some("10.0.0.100"));
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn no_more_machines_are_worked_on_at_once_than_the_flag_says() {
    let settings = Settings { machine_workers: 3, ..Settings::default() };
    let mut lab = Lab::with(Options { settings, ..Options::default() }).await;
    lab.hardware(12).await;
    lab.server.faults().inject(Fault::latency(Duration::from_millis(300)).user(MANAGER).verb("write").always());
    lab.start_manager().await;
    for n in 0..12 {
        lab.machine(&format!("m{n}")).await;
    }
    let mut most = 0;
    for _ in 0..600 {
        let queues = lab.manager().snapshot().queues;
        most = most.max(queues.iter().find(|queue| queue.controller == "tinkerbellmachine").unwrap().running);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(most, 3);
}
