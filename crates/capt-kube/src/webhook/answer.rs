//! One call over HTTP: what is checked before the body is looked at, as the Go server does.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use capt_reconciler::{admission, conversion};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::http::{self as reply, Answer};
use crate::metrics::{self, WebhookPath};

/// Longest body that is taken, in bytes: a review holds an object twice, and the API server stores up to 1.5 MiB of it,
/// more while it is being changed. Go's server takes 7 MiB, too.
pub const MAX_BODY: usize = 7 * 1024 * 1024;
/// Bytes of bodies that are held at once, over all connections. Go CAPT's manifest grants the container 200 MiB.
pub const ALL_BODIES: usize = 64 * 1024 * 1024;
/// How long a body may take. API servers send it at once, and the room that it takes is that of others.
const BODY: Duration = Duration::from_secs(10);
const JSON: &str = "application/json";

/// The webhooks, by path, each with its counts.
pub(super) struct Paths {
    paths: Vec<WebhookPath>,
    /// Room for bodies, a permit a byte.
    room: Semaphore,
}

impl Paths {
    pub(super) fn new(counts: &metrics::Webhook) -> Self {
        let paths = admission::REGISTRATIONS.iter().map(|registration| registration.path).chain([conversion::PATH]);
        let paths = paths.map(|path| counts.path(path)).collect();
        Self { paths, room: Semaphore::new(ALL_BODIES) }
    }
}

/// Answers one call.
pub(super) async fn answer(request: Request<Incoming>, paths: &Paths) -> Answer {
    // Without the query: the API server puts its patience there.
    let Some(webhook) = paths.paths.iter().find(|webhook| webhook.path() == request.uri().path()) else {
        return reply::not_found();
    };
    let _under_way = webhook.begin();
    let answer = decide(request, webhook.path(), &paths.room).await;
    webhook.end(answer.status().as_u16());
    answer
}

async fn decide(request: Request<Incoming>, path: &str, room: &Semaphore) -> Answer {
    if request.method() != Method::POST {
        return reply::wrong_method("POST");
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).map(|value| value.as_bytes().to_owned());
    let (body, _room) = match timeout(BODY, read(request.into_body(), room)).await {
        Ok(Ok(read)) => read,
        Ok(Err(Unread::TooLarge)) => {
            let text = format!("request entity is too large; limit is {MAX_BODY} bytes\n");
            return reply::text(StatusCode::PAYLOAD_TOO_LARGE, text);
        }
        Ok(Err(Unread::Ended)) => return reply::text(StatusCode::BAD_REQUEST, "the body ended early\n"),
        Err(_) => return reply::text(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
    };
    let content_type = content_type.unwrap_or_default();
    let refusal = (!body.is_empty() && content_type != JSON.as_bytes())
        .then(|| format!("contentType={}, expected {JSON}", String::from_utf8_lossy(&content_type)));
    let (status, body) = match refusal {
        None if path == conversion::PATH => (200, conversion::answer(&body)),
        Some(why) if path == conversion::PATH => (200, conversion::refuse(&why)),
        None => taken_apart(admission::answer(path, &body)),
        Some(why) => taken_apart(admission::refuse(&why)),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply::content(status, JSON, body)
}

fn taken_apart(answer: admission::Answer) -> (u16, Vec<u8>) {
    (answer.http, answer.body)
}

/// Why there is no body.
enum Unread {
    TooLarge,
    Ended,
}

/// Reads a body. What it takes of the common room grows with what has really come, so that nobody holds room with a promise;
/// it is given back when the permit is dropped.
async fn read(mut body: Incoming, room: &Semaphore) -> Result<(Bytes, SemaphorePermit<'_>), Unread> {
    // Zero permits are there at all times, unless the semaphore was closed, which nobody does.
    let mut held = room.acquire_many(0).await.map_err(|_| Unread::Ended)?;
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Ended)?.into_data() else { continue };
        if read.len().saturating_add(data.len()) > MAX_BODY {
            return Err(Unread::TooLarge);
        }
        let more = u32::try_from(data.len()).map_err(|_| Unread::TooLarge)?;
        held.merge(room.acquire_many(more).await.map_err(|_| Unread::Ended)?);
        read.extend_from_slice(&data);
    }
    Ok((read.freeze(), held))
}
