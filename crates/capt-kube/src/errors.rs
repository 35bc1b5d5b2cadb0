//! What errors of the API server mean, in words that hold no secret.

use kube::Error;
use kube::core::Status;
use kube::runtime::watcher;
use tower::BoxError;

use crate::client::NoAnswer;

/// The one message for a JSON patch that does not apply, whatever the reason.
const PATCH_DOES_NOT_APPLY: &str = "the server rejected our request due to an error in our request";

/// What the failure of a write means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The object is not what the decision saw.
    Stale,
    /// The server refuses the write, and will again.
    Refused,
    /// The server had no time, and did nothing.
    Busy,
    /// Nobody knows what the server did.
    Unknown,
}

/// What the failure of a write of the named object means.
pub fn classify(error: &Error, name: &str) -> Class {
    let Error::Api(status) = error else {
        return match error {
            Error::BuildRequest(_) => Class::Refused,
            _ => Class::Unknown,
        };
    };
    match status.code {
        409 => Class::Stale,
        404 if is_missing(status, name) => Class::Stale,
        422 if is_stale(&status.message) => Class::Stale,
        400 | 403 | 404 | 405 | 406 | 413 | 415 | 422 => Class::Refused,
        401 | 429 => Class::Busy,
        _ => Class::Unknown,
    }
}

/// Whether a 404 says that the object is missing, and not its kind or namespace.
pub fn is_missing(status: &Status, name: &str) -> bool {
    status.code == 404
        && status.details.as_ref().is_some_and(|details| details.name == name && details.kind != "namespaces")
}

/// Refusals that a decision on the current object would not have met.
fn is_stale(message: &str) -> bool {
    message == PATCH_DOES_NOT_APPLY
        || message.contains("metadata.uid")
        || message.contains("no new finalizers can be added if the object is being deleted")
}

/// Whether the server knows no such kind (or no such thing at all).
pub fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}

/// Whether nothing can be made any more in the namespace, for it is being deleted.
pub fn is_namespace_ending(error: &Error) -> bool {
    let Error::Api(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 403 && causes.map(|cause| cause.reason.as_str()).any(|reason| reason == "NamespaceTerminating")
}

/// Whether we may not do this.
pub fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 403)
}

/// The client error in an error of a watch, if there is one.
pub fn cause(error: &watcher::Error) -> Option<&Error> {
    match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => Some(cause),
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => None,
    }
}

/// An error in words: the server's own, without the dumps and quotes of the client's messages.
pub fn describe(error: &Error) -> String {
    match error {
        Error::Api(status) => described(status),
        // The decoder's words may quote the text.
        Error::SerdeError(error) => {
            format!("the answer is not what we expect at line {}, column {}", error.line(), error.column())
        }
        Error::FromUtf8(_) => "the answer is not UTF-8".to_owned(),
        Error::Service(error) => match error.downcast_ref::<NoAnswer>() {
            Some(NoAnswer { server, cause }) => format!("{server}: {}", no_answer(cause)),
            None => no_answer(error),
        },
        Error::HyperError(error) => chain(error),
        other => other.to_string(),
    }
}

fn no_answer(error: &BoxError) -> String {
    if error.is::<tower::timeout::error::Elapsed>() {
        return "the server did not answer in time".to_owned();
    }
    chain(&**error)
}

/// An error of a watch in words.
pub fn describe_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::WatchError(status) => described(status),
        other => cause(other).map_or_else(|| other.to_string(), describe),
    }
}

fn described(status: &Status) -> String {
    let message = status.message.trim();
    let message: String = message.chars().take(1000).collect();
    match (message.is_empty(), status.reason.is_empty()) {
        (false, _) => format!("{message} ({})", status.code),
        (true, false) => format!("{} ({})", status.reason, status.code),
        (true, true) => format!("status {}", status.code),
    }
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::response::StatusDetails;

    fn api(code: u16, message: &str, details: Option<(&str, &str)>) -> Error {
        let mut status = Status::failure(message, "").with_code(code);
        status.details = details.map(|(kind, name)| {
            let details = serde_json::json!({"kind": kind, "name": name});
            serde_json::from_value::<StatusDetails>(details).unwrap()
        });
        Error::Api(Box::new(status))
    }

    #[test]
    fn every_answer_has_its_class() {
        let table = [
            (api(409, "the object has been modified", None), Class::Stale),
            (api(409, "already exists", None), Class::Stale),
            (api(404, "not found", Some(("hardware", "h"))), Class::Stale),
            (api(404, "404 page not found", None), Class::Refused),
            (api(404, r#"namespaces "h" not found"#, Some(("namespaces", "h"))), Class::Refused),
            (api(422, PATCH_DOES_NOT_APPLY, None), Class::Stale),
            (api(422, "x is invalid: metadata.uid: Invalid value: field is immutable", None), Class::Stale),
            (
                api(
                    422,
                    "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted",
                    None,
                ),
                Class::Stale,
            ),
            (api(422, "spec.x: Required value", None), Class::Refused),
            (api(400, "bad", None), Class::Refused),
            (api(403, "forbidden", None), Class::Refused),
            (api(405, "no", None), Class::Refused),
            (api(413, "too large", None), Class::Refused),
            (api(415, "no such patch", None), Class::Refused),
            (api(401, "token expired", None), Class::Busy),
            (api(429, "later", None), Class::Busy),
            (api(500, "oops", None), Class::Unknown),
            (api(503, "down", None), Class::Unknown),
            (api(504, "timeout", None), Class::Unknown),
            (Error::Service("connection reset".into()), Class::Unknown),
        ];
        for (error, class) in table {
            assert_eq!(classify(&error, "h"), class, "{error}");
        }
    }
}
