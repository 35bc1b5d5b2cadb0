//! When the program says that it is ready.

use memory_apiserver::Fault;

use crate::support::{Cluster, probe, serving_webhooks, until};

#[test]
fn it_is_alive_and_not_ready_before_every_store_is_filled() {
    let cluster = Cluster::new("readiness");
    let unread = cluster.server.faults().inject(Fault::connection_error_before().resource("hardware").always());
    let certificates = cluster.certificates();
    let (_manager, health, _) = serving_webhooks(&cluster, &certificates);
    let ready = || probe(health, "/readyz?verbose");
    until("the certificate is served", || ready().contains("[+]webhook ok\n"));
    let half = ready();
    assert!(half.starts_with("HTTP/1.1 500") && half.contains("[-]stores failed\n"), "{half}");
    assert!(probe(health, "/healthz").starts_with("HTTP/1.1 200"), "it is alive all the same");

    cluster.server.faults().remove(unread);
    until("it is ready", || ready().starts_with("HTTP/1.1 200"));
}
