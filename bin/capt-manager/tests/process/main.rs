//! The program as an operator runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod admission;
mod diagnostics;
mod endpoints;
mod environment;
mod manifest;
mod operator;
mod readiness;
mod support;

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::Duration;

use memory_apiserver::Fault;
use support::{Cluster, QUIET, await_message, ended, free_port, manager, probe, tell};

#[test]
fn it_works_on_the_cluster_of_its_kubeconfig_and_stops_when_told() {
    let cluster = Cluster::new("works");
    let mut child = manager(&cluster.kubeconfig, &["--health-addr=0"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert!(first.contains("\"message\":\"starting manager\"") && first.contains("\"version\""), "{first}");
    assert!(lines.any(|line| line.contains("\"message\":\"caches synced, ready\"")), "never ready");
    tell(&child, "-TERM");
    assert!(ended(&mut child, Duration::from_secs(12)).success());
}

#[test]
fn it_fails_without_a_cluster_and_does_not_tell_secrets() {
    let directory = std::env::temp_dir().join(format!("capt-manager-bad-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let kubeconfig = directory.join("kubeconfig");
    std::fs::write(&kubeconfig, "apiVersion: v1\nkind: Config\nusers: [{name: u, user: {token: s3cret}}]\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_capt-manager"))
        .arg("-health-addr=0")
        .envs(QUIET)
        .env("KUBECONFIG", &kubeconfig)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("no Kubernetes cluster is configured"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

const ELECT: [&str; 5] = [
    "-leader-elect",
    "-leader-election-namespace=default",
    "-leader-elect-lease-duration=3s",
    "-leader-elect-renew-deadline=2s",
    "-leader-elect-retry-period=200ms",
];

fn holder(cluster: &Cluster) -> String {
    let lease = cluster.server.get("coordination.k8s.io", "leases", Some("default"), "controller-leader-election-capt");
    lease.unwrap()["spec"]["holderIdentity"].as_str().unwrap().to_owned()
}

#[test]
fn a_leader_that_is_told_to_stop_frees_the_lease_and_one_without_a_server_fails() {
    let mut cluster = Cluster::new("leads");
    let arguments: Vec<_> = ELECT.into_iter().chain(["--health-addr=0"]).collect();
    let mut first = manager(&cluster.kubeconfig, &arguments);
    await_message(&mut first, "became leader");
    assert!(holder(&cluster).contains('_'));
    tell(&first, "-TERM");
    assert!(ended(&mut first, Duration::from_secs(12)).success());
    assert_eq!(holder(&cluster), "");

    let mut second = manager(&cluster.kubeconfig, &arguments);
    await_message(&mut second, "became leader");
    let serving = cluster.serving.take().unwrap();
    cluster.runtime.block_on(serving.shutdown());
    let status = ended(&mut second, Duration::from_secs(8));
    assert_eq!(status.code(), Some(1));
}

#[test]
fn probes_get_their_answers() {
    let cluster = Cluster::new("probes");
    let port = free_port();
    let mut child = manager(&cluster.kubeconfig, &[&format!("-health-addr=127.0.0.1:{port}")]);
    await_message(&mut child, "caches synced, ready");
    let answer = probe(port, "/readyz?verbose");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("[+]stores ok\nhealthz check passed\n"), "{answer}");
}

#[test]
fn flags_and_environment_that_make_no_sense_end_with_code_2_and_an_impossible_election_with_1() {
    let run = |argument: &str, variable: (&str, &str)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_capt-manager"));
        command.envs(QUIET).envs([("KUBECONFIG", "/none"), variable]);
        let output = command.arg(argument).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(run("-no-such-flag", ("V", "0")).0, Some(2));
    assert_eq!(run("-v=0", ("LEADER_ELECT", "maybe")).0, Some(2));
    let (code, text) = run("-health-addr=0", ("LEADER_ELECT", "true"));
    assert!(code == Some(1) && text.contains("--leader-election-namespace: no namespace is given"), "{text}");
}

#[test]
fn without_a_webhook_certificate_it_runs_and_is_not_ready() {
    let cluster = Cluster::new("webhooks");
    let (health, webhooks) = (free_port(), free_port());
    let arguments = [
        format!("-health-addr=127.0.0.1:{health}"),
        format!("-webhook-port={webhooks}"),
        "-webhook-cert-dir=/nowhere/certificates".to_owned(),
    ];
    let mut child = manager(&cluster.kubeconfig, &arguments.each_ref().map(String::as_str));
    await_message(&mut child, "caches synced, ready");
    assert!(std::net::TcpStream::connect(("127.0.0.1", webhooks)).is_ok());
    let answer = probe(health, "/readyz?verbose");
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("[+]stores ok\n[-]webhook failed\n"), "{answer}");
    assert!(probe(health, "/healthz/webhook").starts_with("HTTP/1.1 500"));
    tell(&child, "-TERM");
    assert!(ended(&mut child, Duration::from_secs(12)).success());
}

#[test]
fn a_stop_ends_in_time_although_the_server_hangs_and_a_second_signal_ends_it_at_once() {
    let cluster = Cluster::new("hangs");
    let arguments: Vec<_> = ELECT.into_iter().chain(["--health-addr=0"]).collect();
    for (signals, within, code) in [(1, Duration::from_secs(10), Some(0)), (2, Duration::from_millis(1500), Some(1))] {
        let mut child = manager(&cluster.kubeconfig, &arguments);
        await_message(&mut child, "became leader");
        let hang = cluster.server.faults().inject(Fault::latency(Duration::from_secs(60)).resource("leases").always());
        for _ in 0..signals {
            tell(&child, "-TERM");
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(ended(&mut child, within).code(), code, "{signals} signals");
        cluster.server.faults().remove(hang);
    }
}

/// The manager with this file as its external kubeconfig: exit code, if it ends within a while, and its log until it is
/// ready or ends.
fn with_external_kubeconfig(cluster: &Cluster, content: Option<&str>) -> (Option<i32>, String) {
    let file = cluster.kubeconfig.with_file_name("external");
    match content {
        Some(content) => std::fs::write(&file, content).unwrap(),
        None => assert!(!file.exists()),
    }
    let mut child =
        manager(&cluster.kubeconfig, &["--health-addr=0", &format!("--external-kubeconfig={}", file.display())]);
    let mut log = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
        log.push_str(&line);
        log.push('\n');
        if line.contains("\"message\":\"caches synced, ready\"") {
            child.kill().unwrap();
        }
    }
    (child.wait().unwrap().code(), log)
}

#[test]
fn an_external_kubeconfig_that_is_there_is_used_or_refused_without_being_quoted() {
    let cluster = Cluster::new("external");
    for nothing in [None, Some(""), Some(" \n")] {
        let (code, log) = with_external_kubeconfig(&cluster, nothing);
        assert_eq!(code, None, "{log}");
        assert!(log.contains(r#""tinkerbellClientMode":"local""#), "{log}");
        assert!(log.contains("using local Tinkerbell for CRD operations"), "{log}");
    }
    for bad in [
        "s3cret: [",
        "users: [{name: u, user: {token: s3cret}}]",
        "apiVersion: v1\nkind: Config\ncurrent-context: s3cret",
    ] {
        let (code, log) = with_external_kubeconfig(&cluster, Some(bad));
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains("--external-kubeconfig") && !log.contains("s3cret"), "{log}");
    }
    let good = cluster.serving.as_ref().unwrap().kubeconfig("tinkerbell");
    let (code, log) = with_external_kubeconfig(&cluster, Some(&good));
    assert_eq!(code, None, "{log}");
    assert!(log.contains(r#""tinkerbellClientMode":"external""#), "{log}");
    assert!(log.contains("using external Tinkerbell with JIT per-namespace watches"), "{log}");
}
