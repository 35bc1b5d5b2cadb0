//! One call over HTTP: what is checked before the body is looked at, as the Go server does.

use std::time::Duration;

use capt_reconciler::admission;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::serve::http::{self as reply, Answer};

/// Longest body that is taken, in bytes: a review holds an object twice, and the API server stores up to 1.5 MiB of it,
/// more while it is being changed. Go's server takes 7 MiB, too.
pub const MAX_BODY: usize = 7 * 1024 * 1024;
/// How long a body may take: longer than the API server waits for an answer at most.
const BODY: Duration = Duration::from_secs(35);
const JSON: &str = "application/json";

/// Answers one call.
pub(super) async fn answer(request: Request<Incoming>) -> Answer {
    // Without the query: the API server puts its patience there.
    let path = request.uri().path().to_owned();
    if !admission::REGISTRATIONS.iter().any(|registration| registration.path == path) {
        return reply::not_found();
    }
    if request.method() != Method::POST {
        return reply::wrong_method("POST");
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).map(|value| value.as_bytes().to_owned());
    let body = match timeout(BODY, Limited::new(request.into_body(), MAX_BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let text = format!("request entity is too large; limit is {MAX_BODY} bytes\n");
            return reply::text(StatusCode::PAYLOAD_TOO_LARGE, text);
        }
        Ok(Err(_)) => return reply::text(StatusCode::BAD_REQUEST, "the body ended early\n"),
        Err(_) => return reply::text(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
    };
    let content_type = content_type.unwrap_or_default();
    let answer = if body.is_empty() || content_type == JSON.as_bytes() {
        admission::answer(&path, &body)
    } else {
        let found = String::from_utf8_lossy(&content_type);
        admission::refuse(&format!("contentType={found}, expected {JSON}"))
    };
    let status = StatusCode::from_u16(answer.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply::content(status, JSON, answer.body)
}
