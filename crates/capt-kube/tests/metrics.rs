//! Metrics, as Prometheus and the dashboards made for the Go manager see them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use capt_kube::http::bind;
use capt_kube::lease::Election;
use capt_kube::metrics::Requests;
use capt_kube::serve;
use capt_kube::{Clients, Manager, Settings};
use memory_apiserver::{Fault, MemoryApiServer};
use tokio_util::sync::CancellationToken;
use tower::Layer;

mod common;
use common::asking::ask;
use common::server::{Running, apply, core_kinds, until};

/// One sample: name, labels, value.
type Sample = (String, BTreeMap<String, String>, f64);

/// What a scrape told, read by the rules of the text format: every line is a comment or a sample, and every sample
/// stands under the declaration of its family.
struct Scrape {
    types: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

impl Scrape {
    fn read(text: &str) -> Self {
        let (mut types, mut samples) = (BTreeMap::new(), Vec::new());
        let mut family = (String::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                family = (name.to_owned(), kind.to_owned());
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is declared twice");
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                assert!(rest.split_once(' ').is_some_and(|(_, help)| help.len() > 8), "no help: {line}");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
                let suffixes: &[&str] = if family.1 == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(suffixes.iter().any(|s| name == format!("{}{s}", family.0)), "{line} under {family:?}");
                let labels = labels.strip_suffix('}').unwrap().split("\",").filter(|label| !label.is_empty());
                let labels = labels.map(|label| {
                    let (name, value) = label.split_once("=\"").unwrap();
                    (name.to_owned(), value.trim_end_matches('"').to_owned())
                });
                let sample: Sample = (name.to_owned(), labels.collect(), value.parse().unwrap());
                let known = samples.iter().any(|(name, labels, _)| *name == sample.0 && *labels == sample.1);
                assert!(!known, "told twice: {line}");
                samples.push(sample);
            }
        }
        Self { types, samples }
    }

    /// The label sets of a family, `le` left out.
    fn label_sets(&self, family: &str) -> BTreeSet<Vec<&str>> {
        let of_family = |name: &str| {
            name.strip_prefix(family).is_some_and(|suffix| matches!(suffix, "" | "_bucket" | "_sum" | "_count"))
        };
        let samples = self.samples.iter().filter(|(name, ..)| of_family(name));
        samples.map(|(_, labels, _)| labels.keys().map(String::as_str).filter(|name| *name != "le").collect()).collect()
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let found = self.samples.iter().find(|sample| sample.0 == name && sample.1 == wanted);
        found.unwrap_or_else(|| panic!("no {name}{labels:?}")).2
    }
}

/// A manager that takes part in an election and whose requests are counted, and its endpoint.
async fn scraped(server: &MemoryApiServer) -> (Running, SocketAddr) {
    apply(server, &core_kinds());
    let requests = Requests::default();
    let client = kube::Client::new(requests.layer("api:6443").layer(server.service("capt")), "default");
    let clients = Clients { requests, ..Clients::from(client) };
    let settings = Settings { election: Some(Election::new("default")), machine_workers: 7, ..Settings::default() };
    let manager = Arc::new(Manager::new(clients, settings));
    drop(manager.metrics().webhook.path("/a"));
    let cancel = CancellationToken::new();
    let task = tokio::spawn({
        let (manager, cancel) = (manager.clone(), cancel.clone());
        async move { manager.run(cancel).await }
    });
    let listener = bind("127.0.0.1:0").await.unwrap().unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve::metrics::serve(listener, manager.registry()));
    let leads = || manager.snapshot().lease.is_some_and(|lease| lease.leading);
    until("it leads", Duration::from_secs(10), leads).await;
    (Running { manager, cancel, task }, address)
}

async fn scrape(address: SocketAddr) -> Scrape {
    let answer = ask(address, "GET", "/metrics", "").await;
    assert_eq!(answer.code, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    Scrape::read(&answer.body)
}

#[tokio::test]
async fn a_dashboard_of_the_go_manager_finds_every_name_type_and_label_it_asks_for() {
    let server = MemoryApiServer::new();
    let (_running, address) = scraped(&server).await;
    let scrape = scrape(address).await;
    let golden = include_str!("golden/go-metrics.txt");
    let mut names = 0;
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (name, kind) = (words.next().unwrap(), words.next().unwrap());
        assert_eq!(scrape.types.get(name).map(String::as_str), Some(kind), "type of {name}");
        assert_eq!(scrape.label_sets(name), [words.collect()].into(), "labels of {name}");
        names += 1;
    }
    assert_eq!(names, 29);
    let own: Vec<_> = scrape.types.keys().filter(|name| !golden.contains(*name)).collect();
    assert!(own.iter().all(|name| name.starts_with("capt_")), "{own:?}");
}

