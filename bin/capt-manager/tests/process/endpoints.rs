//! What the program tells while it works: metrics, health, diagnostics, log.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use capt_simulators::{Simulators, fixtures, tinkerbell};
use serde_json::{Value, json};

use crate::support::{Cluster, Log, Running, free_port, manager, probe, until};

/// In the bootstrap data and nowhere else.
const SECRET: &str = "s3cret-bootstrap-data";
const MACHINE: &str = "told-machine";
const SERVER: &str = "told-server";

/// The program after it has provisioned a machine.
struct Told {
    metrics: u16,
    health: u16,
    diagnostics: u16,
    log: Log,
    _manager: Running,
    _cluster: Cluster,
}

impl Told {
    fn provisioned(name: &str) -> Self {
        let cluster = Cluster::new(name);
        let server = cluster.server.clone();
        cluster.runtime.block_on(async {
            Simulators::builder(move |user| server.client(user))
                .tinkerbell(tinkerbell::Options { step: Duration::from_millis(5), ..Default::default() })
                .cluster_api(None)
                .start()
        });
        let (metrics, health, diagnostics) = (free_port(), free_port(), free_port());
        let arguments = [
            format!("-metrics-bind-addr=127.0.0.1:{metrics}"),
            format!("-health-addr=127.0.0.1:{health}"),
            format!("-local-diagnostics-address=127.0.0.1:{diagnostics}"),
            "-leader-elect".to_owned(),
            "-leader-election-namespace=default".to_owned(),
        ];
        let mut child = manager(&cluster.kubeconfig, &arguments.each_ref().map(String::as_str));
        let log = Log::of(&mut child);
        let told = Self { metrics, health, diagnostics, log, _manager: Running(child), _cluster: cluster };
        until("it listens", || TcpStream::connect(("127.0.0.1", diagnostics)).is_ok());
        // As loud as it gets, while the Secret is read and written.
        assert!(told.put_log("trace").starts_with("HTTP/1.1 200"));
        for manifest in manifests() {
            told._cluster.server.apply_manifest(&manifest.to_string()).unwrap();
        }
        told.provision();
        told
    }

    fn provision(&self) {
        let server = &self._cluster.server;
        let uid =
            server.get("cluster.x-k8s.io", "machines", Some("default"), MACHINE).unwrap()["metadata"]["uid"].clone();
        let owner = json!([{"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "name": MACHINE, "uid": uid, "controller": true}]);
        let machine = json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine",
            "metadata": {"namespace": "default", "name": MACHINE, "ownerReferences": owner, "labels": {"cluster.x-k8s.io/cluster-name": "c"}},
            "spec": {"ipamPoolRef": {"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": "told-pool"}}});
        server.apply_manifest(&machine.to_string()).unwrap();
        until("the machine is ready", || {
            let machine = server.get("infrastructure.cluster.x-k8s.io", "tinkerbellmachines", Some("default"), MACHINE);
            machine.unwrap().pointer("/status/ready") == Some(&json!(true))
        });
    }

    fn put_log(&self, filter: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.diagnostics)).unwrap();
        let length = filter.len();
        write!(
            stream,
            "PUT /log HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{filter}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn log(&self) -> String {
        self.log.text()
    }

    fn samples(&self) -> BTreeMap<String, f64> {
        let scrape = probe(self.metrics, "/metrics");
        assert!(scrape.starts_with("HTTP/1.1 200"), "{scrape}");
        let (_, text) = scrape.split_once("\r\n\r\n").unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }
}

fn manifests() -> Vec<Value> {
    let labels = BTreeMap::new();
    vec![
        json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"namespace": "default", "name": "c"},
            "spec": {"infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellCluster", "name": "c"}}}),
        json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellCluster",
            "metadata": {"namespace": "default", "name": "c", "labels": {"cluster.x-k8s.io/cluster-name": "c"}},
            "spec": {"controlPlaneEndpoint": {"host": "10.0.0.50", "port": 6443}}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "default", "name": "bootstrap"},
            "stringData": {"value": format!("#cloud-config\n# {SECRET}\n")}}),
        json!({"apiVersion": "ipam.cluster.x-k8s.io/v1alpha2", "kind": "InClusterIPPool", "metadata": {"namespace": "default", "name": "told-pool"},
            "spec": {"addresses": ["10.0.0.1-10.0.0.9"], "prefix": 24, "gateway": "10.0.0.254"}}),
        fixtures::hardware("default", SERVER, "02:00:00:00:00:07", &labels, None),
        json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine",
            "metadata": {"namespace": "default", "name": MACHINE, "labels": {"cluster.x-k8s.io/cluster-name": "c"}},
            "spec": {"clusterName": "c", "version": "v1.33.5", "bootstrap": {"dataSecretName": "bootstrap"},
                "infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellMachine", "name": MACHINE}}}),
    ]
}

