//! What a person wants to know of a manager that behaves oddly, and the log's filter. For loopback: whoever reaches it
//! sees names of objects and can make the log loud.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | what goes on, to read |
//! | `GET /state` | the same as JSON |
//! | `GET /log` | the log's filter |
//! | `PUT /log` | sets the filter to the body, such as `info,capt_kube=debug` |

use std::net::SocketAddr;
use std::sync::Arc;

use ::http::{Method, Request, StatusCode};
use anyhow::{Context, ensure};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::http::{self, Answer};
use super::{bind, page};
use crate::snapshot::Snapshot;

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

/// Listens like [`bind`], but not where others than this machine's users reach it, unless `anywhere`.
///
/// # Errors
/// When the address makes no sense, is in use, or is reachable from outside.
pub async fn bind_loopback(address: &str, anywhere: bool) -> anyhow::Result<Option<TcpListener>> {
    let Some(listener) = bind(address).await? else {
        return Ok(None);
    };
    let bound: SocketAddr = listener.local_addr().context("no local address")?;
    ensure!(
        anywhere || bound.ip().is_loopback(),
        "{address} can be reached from outside, and diagnostics ask for no password"
    );
    Ok(Some(listener))
}

/// Answers, for ever. `snapshot` says what goes on.
pub async fn serve(
    listener: TcpListener,
    snapshot: impl Fn() -> Snapshot + Send + Sync + 'static,
    log: Arc<dyn LogFilter>,
) {
    let snapshot = Arc::new(snapshot);
    http::serve(listener, move |request| {
        let (snapshot, log) = (snapshot.clone(), log.clone());
        async move { answer(request, &*snapshot, &*log).await }
    })
    .await;
}

async fn answer(request: Request<Incoming>, snapshot: &(dyn Fn() -> Snapshot + Sync), log: &dyn LogFilter) -> Answer {
    let read = http::is_read(request.method());
    match request.uri().path() {
        "/" if read => http::text(StatusCode::OK, page::of(&snapshot(), &log.get())),
        "/state" if read => match serde_json::to_vec_pretty(&snapshot()) {
            Ok(json) => http::content(StatusCode::OK, "application/json", json),
            Err(_) => http::text(StatusCode::INTERNAL_SERVER_ERROR, "no JSON\n"),
        },
        "/log" if read => http::text(StatusCode::OK, format!("{}\n", log.get())),
        "/log" if request.method() == Method::PUT => set(request, log).await,
        "/log" => http::wrong_method("GET, HEAD, PUT"),
        "/" | "/state" => http::wrong_method("GET, HEAD"),
        _ => http::not_found(),
    }
}

async fn set(request: Request<Incoming>, log: &dyn LogFilter) -> Answer {
    let body = match Limited::new(request.into_body(), MAX_FILTER).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return http::text(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {MAX_FILTER} bytes\n"));
        }
        Err(_) => return http::text(StatusCode::BAD_REQUEST, "the body ended early\n"),
    };
    let filter = std::str::from_utf8(&body).map(str::trim).unwrap_or_default();
    if filter.is_empty() {
        return http::text(StatusCode::BAD_REQUEST, "a filter is wanted, such as info,capt_kube=debug\n");
    }
    match log.set(filter) {
        Ok(()) => {
            tracing::info!(filter = log.get(), "the log's filter was changed");
            http::text(StatusCode::OK, format!("{}\n", log.get()))
        }
        Err(error) => http::text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}
