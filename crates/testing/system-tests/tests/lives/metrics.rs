//! What Prometheus is told of a life: numbers that are exactly those of what happened, and no names.

use std::collections::BTreeSet;
use std::time::Duration;

use capt_kube::metrics::{Registry, text};

use crate::lab::{Lab, MANAGER};

/// Samples as the text holds them: `name{labels}` and value.
struct Scrape(Vec<(String, f64)>);

impl Scrape {
    fn of(registry: &Registry) -> Self {
        let text = text(registry);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            samples
                .map(|line| line.rsplit_once(' ').unwrap())
                .map(|(s, v)| (s.to_owned(), v.parse().unwrap()))
                .collect(),
        )
    }

    /// The sum of all series of this name whose labels hold all of these.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let start = format!("{name}{{");
        let series = self.0.iter().filter(|(series, _)| series.starts_with(&start));
        series.filter(|(series, _)| labels.iter().all(|label| series.contains(label))).map(|(_, value)| value).sum()
    }

    /// Every value of every label but `le`, and but the one label that may name a pool.
    fn label_values(&self) -> BTreeSet<String> {
        let labels = self.0.iter().filter_map(|(series, _)| series.split_once('{')?.1.strip_suffix("\"}"));
        let labels = labels.flat_map(|labels| labels.split("\",")).filter_map(|label| label.split_once("=\""));
        labels.filter(|(name, _)| !["le", "pool"].contains(name)).map(|(_, value)| value.to_owned()).collect()
    }
}

const MACHINE: &str = "controller=\"tinkerbellmachine\"";

#[tokio::test(start_paused = true)]
async fn the_numbers_of_a_life_are_those_of_what_happened() {
    let mut lab = Lab::new().await;
    lab.hardware(2).await;
    lab.start_manager().await;
    let registry = lab.registry();
    lab.machine("zeppelin").await;
    lab.until_provisioned("zeppelin").await;

    let now = Scrape::of(&registry);
    let claims = |now: &Scrape, state: &str| {
        now.sum("capt_ipam_claims", &["pool=\"default/my-ip-pool\"", "pool_kind=\"InClusterIPPool\"", state])
    };
    assert_eq!(claims(&now, "state=\"fulfilled\""), 1.0);
    assert_eq!(claims(&now, "state=\"pending\"") + claims(&now, "state=\"terminating\""), 0.0);
    assert_eq!(now.sum("capt_ipam_claim_to_address_seconds_count", &["default/my-ip-pool"]), 1.0);
    assert!(now.sum("capt_ipam_claim_to_address_seconds_sum", &[]) < 5.0);
    assert_eq!(now.sum("capt_workflow_outcomes_total", &["state=\"succeeded\""]), 1.0);
    assert_eq!(now.sum("capt_workflow_outcomes_total", &[]), 1.0);
    assert_eq!(now.sum("capt_release_wait_seconds_count", &[]), 0.0);
    assert_eq!(now.sum("capt_store_objects", &["kind=\"TinkerbellMachine\""]), 1.0);

    lab.delete_machine("zeppelin").await;
    lab.until_released("zeppelin").await;
    tokio::time::sleep(Duration::from_secs(5)).await;

    let now = Scrape::of(&registry);
    for state in ["pending", "fulfilled", "terminating"] {
        let state = format!("state=\"{state}\"");
        let series =
            now.0.iter().filter(|(series, _)| series.starts_with("capt_ipam_claims") && series.contains(&state));
        assert_eq!(series.map(|(_, claims)| *claims).collect::<Vec<_>>(), [0.0], "told, and zero");
    }
    for stage in ["power-off", "release-claims"] {
        assert_eq!(now.sum("capt_release_wait_seconds_count", &[&format!("stage=\"{stage}\"")]), 1.0, "{stage}");
    }
    assert_eq!(now.sum("capt_store_objects", &["kind=\"TinkerbellMachine\""]), 0.0);
    assert_eq!(now.sum("capt_store_objects", &["kind=\"Hardware\""]), 2.0);
    assert_eq!(now.sum("workqueue_depth", &[]), 0.0);
    assert_eq!(now.sum("controller_runtime_active_workers", &[]), 0.0);

    // Every reconcile is counted once, however it ends, and each came through the queue.
    let reconciles = now.sum("controller_runtime_reconcile_total", &[MACHINE]);
    assert!(reconciles >= 5.0, "{reconciles}");
    assert_eq!(now.sum("controller_runtime_reconcile_total", &[MACHINE, "result=\"error\""]), 0.0);
    assert_eq!(now.sum("controller_runtime_reconcile_errors_total", &[]), 0.0);
    assert_eq!(now.sum("controller_runtime_reconcile_time_seconds_count", &[MACHINE]), reconciles);
    assert_eq!(now.sum("workqueue_work_duration_seconds_count", &[MACHINE]), reconciles);
    assert_eq!(now.sum("workqueue_queue_duration_seconds_count", &[MACHINE]), reconciles);
    assert_eq!(now.sum("workqueue_adds_total", &[MACHINE]), reconciles);

    // The server counted as many writes as we did.
    for (method, verb) in [("POST", "create"), ("PATCH", "patch"), ("PUT", "update"), ("DELETE", "delete")] {
        let counted = now.sum("rest_client_requests_total", &[&format!("method=\"{method}\"")]);
        let requests = lab.server.journal().count_requests(Some(MANAGER), Some(verb), None);
        assert_eq!(counted, requests as f64, "{method}");
        assert_eq!(requests > 0, method != "PUT", "{method}");
    }
    let reads = lab.server.journal().count_requests(Some(MANAGER), Some("get"), Some("secrets"));
    assert!(reads > 0 && now.sum("rest_client_requests_total", &["method=\"GET\""]) > reads as f64);
    lab.no_violations();
}

