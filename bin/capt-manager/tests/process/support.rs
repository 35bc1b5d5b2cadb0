//! The program under test, and clusters for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use capt_simulators::crds::Group;
use memory_apiserver::{MemoryApiServer, Serving};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// No listener but those that a test asks for.
pub const QUIET: [(&str, &str); 4] = [
    ("METRICS_BIND_ADDR", "0"),
    ("DIAGNOSTICS_ADDRESS", "0"),
    ("LOCAL_DIAGNOSTICS_ADDRESS", "0"),
    ("WEBHOOK_PORT", "0"),
];

pub fn manager(kubeconfig: &std::path::Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_capt-manager"))
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .env_remove("RUST_LOG")
        // Several of them run at once, on one machine.
        .envs(QUIET)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How the process ends.
pub fn ended(child: &mut Child, within: Duration) -> std::process::ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > within {
            child.kill().unwrap();
            panic!("still runs after {within:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A cluster with the kinds of CAPT and its neighbours, and a kubeconfig for it.
pub struct Cluster {
    pub runtime: tokio::runtime::Runtime,
    pub server: MemoryApiServer,
    pub serving: Option<Serving>,
    pub kubeconfig: std::path::PathBuf,
}

impl Cluster {
    pub fn new(name: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(async { MemoryApiServer::new() });
        for crd in capt_api::crds().unwrap() {
            server.apply_manifest(&serde_json::to_string(&crd).unwrap()).unwrap();
        }
        for crd in Group::ALL.iter().flat_map(|group| group.crds()) {
            server.apply_manifest(crd).unwrap();
        }
        let serving = runtime.block_on(server.serve()).unwrap();
        let directory = std::env::temp_dir().join(format!("capt-manager-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let kubeconfig = directory.join("kubeconfig");
        std::fs::write(&kubeconfig, serving.kubeconfig("capt")).unwrap();
        Self { runtime, server, serving: Some(serving), kubeconfig }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.kubeconfig.parent().unwrap());
    }
}

pub fn tell(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Reads the log until a message.
pub fn await_message(child: &mut Child, message: &str) {
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
    let message = format!("\"message\":\"{message}\"");
    assert!(lines.any(|line| line.contains(&message)), "no {message}");
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Body and status of a probe.
pub fn probe(port: u16, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Cluster {
    /// A file that is removed with the cluster.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.kubeconfig.with_file_name(name)
    }

    /// A folder with a certificate for the webhooks.
    pub fn certificates(&self) -> std::path::PathBuf {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let folder = self.file("certificates");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
        folder
    }
}

/// Status and body of an answer over TLS, whoever shows which certificate.
pub fn ask_tls(port: u16, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
    let mut stream = StreamOwned::new(connection(), std::net::TcpStream::connect(("127.0.0.1", port)).unwrap());
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: h\r\n{token}Connection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    // Some servers end TLS without saying so.
    let _ = stream.read_to_string(&mut answer);
    let (head, body) = answer.split_once("\r\n\r\n").expect("no head");
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The certificate that a server shows, as DER.
pub fn shown_certificate(port: u16) -> Vec<u8> {
    let mut connection = connection();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).unwrap();
    }
    connection.peer_certificates().unwrap()[0].to_vec()
}

/// One side of TLS with a server that may show any certificate.
fn connection() -> ClientConnection {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate)).with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

/// Takes every certificate: who serves is not what is tested with it.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The log of a program, as it comes.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    /// Reads the log of the program from now on.
    pub fn of(child: &mut Child) -> Self {
        let log = Self::default();
        let (lines, kept) = (BufReader::new(child.stdout.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut kept = kept.0.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        log
    }

    pub fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// A manager that is killed at the end.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is true.
pub fn until(what: &str, mut check: impl FnMut() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < Duration::from_secs(60), "not within 60 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The manager with its webhooks, and its ports for health and webhooks; it listens on the former.
pub fn serving_webhooks(cluster: &Cluster, certificates: &std::path::Path) -> (Running, u16, u16) {
    let (health, webhooks) = (free_port(), free_port());
    let arguments = [
        format!("-health-addr=127.0.0.1:{health}"),
        "-webhook-host=127.0.0.1".to_owned(),
        format!("-webhook-port={webhooks}"),
        format!("-webhook-cert-dir={}", certificates.display()),
    ];
    let running = Running(manager(&cluster.kubeconfig, &arguments.each_ref().map(String::as_str)));
    until("it listens", || std::net::TcpStream::connect(("127.0.0.1", health)).is_ok());
    (running, health, webhooks)
}
