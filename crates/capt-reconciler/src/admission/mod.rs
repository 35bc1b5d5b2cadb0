//! What the webhooks answer: from the bytes of an AdmissionReview to the bytes of its answer, without a server.
//!
//! Paths, names, messages and status codes are Go CAPT's. What differs: a template may be dry-run by the topology
//! controller and its `spec.template.metadata` may change, `ipamPoolRef` has rules, defaulting leaves the status alone.

mod cluster;
mod field_errors;
mod machine;
mod refusal;
mod registration;
mod request;
mod review;
mod template;

pub use registration::{OPERATIONS, REGISTRATIONS, REVIEW_VERSIONS, Registration, Webhook};

use review::Review;
use serde_json::Value;

/// What the webhook server sends back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status: 404 for a path without webhook, else 200, whatever the decision.
    pub http: u16,
    /// An AdmissionReview as JSON, or plain text with status 404.
    pub body: Vec<u8>,
}

/// Answers one call. `path` is the URL's path without its query, `body` the request's body.
///
/// Any bytes get an answer: what is no AdmissionReview is refused inside one, with code 400.
pub fn answer(path: &str, body: &[u8]) -> Answer {
    let Some(registration) = REGISTRATIONS.iter().find(|registration| registration.path == path) else {
        return Answer { http: 404, body: b"404 page not found\n".to_vec() };
    };
    let answer = match Review::parse(body) {
        Ok(review) => review.answer((registration.decide)(&review.request())),
        Err(refused) => refused,
    };
    Answer { http: 200, body: answer.to_string().into_bytes() }
}

/// The answer to a call that cannot be read at all: a refusal with code 400 that says why.
pub fn refuse(why: &str) -> Answer {
    Answer { http: 200, body: review::unversioned("", why).to_string().into_bytes() }
}

/// What a webhook that refuses nothing has to say.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The object stays as it is.
    Allowed,
    /// The object is changed by this JSON patch.
    Patched(Vec<Value>),
}
