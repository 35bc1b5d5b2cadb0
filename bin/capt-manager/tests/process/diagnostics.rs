//! The diagnostics address, as Prometheus and people see it: as that of Cluster API's managers.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use crate::support::{Cluster, Log, Running, ask_tls, free_port, manager, probe, shown_certificate, until};

/// Tokens are names of users here.
const PROMETHEUS: &str = "prometheus";
const OPERATOR: &str = "operator-with-a-s3cret";

struct Diagnostics {
    port: u16,
    log: Log,
    _manager: Running,
    cluster: Cluster,
}

/// Prometheus may read metrics, the operator anything.
fn start(name: &str, arguments: &[String]) -> Diagnostics {
    let cluster = Cluster::new(name);
    cluster.server.answer_access_reviews(|asked| {
        asked.user == OPERATOR || (asked.user == PROMETHEUS && (asked.verb, asked.path) == ("get", "/metrics"))
    });
    let port = free_port();
    let mut all = vec!["-health-addr=0".to_owned(), format!("-diagnostics-address=127.0.0.1:{port}")];
    all.extend_from_slice(arguments);
    let mut child = manager(&cluster.kubeconfig, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let log = Log::of(&mut child);
    let running = Diagnostics { port, log, _manager: Running(child), cluster };
    until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    running
}

#[test]
fn metrics_state_and_log_are_for_whom_the_api_server_allows_them_and_for_nobody_else() {
    let running = start("guarded", &["-v=9".to_owned()]);
    let ask = |method, path, token| ask_tls(running.port, method, path, token, "debug");
    assert_eq!(ask("GET", "/metrics", None).0, 401);
    assert_eq!(ask("GET", "/metrics", Some("anonymous")).0, 401, "a token that nobody has");
    let (code, metrics) = ask("GET", "/metrics", Some(PROMETHEUS));
    assert!(code == 200 && metrics.contains("# TYPE process_cpu_seconds_total counter"), "{code} {metrics}");
    for (method, path) in [("GET", "/state"), ("GET", "/"), ("PUT", "/log"), ("PUT", "/metrics")] {
        assert_eq!(ask(method, path, Some(PROMETHEUS)).0, 403, "{method} {path}");
    }
    let (code, state) = ask("GET", "/state", Some(OPERATOR));
    assert_eq!(code, 200);
    assert!(serde_json::from_str::<Value>(&state).unwrap()["queues"].is_array(), "{state}");
    assert_eq!(ask("PUT", "/log", Some(OPERATOR)), (200, "debug\n".to_owned()));
    assert_eq!(ask_tls(running.port, "PUT", "/debug/flags/v", Some(OPERATOR), "8"), (200, "trace\n".to_owned()));
    assert_eq!(ask("GET", "/nothing", Some(OPERATOR)).0, 404);
    until("the change is told", || running.log.text().contains("log filter changed"));
    let log = running.log.text();
    assert!(!log.contains("s3cret"), "the log holds a token: {log}");
}

#[test]
fn plain_http_gets_nothing_where_diagnostics_are_guarded() {
    let running = start("no-plain", &[]);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", running.port)).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn the_certificate_is_that_of_the_webhooks_where_there_is_one() {
    let alone = start("own-certificate", &[]);
    assert!(!shown_certificate(alone.port).is_empty());
    let folder = alone.cluster.certificates();
    let wanted = CertificateDer::from_pem_file(folder.join("tls.crt")).unwrap().to_vec();
    let with = start(
        "webhooks-certificate",
        &[
            format!("-webhook-port={}", free_port()),
            "-webhook-host=127.0.0.1".to_owned(),
            format!("-webhook-cert-dir={}", folder.display()),
        ],
    );
    until("the webhooks' certificate is shown", || shown_certificate(with.port) == wanted);
}

#[test]
fn insecure_diagnostics_are_plain_metrics_and_nothing_else() {
    let port = free_port();
    // Cluster API's own recipe: both at one address.
    let arguments = ["-insecure-diagnostics".to_owned(), format!("-metrics-bind-addr=127.0.0.1:{port}")];
    let cluster = Cluster::new("insecure");
    let mut all = vec!["-health-addr=0".to_owned(), format!("--diagnostics-address=127.0.0.1:{port}")];
    all.extend(arguments);
    let child = manager(&cluster.kubeconfig, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let _running = Running(child);
    until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    assert!(probe(port, "/metrics").starts_with("HTTP/1.1 200"));
    for path in ["/state", "/log", "/", "/debug/flags/v"] {
        assert!(probe(port, path).starts_with("HTTP/1.1 404"), "{path}");
    }
}

#[test]
fn an_api_server_that_answers_no_reviews_lets_nobody_in() {
    let running = start("no-reviews", &[]);
    let faults = running.cluster.server.faults();
    let refused = || memory_apiserver::Fault::status(403, "Forbidden", "not yours");
    faults.inject(refused().resource("tokenreviews").always());
    assert_eq!(ask_tls(running.port, "GET", "/metrics", Some(PROMETHEUS), "").0, 500);
    until("it is told", || {
        running.log.text().contains("TokenReview or SubjectAccessReview for the diagnostics server failed")
    });
}
