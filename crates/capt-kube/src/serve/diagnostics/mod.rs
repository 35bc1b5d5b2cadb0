//! What a person wants to know of a manager that behaves oddly, and the log's filter.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | what goes on, to read |
//! | `GET /state` | the same as JSON |
//! | `GET /log` | the log's filter |
//! | `PUT /log` | sets the filter to the body, such as `info,capt_kube=debug` |
//! | `PUT /debug/flags/v` | sets the filter to what the flag `--v` with this number stands for, as Cluster API's managers do |
//! | `GET /metrics` | the metrics; not on loopback, where they have a place of their own |
//!
//! It is told in two places: on loopback to whoever is on this machine ([`serve_locally`]), and over TLS to whom the API server
//! knows and allows it ([`serve_guarded`]).

mod certificate;
mod guard;

use std::net::SocketAddr;
use std::sync::Arc;

use ::http::{Method, Request, StatusCode};
use anyhow::{Context, ensure};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{metrics, page};
use crate::certificates::Certificates;
use crate::http::bind;
use crate::http::{self, Answer};
use crate::metrics::Registry;
use crate::snapshot::Snapshot;

pub use guard::Guard;

/// Longest filter that is taken, in bytes.
pub const MAX_FILTER: usize = 4096;

/// The log's filter.
pub trait LogFilter: Send + Sync + 'static {
    /// The filter in force.
    fn get(&self) -> String;
    /// Puts another one in force.
    ///
    /// # Errors
    /// What is wrong with it; the former one stays in force.
    fn set(&self, filter: &str) -> Result<(), String>;
}

/// The level that klog's flag `--v` stands for.
#[must_use]
pub fn level_of(verbosity: i32) -> &'static str {
    match verbosity {
        ..=3 => "info",
        4..=6 => "debug",
        7.. => "trace",
    }
}

/// What is told.
pub struct Told {
    snapshot: Box<dyn Fn() -> Snapshot + Send + Sync>,
    log: Arc<dyn LogFilter>,
}

impl Told {
    /// `snapshot` says what goes on.
    pub fn new(snapshot: impl Fn() -> Snapshot + Send + Sync + 'static, log: Arc<dyn LogFilter>) -> Self {
        Self { snapshot: Box::new(snapshot), log }
    }
}

/// Listens like [`bind`], but not where others than this machine's users reach it.
///
/// # Errors
/// When the address makes no sense, is in use, or is reachable from outside.
pub async fn bind_loopback(address: &str) -> anyhow::Result<Option<TcpListener>> {
    let Some(listener) = bind(address).await? else {
        return Ok(None);
    };
    let bound: SocketAddr = listener.local_addr().context("no local address")?;
    ensure!(bound.ip().is_loopback(), "{address} can be reached from outside, and no password is asked for there");
    Ok(Some(listener))
}

/// Answers whoever asks, for ever.
pub async fn serve_locally(listener: TcpListener, told: Arc<Told>) {
    http::serve(listener, move |request| {
        let told = told.clone();
        async move { answer(request, &told).await }
    })
    .await;
}

/// Answers over TLS whom the guard lets in, for ever. The certificate is that of the webhooks, where there is one.
///
/// # Errors
/// When TLS cannot be set up.
pub async fn serve_guarded(
    listener: TcpListener,
    told: Arc<Told>,
    registry: Registry,
    guard: Guard,
    webhooks: Option<Arc<Certificates>>,
) -> anyhow::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(certificate::config(webhooks)?));
    let (registry, guard) = (Arc::new(registry), Arc::new(guard));
    http::serve_tls(listener, acceptor, move |request| {
        let (told, registry, guard) = (told.clone(), registry.clone(), guard.clone());
        async move {
            if let Some(refusal) = guard.refusal(&request).await {
                return refusal;
            }
            match request.uri().path() {
                "/metrics" => metrics::answer(&registry, request.method(), "/metrics"),
                _ => answer(request, &told).await,
            }
        }
    })
    .await;
    Ok(())
}

async fn answer(request: Request<Incoming>, told: &Told) -> Answer {
    let (read, put) = (http::is_read(request.method()), request.method() == Method::PUT);
    let log = &*told.log;
    match request.uri().path() {
        "/" if read => http::text(StatusCode::OK, page::of(&(told.snapshot)(), &log.get())),
        "/state" if read => match serde_json::to_vec_pretty(&(told.snapshot)()) {
            Ok(json) => http::content(StatusCode::OK, "application/json", json),
            Err(_) => http::text(StatusCode::INTERNAL_SERVER_ERROR, "no JSON\n"),
        },
        "/log" if read => http::text(StatusCode::OK, format!("{}\n", log.get())),
        "/log" if put => match body(request).await {
            Ok(filter) => set(&filter, log),
            Err(refusal) => *refusal,
        },
        "/debug/flags/v" if put => match body(request).await.map(|body| body.parse()) {
            Ok(Ok(verbosity)) => set(level_of(verbosity), log),
            Ok(Err(_)) => http::text(StatusCode::BAD_REQUEST, "a number is wanted, such as 4\n"),
            Err(refusal) => *refusal,
        },
        "/log" => http::wrong_method("GET, HEAD, PUT"),
        "/debug/flags/v" => http::wrong_method("PUT"),
        "/" | "/state" => http::wrong_method("GET, HEAD"),
        _ => http::not_found(),
    }
}

/// The body without space around it, empty where it is no text; or what to answer.
async fn body(request: Request<Incoming>) -> Result<String, Box<Answer>> {
    let refusal = match Limited::new(request.into_body(), MAX_FILTER).collect().await {
        Ok(body) => return Ok(std::str::from_utf8(&body.to_bytes()).map(str::trim).unwrap_or_default().to_owned()),
        Err(error) if error.is::<LengthLimitError>() => {
            http::text(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {MAX_FILTER} bytes\n"))
        }
        Err(_) => http::text(StatusCode::BAD_REQUEST, "the body ended early\n"),
    };
    Err(Box::new(refusal))
}

fn set(filter: &str, log: &dyn LogFilter) -> Answer {
    if filter.is_empty() {
        return http::text(StatusCode::BAD_REQUEST, "a filter is wanted, such as info,capt_kube=debug\n");
    }
    match log.set(filter) {
        Ok(()) => {
            tracing::info!(filter = log.get(), "log filter changed");
            http::text(StatusCode::OK, format!("{}\n", log.get()))
        }
        Err(error) => http::text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}