#[tokio::test(start_paused = true)]
async fn trouble_is_counted() {
    let mut lab = Lab::new().await;
    lab.hardware(2).await;
    lab.start_manager().await;
    let registry = lab.registry();
    lab.misbehave(MANAGER);
    lab.machine("a").await;
    lab.until_provisioned("a").await;
    lab.fail_power_off(if lab.address_of("hw-000").is_some() { "hw-000" } else { "hw-001" }, 1);
    lab.delete_machine("a").await;
    lab.until_released("a").await;

    let now = Scrape::of(&registry);
    let errors = now.sum("controller_runtime_reconcile_errors_total", &[MACHINE]);
    assert!(errors > 0.0);
    assert_eq!(now.sum("controller_runtime_reconcile_total", &[MACHINE, "result=\"error\""]), errors);
    assert!(now.sum("workqueue_retries_total", &[MACHINE]) >= errors);
    assert!(now.sum("capt_conflicts_total", &["reason=\"Stale\""]) > 0.0);
    assert!(now.sum("rest_client_requests_total", &["code=\"409\""]) > 0.0);
    assert!(now.sum("rest_client_requests_total", &["code=\"<error>\""]) > 0.0);
    assert_eq!(
        now.sum("capt_release_wait_seconds_count", &["stage=\"power-off\""]),
        1.0,
        "one wait, with a failure in it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_workflow_and_an_address_in_conflict_are_counted_once_each() {
    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.pause_provider();
    lab.start_manager().await;
    lab.machine("m").await;
    let registry = lab.registry();
    lab.until("the claim is there", Duration::from_secs(30), |lab| lab.claims() == 1).await;
    let pending = || Scrape::of(&registry).sum("capt_ipam_claims", &["state=\"pending\""]);
    assert_eq!(pending(), 1.0);
    lab.ip_address("stranger", "other-claim", "10.0.0.150").await;
    lab.claim_status("m-0", serde_json::json!({"addressRef": {"name": "stranger"}})).await;
    lab.until_condition("m", "IPAddressClaimsFulfilled", "False", "ClaimConflict").await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let labels = ["reason=\"ClaimConflict\"", "stage=\"claim\""];
    assert_eq!(Scrape::of(&registry).sum("capt_conflicts_total", &labels), 1.0);

    let mut lab = Lab::new().await;
    lab.hardware(1).await;
    lab.start_manager().await;
    let registry = lab.registry();
    lab.fail_workflow("m");
    lab.machine("m").await;
    lab.until_condition("m", "WorkflowSucceeded", "False", "WorkflowFailed").await;
    lab.drop_watches();
    lab.forget_history();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(Scrape::of(&registry).sum("capt_workflow_outcomes_total", &["state=\"failed\""]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn no_label_tells_the_name_of_an_object() {
    let mut lab = Lab::new().await;
    lab.hardware(2).await;
    lab.start_manager().await;
    let registry = lab.registry();
    lab.machine("zeppelin").await;
    lab.until_provisioned("zeppelin").await;
    lab.delete_machine("zeppelin").await;
    lab.until_released("zeppelin").await;

    let records = lab.server.journal().records();
    let names: BTreeSet<&str> =
        records.iter().flat_map(|write| [write.name.as_str(), write.namespace.as_str()]).collect();
    assert!(names.contains("zeppelin-0") && names.contains("my-ip-pool") && names.contains("metal"), "{names:?}");
    let values = Scrape::of(&registry).label_values();
    assert!(values.contains("TinkerbellMachine") && values.contains("InClusterIPPool"), "{values:?}");
    for value in &values {
        assert!(!names.contains(value.as_str()), "{value} is the name of an object");
        let told = names.iter().find(|name| name.len() > 3 && !name.contains('.') && value.contains(**name));
        assert!(told.is_none(), "{value} holds {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scrape_in_the_middle_of_the_work_harms_neither() {
    let mut lab = Lab::new().await;
    lab.hardware(12).await;
    lab.start_manager().await;
    let registry = lab.registry();
    let scraping = tokio::spawn(async move {
        let mut most_claims: f64 = 0.0;
        loop {
            let now = Scrape::of(&registry);
            let claims = now.sum("capt_ipam_claims", &[]);
            let machines = now.sum("capt_store_objects", &["kind=\"TinkerbellMachine\""]);
            assert!(claims <= 10.0 && machines <= 10.0, "{claims} {machines}");
            most_claims = most_claims.max(claims);
            if most_claims >= 10.0 {
                return most_claims;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for n in 0..10 {
        lab.machine(&format!("m{n}")).await;
    }
    for n in 0..10 {
        lab.until_provisioned(&format!("m{n}")).await;
    }
    assert_eq!(scraping.await.unwrap(), 10.0);
    lab.no_violations();
}
