//! `/metrics`, for Prometheus.

use ::http::{Method, Request, StatusCode};
use tokio::net::TcpListener;

use crate::http::{self, Answer};
use crate::metrics::{CONTENT_TYPE, Registry, text};

/// Answers scrapes, for ever.
pub async fn serve(listener: TcpListener, registry: Registry) {
    http::serve(listener, move |request: Request<_>| {
        std::future::ready(answer(&registry, request.method(), request.uri().path()))
    })
    .await;
}

pub(super) fn answer(registry: &Registry, method: &Method, path: &str) -> Answer {
    match path {
        "/metrics" if http::is_read(method) => http::content(StatusCode::OK, CONTENT_TYPE, text(registry)),
        "/metrics" => http::wrong_method("GET, HEAD"),
        _ => http::not_found(),
    }
}
