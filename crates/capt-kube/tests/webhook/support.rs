//! A running server, and clients for it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use capt_kube::certificates::{CERTIFICATE, Certificates, KEY};
use capt_kube::metrics::{Metrics, Registry};
use capt_kube::serve::health::{Check, Checks};
use capt_kube::webhook::{CONNECTIONS, Server};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// A certificate and its key, as PEM.
pub fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A folder of its own, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("capt-webhook-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.0.join(name), content).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Running {
    pub folder: Folder,
    pub address: SocketAddr,
    pub certificates: Arc<Certificates>,
    metrics: Metrics,
    pub cancel: CancellationToken,
    pub task: Option<JoinHandle<anyhow::Result<()>>>,
    health: SocketAddr,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Http {
    One,
    Two,
}

impl Running {
    /// With a certificate, ready.
    pub async fn start(name: &str) -> Self {
        Self::small(name, CONNECTIONS).await
    }

    /// With a certificate, ready, for so many connections at once.
    pub async fn small(name: &str, most: usize) -> Self {
        let folder = Folder::new(name);
        let (certificate, key) = pair();
        folder.write(CERTIFICATE, &certificate);
        folder.write(KEY, &key);
        let running = Self::with_places(folder, most).await;
        while !running.certificates.is_there() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        running
    }

    pub async fn of(folder: Folder) -> Self {
        Self::with_places(folder, CONNECTIONS).await
    }

    /// For so many connections at once.
    pub async fn with_places(folder: Folder, most: usize) -> Self {
        let server = Server::bind("127.0.0.1:0", Certificates::new(&folder.0)).await.unwrap().unwrap();
        let server = server.with_places(most);
        let (address, certificates, check) = (server.address().unwrap(), server.certificates(), server.check());
        let cancel = CancellationToken::new();
        let metrics = Metrics::default();
        let task = Some(tokio::spawn(server.run(cancel.clone(), metrics.webhook.clone())));
        let health = health(check).await;
        Self { folder, address, certificates, metrics, cancel, task, health }
    }

    /// The value of a series.
    pub fn counted(&self, series: &str) -> u64 {
        let mut registry = Registry::default();
        self.metrics.register(&mut registry);
        let text = capt_kube::metrics::text(&registry);
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {series} in\n{text}"))
    }

    /// What the check of the health endpoint says.
    pub fn passes(&self) -> bool {
        use std::io::{Read, Write};
        let health = self.health;
        let answer = std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(health).unwrap();
            stream.write_all(b"GET /readyz/webhook HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        answer.join().unwrap().starts_with("HTTP/1.1 200")
    }

    pub async fn handshake(&self, http: Http) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        config.alpn_protocols = vec![if http == Http::Two { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    pub async fn connect(&self, http: Http) -> Client {
        let stream = self.handshake(http).await.unwrap();
        let (_, tls) = stream.get_ref();
        let certificate = tls.peer_certificates().unwrap()[0].to_vec();
        let wanted: &[u8] = if http == Http::Two { b"h2" } else { b"http/1.1" };
        assert_eq!(tls.alpn_protocol(), Some(wanted));
        let sender = if http == Http::Two {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Sender::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Sender::One(sender)
        };
        Client { certificate, sender }
    }
}

async fn health(check: Check) -> SocketAddr {
    let listener = capt_kube::http::bind("127.0.0.1:0").await.unwrap().unwrap();
    let address = listener.local_addr().unwrap();
    // On a thread of its own: `passes` blocks.
    let listener = listener.into_std().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            capt_kube::serve::health::serve(listener, Checks { ready: vec![check], ..Checks::default() }).await;
        });
    });
    address
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

pub struct Client {
    /// What the server showed, as DER.
    pub certificate: Vec<u8>,
    sender: Sender,
}

pub struct Call {
    pub method: &'static str,
    pub path: String,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Call {
    pub fn post(path: &str, body: Vec<u8>) -> Self {
        Self { method: "POST", path: path.to_owned(), content_type: "application/json", body }
    }
}

impl Client {
    /// Status and body.
    pub async fn call(&mut self, call: Call) -> (u16, Vec<u8>) {
        let request = http::Request::builder()
            .method(call.method)
            .uri(format!("https://localhost{}", call.path))
            .header("host", "localhost")
            .header("content-type", call.content_type)
            .body(Full::new(call.body.into()))
            .unwrap();
        let response = match &mut self.sender {
            Sender::One(sender) => sender.send_request(request).await.unwrap(),
            Sender::Two(sender) => sender.send_request(request).await.unwrap(),
        };
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }
}

/// Takes every certificate: who serves is not what is tested.
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
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
