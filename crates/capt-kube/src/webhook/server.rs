//! Connections: accepted, made secure, served, and ended in good order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::answer::{Paths, answer};
use crate::certificates::Certificates;
use crate::http::places::{Place, Places};
use crate::serve::health::Check;
use crate::{http, metrics};

/// How long a handshake may take.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections served at once; one more takes the place of an idle one. API servers need a handful each.
pub const CONNECTIONS: usize = 512;
/// How long a connection lives at most, so that API servers find replicas that came later.
pub const AGE: Duration = Duration::from_secs(600);
/// Calls at once on one connection.
const STREAMS: u32 = 64;
/// What one HTTP/2 connection may send ahead of being read, in bytes; bodies that are being read count elsewhere.
const WINDOW: u32 = 128 * 1024;
/// How long the head of a request may take, and how long an idle HTTP/1 connection is kept.
const HEAD: Duration = Duration::from_secs(30);
/// How often an HTTP/2 peer that is silent is asked whether it is still there.
const ALIVE: Duration = Duration::from_secs(30);
/// How long calls under way may go on after their connection came of age.
const LAST_CALLS: Duration = Duration::from_secs(40);
/// How long calls under way may go on after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(1);

/// The webhook server, listening.
pub struct Server {
    listener: TcpListener,
    certificates: Arc<Certificates>,
    accepting: Arc<AtomicBool>,
    places: Arc<Places>,
}

impl Server {
    /// Listens; nobody is answered before [`Server::run`]. `address` is as for [`http::bind`]; nothing where that
    /// turns the server off.
    ///
    /// # Errors
    /// When the address makes no sense or is in use.
    pub async fn bind(address: &str, certificates: Certificates) -> anyhow::Result<Option<Self>> {
        let listener = http::bind(address).await?;
        Ok(listener.map(|listener| Self {
            listener,
            certificates: Arc::new(certificates),
            accepting: Arc::default(),
            places: Places::new(CONNECTIONS),
        }))
    }

    /// The same server for so many connections at once, instead of [`CONNECTIONS`].
    #[must_use]
    pub fn with_places(self, most: usize) -> Self {
        Self { places: Places::new(most), ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener.local_addr().context("no local address")
    }

    /// The certificate it serves with.
    pub fn certificates(&self) -> Arc<Certificates> {
        self.certificates.clone()
    }

    /// Whether connections are accepted and there is a certificate for them.
    pub fn check(&self) -> Check {
        let (accepting, certificates) = (self.accepting.clone(), self.certificates.clone());
        Check::new("webhook", move || accepting.load(Ordering::Relaxed) && certificates.is_there())
    }

    /// Answers, and counts what it does, until cancelled; then lets the calls under way come to their end.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn run(self, cancel: CancellationToken, counts: metrics::Webhook) -> anyhow::Result<()> {
        let acceptor = acceptor(self.certificates.clone())?;
        let paths = Arc::new(Paths::new(&counts));
        let stop = CancellationToken::new();
        self.accepting.store(true, Ordering::Relaxed);
        let _not_any_more = Unset(self.accepting.clone());
        let mut connections = tokio::task::JoinSet::new();
        let accept = async {
            loop {
                while connections.try_join_next().is_some() {}
                match self.listener.accept().await {
                    Ok((stream, peer)) => {
                        let place = self.places.take(peer.ip()).await;
                        let (acceptor, paths, stop) = (acceptor.clone(), paths.clone(), stop.clone());
                        connections.spawn(serve_connection(stream, acceptor, place, paths, stop));
                    }
                    // Out of file descriptors, or a connection that went away: others may still come.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        tokio::select! {
            () = accept => {}
            () = self.certificates.follow(&counts) => {}
            () = cancel.cancelled() => {}
        }
        drop(self.listener);
        stop.cancel();
        let _ = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
        Ok(())
    }
}

struct Unset(Arc<AtomicBool>);

impl Drop for Unset {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

async fn serve_connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    place: Place,
    paths: Arc<Paths>,
    stop: CancellationToken,
) {
    let shaken = tokio::select! {
        shaken = timeout(HANDSHAKE, acceptor.accept(stream)) => shaken,
        () = place.revoked() => return,
        () = stop.cancelled() => return,
    };
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            debug!(%error, "TLS handshake failed");
            return;
        }
        Err(_) => {
            debug!("TLS handshake timed out");
            return;
        }
    };
    // The handshake settled the protocol; guessing it from the first bytes would have no end in time.
    let second = stream.get_ref().1.alpn_protocol() == Some(H2);
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if second { builder.http2_only() } else { builder.http1_only() };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(ALIVE)
        .keep_alive_timeout(HANDSHAKE)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let calls = place.calls();
    let service = service_fn(move |request| {
        let (paths, call) = (paths.clone(), calls.begin());
        async move {
            let answer = answer(request, &paths).await;
            drop(call);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        () = sleep(AGE) => Err(LAST_CALLS),
        // It was idle; only a call that begins at this very moment is still under way.
        () = place.revoked() => Err(DRAIN),
        () = stop.cancelled() => Err(DRAIN),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(grace) => {
            connection.as_mut().graceful_shutdown();
            match timeout(grace, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    // Whatever a peer does wrong is no concern of ours.
    if let Err(error) = ended {
        debug!(%error, "webhook connection ended with an error");
    }
}

const H2: &[u8] = b"h2";

fn acceptor(certificates: Arc<Certificates>) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS")?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
