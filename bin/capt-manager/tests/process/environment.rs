//! Flags from the environment, as manifests set them.

use std::process::{Command, Stdio};

use crate::support::{Cluster, Log, QUIET, Running, free_port, probe, until};

fn start(cluster: &Cluster, variables: &[(&str, &str)]) -> (Running, Log) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_capt-manager"));
    command.env_remove("RUST_LOG").envs(QUIET).env("KUBECONFIG", &cluster.kubeconfig).envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let log = Log::of(&mut child);
    (Running(child), log)
}

#[test]
fn a_variable_that_nobody_filled_in_counts_as_unset_and_is_told() {
    let cluster = Cluster::new("placeholders");
    let health = format!("127.0.0.1:{}", free_port());
    // LEADER_ELECT and V would end the program with code 2 if they were read.
    let (_running, log) = start(
        &cluster,
        &[
            ("CAPT_HEALTH_ADDR", &health),
            ("TINKERBELL_IP", "${TINKERBELL_IP:=''}"),
            ("LEADER_ELECT", "${LEADER_ELECT}"),
            ("CAPT_V", " ${VERBOSITY:=4}"),
            ("NAMESPACE", ""),
        ],
    );
    until("it is ready", || log.text().contains("\"message\":\"caches synced, ready\""));
    let told = log.text();
    for variable in ["TINKERBELL_IP", "LEADER_ELECT", "CAPT_V"] {
        let line = format!(
            "\"message\":\"environment variable holds an unsubstituted placeholder, treated as unset\",\"variable\":\"{variable}\""
        );
        assert_eq!(told.matches(&line).count(), 1, "{variable}: {told}");
    }
    assert_eq!(told.matches("an unsubstituted placeholder").count(), 3, "{told}");
}

#[test]
fn a_variable_of_the_config_map_wins_over_the_one_of_clusterctl() {
    let cluster = Cluster::new("prefixed");
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let (_running, log) = start(
        &cluster,
        &[
            ("HEALTH_ADDR", "${HEALTH_ADDR:=:9440}"),
            ("CAPT_HEALTH_ADDR", &address),
            ("V", "0"),
            ("CAPT_V", "4"),
            ("CAPT_RUST_LOG", "info,capt_manager=debug"),
        ],
    );
    until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    until("it is ready", || probe(port, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(log.text().contains("\"variable\":\"HEALTH_ADDR\""), "it is told all the same: {}", log.text());
}
