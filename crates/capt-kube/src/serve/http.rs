//! Plain HTTP for a few local readers: probes, Prometheus, a person with curl.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::places::Places;

/// An answer, all of it in memory.
pub type Answer = Response<Full<Bytes>>;

/// Plain text.
pub const PLAIN: &str = "text/plain; charset=utf-8";

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

/// Whether the method asks for something and changes nothing.
pub fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// An answer in plain text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    content(status, PLAIN, body)
}

/// An answer of this content type.
pub fn content(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The answer for a path that leads nowhere.
pub fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// The answer to a method that the path does not take; it names those it does.
pub fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed}\n"));
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}