#[test]
fn metrics_health_and_diagnostics_tell_of_a_machine_that_was_provisioned_and_of_no_secret() {
    let told = Told::provisioned("told");

    // The pass that makes a machine ready ends a moment later.
    let success = r#"controller_runtime_reconcile_total{controller="tinkerbellmachine",result="success"}"#;
    until("a pass is counted", || told.samples().get(success).is_some_and(|passes| *passes >= 1.0));
    let samples = told.samples();
    let value = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("no {name} in {samples:#?}"));
    assert_eq!(value(r#"controller_runtime_max_concurrent_reconciles{controller="tinkerbellmachine"}"#), 10.0);
    assert_eq!(value(r#"leader_election_master_status{name="controller-leader-election-capt"}"#), 1.0);
    let total =
        |name: &str| samples.iter().filter(|(series, _)| series.starts_with(name)).map(|(_, value)| value).sum::<f64>();
    assert!(total("rest_client_requests_total") >= 20.0);
    assert_eq!(total("controller_runtime_reconcile_panics_total"), 0.0);
    assert!(value("process_resident_memory_bytes") > 1e6 && value("process_cpu_seconds_total") > 0.0);
    assert_eq!(total("capt_ipam_claims"), 1.0, "{samples:#?}");
    assert_eq!(total("workqueue_depth"), 0.0);
    let scrape = probe(told.metrics, "/metrics");
    let golden = include_str!("../../../../crates/capt-kube/tests/golden/go-metrics.txt");
    // No webhook is served here, so none was called.
    let told_of = |line: &&str| !line.starts_with('#') && !line.starts_with("controller_runtime_webhook_requests");
    for line in golden.lines().filter(told_of) {
        let (name, rest) = line.split_once(' ').unwrap();
        let kind = rest.split_whitespace().next().unwrap();
        assert!(scrape.contains(&format!("# TYPE {name} {kind}\n")), "no {kind} {name}");
    }
    let named: Vec<_> = samples.keys().filter(|series| series.contains(MACHINE) || series.contains(SERVER)).collect();
    assert!(named.is_empty(), "labels that hold names of objects: {named:?}");

    assert!(probe(told.health, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(probe(told.health, "/healthz").starts_with("HTTP/1.1 200"));

    let state = probe(told.diagnostics, "/state");
    let state: Value = serde_json::from_str(state.split_once("\r\n\r\n").unwrap().1).unwrap();
    let kind =
        |name: &str| state["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == name).cloned().unwrap();
    for name in ["TinkerbellMachine", "Hardware", "IPAddressClaim", "IPAddress", "Workflow", "Cluster"] {
        assert_eq!(kind(name)["objects"], 1, "{name}: {state:#}");
        assert!(kind(name)["ageSeconds"].as_f64().is_some_and(|age| age < 300.0), "{name}: {state:#}");
    }
    assert_eq!(state["lease"]["leading"], true, "{state:#}");
    assert!(state["queues"].as_array().is_some_and(|queues| queues.len() == 2), "{state:#}");

    until("the filter takes effect", || told.log().contains("\"message\":\"reconciled\""));
    let log = told.log();
    let page = probe(told.diagnostics, "/");
    for (what, text) in [("log", &log), ("diagnostics", &page), ("metrics", &scrape)] {
        assert!(!text.contains(SECRET), "the {what} hold bootstrap data");
        // As base64, too.
        assert!(!text.contains("czNjcmV0"), "the {what} hold bootstrap data");
    }
    assert!(told.put_log("no such [filter").starts_with("HTTP/1.1 400"));
    assert!(told.put_log("off").starts_with("HTTP/1.1 200"));
    assert!(probe(told.diagnostics, "/log").ends_with("off\n"));
}

#[test]
fn a_port_that_is_taken_is_told_and_ends_the_program() {
    let cluster = Cluster::new("taken");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    // Webhooks are served on all addresses, so all of them have to be free.
    let everywhere = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let webhooks = everywhere.local_addr().unwrap().port();
    for (flag, value) in [
        ("health-addr", address.to_string()),
        ("metrics-bind-addr", address.to_string()),
        ("diagnostics-address", address.to_string()),
        ("local-diagnostics-address", address.to_string()),
        ("webhook-port", webhooks.to_string()),
    ] {
        let mut arguments = vec!["-health-addr=0".to_owned()];
        arguments.push(format!("--{flag}={value}"));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut child = manager(&cluster.kubeconfig, &arguments);
        let status = crate::support::ended(&mut child, Duration::from_secs(10));
        let mut log = String::new();
        child.stdout.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(status.code(), Some(1), "{flag}: {log}");
        assert!(log.contains(&format!("--{flag}")), "{flag}: {log}");
    }
}
