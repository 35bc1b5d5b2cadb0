//! Reviews: who one is, who a token belongs to, and what a user may do.
//!
//! They are asked by programs that serve others and want to know whom. A bearer token is the name of its user, as on the
//! server's own listener; nobody is called `anonymous`.

use std::fmt;

use bytes::Bytes;
use parking_lot::RwLock;
use serde_json::{Value, json};

use crate::body::parse_object;
use crate::error::{ApiError, FieldError};
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

    /// The answer, if the path is one of the reviews' groups.
    pub(crate) fn review(
        &self,
        user: &str,
        path: &ResourcePath,
        verb: &str,
        body: &Bytes,
        content_type: &str,
    ) -> Option<Result<Value, ApiError>> {
        let mut of_group =
            REVIEWS.iter().filter(|review| review.group == path.group && path.version == "v1").peekable();
        of_group.peek()?;
        let Some(review) = of_group.find(|review| review.resource == path.resource && path.subresource.is_empty())
        else {
            return Some(Err(ApiError::no_such_path()));
        };
        Some(match verb {
            "create" => self.answer(review, user, body, content_type),
            _ => Err(ApiError::method_not_allowed()),
        })
    }

    fn answer(&self, review: &Review, user: &str, body: &Bytes, content_type: &str) -> Result<Value, ApiError> {
        let mut asked = parse_object(body, content_type)?.map_err(ApiError::bad_request)?.value;
        let (kind, expected) = (meta::text(&asked, "kind"), review.kind);
        if !kind.is_empty() && kind != expected {
            return Err(ApiError::bad_request(format!(
                "{kind} in version \"v1\" cannot be handled as a {expected}: unknown conversion"
            )));
        }
        let status = match expected {
            "SelfSubjectReview" => json!({"userInfo": self.user_info(user)}),
            "TokenReview" => self.owner(&asked),
            "SelfSubjectRulesReview" => self.rules(&asked)?,
            _ => self.decide(&asked)?,
        };
        let object = meta::object_mut(&mut asked);
        object.insert("apiVersion".to_owned(), meta::api_version(review.group, "v1").into());
        object.insert("kind".to_owned(), expected.into());
        object.insert("status".to_owned(), status);
        Ok(asked)
    }

    fn decide(&self, review: &Value) -> Result<Value, ApiError> {
        let spec = |pointer: &str| review.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let is_there = |pointer: &str| review.pointer(pointer).is_some_and(|attributes| !attributes.is_null());
        if is_there("/spec/resourceAttributes") == is_there("/spec/nonResourceAttributes") {
            let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            let given = review.pointer("/spec/resourceAttributes").unwrap_or(&Value::Null);
            let error = FieldError::invalid("spec.resourceAttributes", given, detail);
            return Err(ApiError::invalid("authorization.k8s.io", "", "", &[error]));
        }
        let allows = self.0.read();
        let Some(allows) = &*allows else {
            return Ok(json!({"allowed": true, "reason": EVERYTHING}));
        };
        let of_path = spec("/spec/nonResourceAttributes/verb");
        let question = Question {
            user: spec("/spec/user"),
            verb: if of_path.is_empty() { spec("/spec/resourceAttributes/verb") } else { of_path },
            path: spec("/spec/nonResourceAttributes/path"),
            resource: spec("/spec/resourceAttributes/resource"),
        };
        Ok(json!({"allowed": allows(&question)}))
    }

    /// What the user may do in a namespace: everything, or what a function knows that cannot be asked for a list.
    fn rules(&self, review: &Value) -> Result<Value, ApiError> {
        let namespace = review.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or_default();
        if namespace.is_empty() {
            return Err(ApiError::bad_request("no namespace on request"));
        }
        if self.0.read().is_some() {
            let why = "access reviews are answered one by one, and cannot be listed";
            return Ok(
                json!({"resourceRules": [], "nonResourceRules": [], "incomplete": true, "evaluationError": why}),
            );
        }
        Ok(json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }))
    }

    fn owner(&self, review: &Value) -> Value {
        match review.pointer("/spec/token").and_then(Value::as_str) {
            None | Some("" | ANONYMOUS) => json!({"authenticated": false, "user": {}, "error": "invalid bearer token"}),
            Some(user) => json!({"authenticated": true, "user": self.user_info(user)}),
        }
    }

    /// A user whom everything is allowed is one of the masters.
    pub(crate) fn user_info(&self, user: &str) -> Value {
        match user {
            ANONYMOUS => json!({"username": "system:anonymous", "groups": ["system:unauthenticated"]}),
            _ if self.0.read().is_some() => json!({"username": user, "groups": ["system:authenticated"]}),
            _ => json!({"username": user, "groups": ["system:masters", "system:authenticated"]}),
        }
    }
}

const EVERYTHING: &str = "this server allows everything";

/// Who brings no token, as the listener calls it.
const ANONYMOUS: &str = "anonymous";

/// A kind that is answered and not stored.
pub(crate) struct Review {
    pub(crate) group: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) namespaced: bool,
}

/// All reviews, in the order in which discovery has them.
pub(crate) const REVIEWS: [Review; 6] = [
    review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    review("authentication.k8s.io", "tokenreviews", "TokenReview"),
    Review {
        namespaced: true,
        ..review("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview")
    },
    review("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    review("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview"),
];

const fn review(group: &'static str, resource: &'static str, kind: &'static str) -> Review {
    Review { group, resource, kind, namespaced: false }
}
