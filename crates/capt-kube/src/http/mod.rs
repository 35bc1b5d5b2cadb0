//! Plain HTTP for a few local readers: probes, Prometheus, a person with curl.

pub(crate) mod places;
mod reply;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use places::Places;
pub use reply::{Answer, PLAIN, content, is_read, not_found, text, wrong_method};

/// Readers send their requests at once; whoever does not is none.
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// More than any reader's request line and headers, and hyper's minimum.
const BUFFER: usize = 8 * 1024;
/// How long a connection may live, so that idle ones do not pile up.
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// Connections served at once. One more takes the place of an idle one, so that the kubelet's probes get through.
pub const CONNECTIONS: usize = 64;

/// Listens on an address as Go programs write it: `:9440` is every address of the machine. Nothing for an empty
/// address or `0`, which turn a server off.
///
/// # Errors
/// When the address makes no sense or is in use.
pub async fn bind(address: &str) -> anyhow::Result<Option<TcpListener>> {
    let address = address.trim();
    if address.is_empty() || address == "0" {
        return Ok(None);
    }
    let listener = match address.strip_prefix(':') {
        Some(port) => match TcpListener::bind(format!("[::]:{port}")).await {
            Ok(listener) => Ok(listener),
            // There are machines without IPv6.
            Err(_) => TcpListener::bind(format!("0.0.0.0:{port}")).await,
        },
        None => TcpListener::bind(address).await,
    };
    listener.map(Some).with_context(|| format!("cannot listen on {address}"))
}

/// Answers requests, for ever.
pub async fn serve<A, F>(listener: TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    serve_over(listener, |stream| std::future::ready(Some(stream)), answer).await;
}

/// Answers requests over TLS, for ever.
pub async fn serve_tls<A, F>(listener: TcpListener, acceptor: TlsAcceptor, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let handshake = move |stream: TcpStream| {
        let accepted = acceptor.accept(stream);
        async move { tokio::time::timeout(HANDSHAKE, accepted).await.ok().and_then(Result::ok) }
    };
    serve_over(listener, handshake, answer).await;
}

async fn serve_over<H, O, S, A, F>(listener: TcpListener, handshake: H, answer: A)
where
    H: Fn(TcpStream) -> O,
    O: Future<Output = Option<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let answer = Arc::new(answer);
    let places = Places::new(CONNECTIONS);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                // Out of file descriptors, or a connection that went away: others may still come.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (answer, place) = (answer.clone(), places.take(peer.ip()).await);
        let stream = handshake(stream);
        tokio::spawn(async move {
            let stream = tokio::select! {
                stream = stream => stream,
                () = place.revoked() => None,
            };
            let Some(stream) = stream else { return };
            let calls = place.calls();
            let service = service_fn(|request| {
                let (call, answer) = (calls.begin(), answer(request));
                async move {
                    let answer = answer.await;
                    drop(call);
                    Ok::<_, Infallible>(answer)
                }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(stream), service);
            // Whatever a peer does wrong is no concern of ours.
            tokio::select! {
                _ = tokio::time::timeout(CONNECTION_LIFE, connection) => {}
                () = place.revoked() => {}
            }
        });
    }
}
