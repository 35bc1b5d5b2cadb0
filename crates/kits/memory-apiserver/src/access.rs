//! Reviews: who a token belongs to, and what a user may do.
//!
//! They are asked by programs that serve others and want to know whom. A bearer token is the name of its user, as on the
//! server's own listener; nobody is called `anonymous`.

use std::fmt;

use parking_lot::RwLock;
use serde_json::{Value, json};

use crate::meta;
use crate::request::ResourcePath;

type Allows = dyn Fn(&Question<'_>) -> bool + Send + Sync;

/// What a SubjectAccessReview asks.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The user; empty where one asks for oneself.
    pub user: &'a str,
    /// The verb.
    pub verb: &'a str,
    /// The path, if no resource is asked for.
    pub path: &'a str,
    /// The resource by its plural name, if one is asked for.
    pub resource: &'a str,
}

/// Answers reviews.
#[derive(Default)]
pub(crate) struct Access(RwLock<Option<Box<Allows>>>);

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access")
    }
}

impl Access {
    pub(crate) fn answer_by(&self, allows: impl Fn(&Question<'_>) -> bool + Send + Sync + 'static) {
        *self.0.write() = Some(Box::new(allows));
    }

    /// The answer, if the request is a review.
    pub(crate) fn review(&self, path: &ResourcePath, verb: &str, body: &[u8]) -> Option<Value> {
        if verb != "create" {
            return None;
        }
        let answer = match (path.group.as_str(), path.resource.as_str()) {
            ("authentication.k8s.io", "tokenreviews") => |_: &Self, review: &Value| owner(review),
            ("authorization.k8s.io", resource) if resource.ends_with("accessreviews") => Self::decide,
            _ => return None,
        };
        // `kubectl auth can-i` asks in protobuf; the answer is the same.
        let mut review: Value = serde_json::from_slice(body).unwrap_or_else(|_| {
            json!({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": {}})
        });
        let status = answer(self, &review);
        meta::object_mut(&mut review).insert("status".to_owned(), status);
        Some(review)
    }

    fn decide(&self, review: &Value) -> Value {
        let spec = |pointer: &str| review.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let allows = self.0.read();
        let Some(allows) = &*allows else {
            return json!({"allowed": true, "reason": "this server allows everything"});
        };
        let of_path = spec("/spec/nonResourceAttributes/verb");
        let question = Question {
            user: spec("/spec/user"),
            verb: if of_path.is_empty() { spec("/spec/resourceAttributes/verb") } else { of_path },
            path: spec("/spec/nonResourceAttributes/path"),
            resource: spec("/spec/resourceAttributes/resource"),
        };
        json!({"allowed": allows(&question)})
    }
}

fn owner(review: &Value) -> Value {
    match review.pointer("/spec/token").and_then(Value::as_str) {
        None | Some("" | "anonymous") => {
            json!({"authenticated": false, "user": {}, "error": "invalid bearer token"})
        }
        Some(user) => json!({"authenticated": true, "user": {"username": user, "groups": ["system:authenticated"]}}),
    }
}
