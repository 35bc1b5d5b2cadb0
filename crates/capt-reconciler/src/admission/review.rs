//! The envelope: AdmissionReview in, AdmissionReview out.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::Verdict;
use super::refusal::Refusal;
use super::registration::REVIEW_VERSIONS;
use super::request::Request;

const GROUP: &str = "admission.k8s.io";
const KIND: &str = "AdmissionReview";

/// A review that can be answered: its version is known.
pub(super) struct Review {
    version: &'static str,
    content: Value,
}

impl Review {
    /// Reads a review. The error is the answer to send: it names no kind, since the version is not known.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Value> {
        if body.is_empty() {
            return Err(unversioned("", "request body is empty"));
        }
        let content: Value =
            serde_json::from_slice(body).map_err(|error| unversioned("", &unreadable(&parse_error(&error))))?;
        match known_version(&content) {
            Ok(version) => Ok(Self { version, content }),
            Err(message) => Err(unversioned(uid(&content), &message)),
        }
    }

    /// What is asked.
    pub(super) fn request(&self) -> Request<'_> {
        Request::new(self.content.get("request").unwrap_or(&Value::Null))
    }

    /// The answer, in the review's own version.
    pub(super) fn answer(&self, decision: Result<Verdict, Refusal>) -> Value {
        let response = match decision {
            Ok(Verdict::Allowed) => self.allowed(),
            Ok(Verdict::Patched(operations)) => {
                let mut response = self.allowed();
                if let Value::Object(members) = &mut response {
                    let patch = ByteString(Value::from(operations).to_string().into_bytes());
                    members.insert("patch".to_owned(), json!(patch));
                    members.insert("patchType".to_owned(), json!("JSONPatch"));
                }
                response
            }
            Err(refusal) => refused(uid(&self.content), &refusal),
        };
        json!({ "kind": KIND, "apiVersion": format!("{GROUP}/{}", self.version), "response": response })
    }

    fn allowed(&self) -> Value {
        json!({ "uid": uid(&self.content), "allowed": true, "status": { "metadata": {}, "code": 200 } })
    }
}

/// The version of a review. A review that names neither kind nor version counts as the preferred one.
fn known_version(content: &Value) -> Result<&'static str, String> {
    if !content.is_object() {
        return Err(unreadable("the review is no object"));
    }
    let text = |member: &str| match content.get(member) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(unreadable(&format!("{member} is no string"))),
    };
    let (api_version, kind) = (text("apiVersion")?, text("kind")?);
    let version = if api_version.is_empty() {
        REVIEW_VERSIONS.first().copied()
    } else {
        let version = api_version.strip_prefix(GROUP).and_then(|rest| rest.strip_prefix('/'));
        REVIEW_VERSIONS.into_iter().find(|known| Some(*known) == version)
    };
    version
        .filter(|_| kind.is_empty() || kind == KIND)
        .ok_or_else(|| format!("no kind {kind:?} is registered for version {api_version:?}"))
}

/// The request's UID, which every answer has to repeat; empty where there is none.
fn uid(content: &Value) -> &str {
    content.pointer("/request/uid").and_then(Value::as_str).unwrap_or_default()
}

fn refused(uid: &str, refusal: &Refusal) -> Value {
    json!({ "uid": uid, "allowed": false, "status": refusal.status() })
}

pub(super) fn unversioned(uid: &str, message: &str) -> Value {
    json!({ "response": refused(uid, &Refusal::Unreadable(message.to_owned())) })
}

fn unreadable(why: &str) -> String {
    format!("couldn't get version/kind; json parse error: {why}")
}

/// Input that just ends is told in Go's words, anything else in those of our parser.
fn parse_error(error: &serde_json::Error) -> String {
    if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() }
}