#[tokio::test]
async fn what_is_told_is_what_is() {
    let server = MemoryApiServer::new();
    let (running, address) = scraped(&server).await;
    let now = scrape(address).await;
    let machine = [("controller", "tinkerbellmachine")];
    assert_eq!(now.value("controller_runtime_max_concurrent_reconciles", &machine), 7.0);
    assert_eq!(now.value("controller_runtime_max_concurrent_reconciles", &[("controller", "tinkerbellcluster")]), 10.0);
    assert_eq!(now.value("leader_election_master_status", &[("name", "controller-leader-election-capt")]), 1.0);
    for result in ["success", "error", "requeue", "requeue_after"] {
        let labels = [("controller", "tinkerbellmachine"), ("result", result)];
        assert_eq!(now.value("controller_runtime_reconcile_total", &labels), 0.0);
    }
    // The Lease is the one thing it made.
    let posts = [("code", "201"), ("host", "api:6443"), ("method", "POST")];
    assert_eq!(now.value("rest_client_requests_total", &posts), 1.0);
    assert_eq!(now.value("capt_store_objects", &[("kind", "Hardware")]), 0.0);
    assert_eq!(now.value("capt_store_ready", &[("kind", "Hardware")]), 1.0);

    apply(&server, &[hardware()]);
    let hardware = || running.manager.snapshot().kinds.iter().any(|kind| kind.kind == "Hardware" && kind.objects == 1);
    until("Hardware is seen", Duration::from_secs(5), hardware).await;
    let fault = Fault::connection_error_before().verb("watch").resource("hardware").times(2);
    server.faults().inject(fault);
    server.faults().drop_watches(None);
    let restarts = || running.manager.snapshot().kinds.iter().any(|kind| kind.restarts >= 2);
    until("the watch failed", Duration::from_secs(10), restarts).await;
    let now = scrape(address).await;
    assert_eq!(now.value("capt_store_objects", &[("kind", "Hardware")]), 1.0);
    assert_eq!(now.value("capt_watch_restarts_total", &[("kind", "Hardware")]), 2.0);
    assert_eq!(now.value("capt_watch_restarts_total", &[("kind", "Machine")]), 0.0);
    let unanswered = [("code", "<error>"), ("host", "api:6443"), ("method", "GET")];
    assert_eq!(now.value("rest_client_requests_total", &unanswered), 2.0);
    assert!(now.value("capt_watch_age_seconds", &[("kind", "Hardware")]) < 60.0);
}

fn hardware() -> String {
    "apiVersion: tinkerbell.org/v1alpha1\nkind: Hardware\nmetadata: {name: h, namespace: default}\nspec: {}\n"
        .to_owned()
}

#[tokio::test]
async fn buckets_hold_what_is_observed_and_end_with_all_of_it() {
    let server = MemoryApiServer::new();
    let (running, address) = scraped(&server).await;
    let queue = running.manager.metrics().queues.of("tinkerbellmachine");
    for millis in [0, 5, 50, 500, 5000] {
        queue.taken(Duration::from_millis(millis));
    }
    let now = scrape(address).await;
    let labels = [("name", "tinkerbellmachine"), ("controller", "tinkerbellmachine")];
    let bucket = |le: &str| {
        let labels: Vec<_> = labels.iter().copied().chain([("le", le)]).collect();
        now.value("workqueue_queue_duration_seconds_bucket", &labels)
    };
    let les: Vec<&str> = {
        let buckets = now.samples.iter().filter(|(name, labels, _)| {
            name == "workqueue_queue_duration_seconds_bucket" && labels["name"] == "tinkerbellmachine"
        });
        buckets.map(|(_, labels, _)| labels["le"].as_str()).collect()
    };
    assert_eq!((les.len(), *les.last().unwrap()), (13, "+Inf"));
    let counts: Vec<f64> = les.iter().map(|le| bucket(le)).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    let at_most = |seconds: f64| {
        let (le, _) =
            les.iter().map(|le| (le, le.parse::<f64>().unwrap())).find(|(_, le)| *le >= seconds * 0.999).unwrap();
        bucket(le)
    };
    assert_eq!((at_most(0.001), at_most(0.01), at_most(0.1), at_most(1.0), bucket("+Inf")), (1.0, 2.0, 3.0, 4.0, 5.0));
    assert_eq!(now.value("workqueue_queue_duration_seconds_count", &labels), 5.0);
    assert!((now.value("workqueue_queue_duration_seconds_sum", &labels) - 5.555).abs() < 1e-9);
}

#[tokio::test]
async fn nothing_but_a_scrape_is_answered() {
    let server = MemoryApiServer::new();
    let (_running, address) = scraped(&server).await;
    for path in ["/", "/metrics/", "/metricsx", "/debug/pprof"] {
        assert_eq!(ask(address, "GET", path, "").await.code, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let answer = ask(address, method, "/metrics", "x").await;
        assert_eq!(answer.code, 405);
        assert!(answer.head.contains("allow: get, head"), "{}", answer.head);
    }
    let head = ask(address, "HEAD", "/metrics", "").await;
    assert_eq!((head.code, head.body.as_str()), (200, ""));
    assert_eq!(ask(address, "GET", "/metrics?name[]=up", "").await.code, 200);
}
