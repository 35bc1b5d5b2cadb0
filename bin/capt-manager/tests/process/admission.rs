//! The webhooks of the program, over TLS, as an API server calls them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::support::{Cluster, Running, probe, serving_webhooks, until};

#[path = "../../../../crates/capt-reconciler/tests/golden/calls.rs"]
mod golden;
use golden::{calls, decoded};

/// The program with its webhooks, and who trusts their certificate.
struct Webhooks {
    port: u16,
    trust: Arc<ClientConfig>,
    _manager: Running,
    _cluster: Cluster,
}

impl Webhooks {
    fn start(name: &str) -> Self {
        let cluster = Cluster::new(name);
        let certificates = cluster.certificates();
        let (running, health, port) = serving_webhooks(&cluster, &certificates);
        until("it is ready", || probe(health, "/readyz").starts_with("HTTP/1.1 200"));
        Self { port, trust: trusting(&certificates.join("tls.crt")), _manager: running, _cluster: cluster }
    }

    /// Status and body of the answer.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u64, Vec<u8>) {
        let server = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(self.trust.clone(), server).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n").unwrap();
        // A server that refuses a body need not read it to its end.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("no head");
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
        (head.split(' ').nth(1).unwrap().parse().unwrap(), answer[end + 4..].to_vec())
    }
}

fn trusting(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

#[test]
fn every_recorded_call_is_answered_by_the_program_as_go_capt_did() {
    let webhooks = Webhooks::start("golden");
    for call in calls() {
        let (status, body) = webhooks.ask("POST", &call.path, &call.body);
        assert_eq!(status, call.http, "{}", call.name);
        assert_eq!(decoded(body), call.answer, "{}", call.name);
    }
}

#[test]
fn whatever_is_sent_gets_an_answer_and_harms_nothing() {
    let webhooks = Webhooks::start("odd-calls");
    let path = "/validate-infrastructure-cluster-x-k8s-io-v1beta1-tinkerbellmachine";
    let large = vec![b'x'; 8 << 20];
    let missing = webhooks.ask("POST", "/validate-nothing", b"{}").0;
    assert_eq!(missing, 404);
    assert_eq!(webhooks.ask("POST", path, &large).0, 413);
    assert_eq!(webhooks.ask("GET", path, b"").0, 405);
    for odd in [&b""[..], b"{", b"\xff\xfe", b"[]", br#"{"request":7}"#] {
        let (status, body) = webhooks.ask("POST", path, odd);
        assert_eq!(status, 200, "a review is refused in a review");
        let review: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(review["response"]["allowed"], json!(false), "{review}");
        assert!(review["response"]["status"]["code"].as_u64().is_some_and(|code| code >= 400), "{review}");
    }
    let first = calls().remove(0);
    assert_eq!(webhooks.ask("POST", &first.path, &first.body).0, first.http, "it goes on");
}
