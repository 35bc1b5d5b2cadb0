//! Every flag that the Cluster API operator may add to the manifest's, together.

use crate::support::{Cluster, Log, Running, free_port, manager, probe, until};

#[test]
fn what_the_cluster_api_operator_passes_is_taken_and_obeyed() {
    let cluster = Cluster::new("operator");
    let certificates = cluster.certificates();
    let [health, metrics, webhooks] = [free_port(), free_port(), free_port()];
    let arguments = [
        "--leader-elect=true".to_owned(),
        "--leader-election-id=kube-public/chosen".to_owned(),
        "--leader-elect-lease-duration=15s".to_owned(),
        "--leader-elect-renew-deadline=10s".to_owned(),
        "--leader-elect-retry-period=2s".to_owned(),
        format!("--health-addr=127.0.0.1:{health}"),
        format!("--metrics-bind-addr=127.0.0.1:{metrics}"),
        "--diagnostics-address=127.0.0.1:0".to_owned(),
        "--insecure-diagnostics=true".to_owned(),
        "--webhook-host=127.0.0.1".to_owned(),
        format!("--webhook-port={webhooks}"),
        format!("--webhook-cert-dir={}", certificates.display()),
        "--profiler-address=localhost:6060".to_owned(),
        "--max-concurrent-reconciles=3".to_owned(),
        "--tinkerbellcluster-concurrency=2".to_owned(),
        "--sync-period=600s".to_owned(),
        "--v=5".to_owned(),
        "--feature-gates=ClusterTopology=true,MachinePool=false".to_owned(),
    ];
    let mut child = manager(&cluster.kubeconfig, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let log = Log::of(&mut child);
    let _running = Running(child);
    until("it leads", || log.text().contains("\"message\":\"became leader\""));
    until("it is ready", || probe(health, "/readyz").starts_with("HTTP/1.1 200"));
    let lease = cluster.server.get("coordination.k8s.io", "leases", Some("kube-public"), "chosen");
    assert!(lease.is_some(), "the Lease is not the one that was asked for");
    let told = probe(metrics, "/metrics");
    for series in [
        r#"controller_runtime_max_concurrent_reconciles{controller="tinkerbellmachine"} 3"#,
        r#"controller_runtime_max_concurrent_reconciles{controller="tinkerbellcluster"} 2"#,
        r#"leader_election_master_status{name="chosen"} 1"#,
    ] {
        assert!(told.contains(series), "no {series} in {told}");
    }
    // On the address asked for, and on no other.
    assert!(std::net::TcpListener::bind(("127.0.0.1", webhooks)).is_err());
    assert!(std::net::TcpListener::bind(("127.0.0.2", webhooks)).is_ok());
}
