//! One call over HTTP: what is checked before the body is looked at, as the Go server does.

use std::time::Duration;

use capt_reconciler::admission;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::metrics::{self, WebhookPath};
use crate::serve::http::{self as reply, Answer};

/// Longest body that is taken, in bytes: a review holds an object twice, and the API server stores up to 1.5 MiB of it,
/// more while it is being changed. Go's server takes 7 MiB, too.
pub const MAX_BODY: usize = 7 * 1024 * 1024;
/// How long a body may take: longer than the API server waits for an answer at most.
const BODY: Duration = Duration::from_secs(35);
const JSON: &str = "application/json";

/// The webhooks, by path, each with its counts.
pub(super) struct Paths(Vec<WebhookPath>);

impl Paths {
    pub(super) fn new(counts: &metrics::Webhook) -> Self {
        Self(admission::REGISTRATIONS.iter().map(|registration| counts.path(registration.path)).collect())
    }
}

/// Answers one call.
pub(super) async fn answer(request: Request<Incoming>, paths: &Paths) -> Answer {
    // Without the query: the API server puts its patience there.
    let Some(webhook) = paths.0.iter().find(|webhook| webhook.path() == request.uri().path()) else {
        return reply::not_found();
    };
    let _under_way = webhook.begin();
    let answer = decide(request, webhook.path()).await;
    webhook.end(answer.status().as_u16());
    answer
}

async fn decide(request: Request<Incoming>, path: &str) -> Answer {
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
        admission::answer(path, &body)
    } else {
        let found = String::from_utf8_lossy(&content_type);
        admission::refuse(&format!("contentType={found}, expected {JSON}"))
    };
    let status = StatusCode::from_u16(answer.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply::content(status, JSON, answer.body)
}
