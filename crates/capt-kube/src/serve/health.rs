//! `/healthz` and `/readyz`, with the answers of Kubernetes' own health endpoints.
//!
//! A probe gets 200 `ok`, or 500 with the list of checks. `?verbose` always lists them, `/readyz/<check>` asks for one.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A probe sends its request at once; whoever does not is no probe.
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// More than any probe's request, and hyper's minimum.
const BUFFER: usize = 8 * 1024;
/// How long a connection may live, so that idle ones do not pile up.
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// Connections served at once; more of them wait.
const CONNECTIONS: usize = 64;

/// A question with yes or no for an answer.
pub struct Check {
    name: &'static str,
    passes: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Check {
    /// A check. The name appears in paths and answers.
    pub fn new(name: &'static str, passes: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { name, passes: Box::new(passes) }
    }
}

/// The checks of both endpoints.
#[derive(Default)]
pub struct Checks {
    /// Whether the process should live on (`/healthz`). Without a check, an answer is proof enough.
    pub health: Vec<Check>,
    /// Whether it can do its work (`/readyz`).
    pub ready: Vec<Check>,
}

/// Answers probes, for ever.
pub async fn serve(listener: TcpListener, checks: Checks) {
    let checks = Arc::new(checks);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of file descriptors, or a connection that went away: others may still come.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let checks = checks.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| {
                let answer = checks.answer(request.method(), request.uri().path(), request.uri().query());
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(stream), answer);
            // Whatever a peer does wrong is no concern of ours.
            let _ = tokio::time::timeout(CONNECTION_LIFE, connection).await;
            drop(place);
        });
    }
}

impl Checks {
    fn answer(&self, method: &Method, path: &str, query: Option<&str>) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        let mut parts = path.trim_start_matches('/').splitn(2, '/');
        let checks = match parts.next() {
            Some("healthz") => &self.health,
            Some("readyz") => &self.ready,
            _ => return text(StatusCode::NOT_FOUND, "404 page not found\n"),
        };
        let verbose = query.is_some_and(|query| {
            query.split('&').any(|parameter| parameter == "verbose" || parameter.starts_with("verbose="))
        });
        match parts.next().filter(|name| !name.is_empty()) {
            None => all(checks.iter(), verbose),
            Some(name) => match checks.iter().find(|check| check.name == name) {
                Some(check) => all(std::iter::once(check), verbose),
                None => text(StatusCode::NOT_FOUND, "404 page not found\n"),
            },
        }
    }
}

fn all<'a>(checks: impl Iterator<Item = &'a Check>, verbose: bool) -> Response<Full<Bytes>> {
    let mut list = String::new();
    let mut passed = true;
    for check in checks {
        let passes = (check.passes)();
        passed &= passes;
        let (sign, word) = if passes { ('+', "ok") } else { ('-', "failed") };
        let _ = writeln!(list, "[{sign}]{} {word}", check.name);
    }
    // The word is `healthz` for both endpoints, as upstream.
    list.push_str(if passed { "healthz check passed\n" } else { "healthz check failed\n" });
    match (passed, verbose) {
        (true, false) => text(StatusCode::OK, "ok"),
        (true, true) => text(StatusCode::OK, list),
        (false, _) => text(StatusCode::INTERNAL_SERVER_ERROR, list),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    response
}
