//! Refusals as the API server words them: a `Status` object with reason, code, message and details.

use serde_json::{Map, Value, json};

/// What a server says it reads and writes. Protobuf it does not, in truth.
pub(crate) const MEDIA_TYPES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// What a request may carry, in bytes.
pub(crate) const MAX_BODY: usize = 3 * 1024 * 1024;

/// A request the server refuses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Box<Details>,
}

/// What `status.details` says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Details {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) causes: Vec<Cause>,
    pub(crate) retry_after: Option<u32>,
    /// Only an expired continue token sets this: the token with which to go on, inconsistently. Sent in
    /// `status.metadata`.
    pub(crate) continue_token: Option<String>,
    /// A `Status` that somebody else wrote, to be sent as it is.
    pub(crate) status: Option<Value>,
}

/// One entry of `status.details.causes`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

/// `group` and plural resource name, written `resource.group` in messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupResource<'a> {
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
}

impl std::fmt::Display for GroupResource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Box::default() }
    }

    fn about(mut self, gr: GroupResource<'_>, name: &str) -> Self {
        self.details.name = name.to_owned();
        self.details.group = gr.group.to_owned();
        self.details.kind = gr.resource.to_owned();
        self
    }

    pub(crate) fn not_found(gr: GroupResource<'_>, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{gr} \"{name}\" not found")).about(gr, name)
    }

    /// The path names nothing that a group of the server's own serves.
    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// The path names nothing at all: the one answer that is no `Status`.
    pub(crate) fn no_page() -> Self {
        Self::new(404, "", "404 page not found\n")
    }

    /// Whether the answer is plain text.
    pub(crate) fn is_plain(&self) -> bool {
        self.code == 404 && self.reason.is_empty() && self.details.status.is_none()
    }

    pub(crate) fn verb_not_supported(verb: &str, gr: GroupResource<'_>) -> Self {
        Self::new(405, "MethodNotAllowed", format!("{verb} is not supported on resources of kind \"{gr}\""))
            .about(gr, "")
    }

    pub(crate) fn already_exists(gr: GroupResource<'_>, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{gr} \"{name}\" already exists")).about(gr, name)
    }

    pub(crate) fn conflict(gr: GroupResource<'_>, name: &str, why: &str) -> Self {
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {gr} \"{name}\": {why}")).about(gr, name)
    }

    /// The object changed since the client read it.
    pub(crate) fn stale(gr: GroupResource<'_>, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(gr, name, why)
    }

    pub(crate) fn forbidden(gr: GroupResource<'_>, name: &str, why: &str) -> Self {
        let subject = if name.is_empty() { format!("{gr}") } else { format!("{gr} \"{name}\"") };
        Self::new(403, "Forbidden", format!("{subject} is forbidden: {why}")).about(gr, name)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn internal(message: impl std::fmt::Display) -> Self {
        let mut error = Self::new(500, "InternalError", format!("Internal error occurred: {message}"));
        error.details.causes.push(Cause { reason: "", message: message.to_string(), field: String::new() });
        error
    }

    /// A webhook with `failurePolicy: Fail` that could not be asked.
    pub(crate) fn webhook_unreachable(webhook: &str, why: &str) -> Self {
        Self::internal(format!("failed calling webhook \"{webhook}\": {why}"))
    }

    /// What a webhook answers that refuses with 403, as controller-runtime's do.
    pub(crate) fn webhook_denied(webhook: &str, message: &str) -> Self {
        Self::new(403, "Forbidden", format!("admission webhook \"{webhook}\" denied the request: {message}"))
    }

    /// A webhook's refusal, in its own words and with its own code, as `ToStatusErr` of
    /// `k8s.io/apiserver/pkg/admission/plugin/webhook/errors/statuserror.go` makes it.
    pub(crate) fn denied_by(webhook: &str, status: Option<&Value>) -> Self {
        let mut status = status.filter(|status| status.is_object()).cloned().unwrap_or_else(|| json!({}));
        let text = |key: &str| status.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let why = text("message").or_else(|| text("reason")).map(|why| format!(": {why}"));
        let why = why.unwrap_or_else(|| " without explanation".to_owned());
        let message = format!("admission webhook {webhook:?} denied the request{why}");
        let code = status.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok()).unwrap_or(0);
        let code = code.max(400);
        if let Some(map) = status.as_object_mut() {
            map.extend([
                ("kind".to_owned(), json!("Status")),
                ("apiVersion".to_owned(), json!("v1")),
                ("status".to_owned(), json!("Failure")),
                ("message".to_owned(), json!(message)),
                ("code".to_owned(), json!(code)),
            ]);
            map.entry("metadata").or_insert_with(|| json!({}));
        }
        let mut error = Self::new(code, "", message);
        error.details.status = Some(status);
        error
    }

    pub(crate) fn body_too_large() -> Self {
        let message = format!("Request entity too large: limit is {MAX_BODY}");
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// An object of so many bytes, which etcd does not take. The server passes on what it is told: by etcd, or by its own
    /// client for etcd, which sends no message beyond a limit of its own.
    pub(crate) fn object_too_large(bytes: usize) -> Self {
        const MAX_MESSAGE: usize = 2 * 1024 * 1024;
        if bytes < MAX_MESSAGE {
            return Self::new(500, "", "etcdserver: request is too large");
        }
        let sent = format!("trying to send message larger than max ({bytes} vs. {MAX_MESSAGE})");
        Self::new(500, "", format!("rpc error: code = ResourceExhausted desc = {sent}"))
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    pub(crate) fn not_acceptable() -> Self {
        Self::new(406, "NotAcceptable", format!("only the following media types are accepted: {MEDIA_TYPES}"))
    }

    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// What a JSON patch that cannot be applied gets: its causes cannot be told apart from outside.
    pub(crate) fn unprocessable() -> Self {
        Self::new(422, "Invalid", "the server rejected our request due to an error in our request")
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn too_large_resource_version(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut error = Self::new(504, "Timeout", message);
        error.details.retry_after = Some(1);
        error.details.causes.push(Cause {
            reason: "ResourceVersionTooLarge",
            message: "Too large resource version".to_owned(),
            field: String::new(),
        });
        error
    }

    /// `kind` is the Kind of the object (`Hardware`), as in `Hardware.tinkerbell.org "x" is invalid`.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut texts: Vec<String> = Vec::with_capacity(errors.len());
        for error in errors {
            let text = format!("{}: {}", error.field, error.body());
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let all = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let subject = GroupResource { group, resource: kind };
        let mut error =
            Self::new(422, "Invalid", format!("{subject} \"{name}\" is invalid: {all}")).about(subject, name);
        error.details.causes = errors
            .iter()
            .map(|e| Cause { reason: e.kind.reason(), message: e.body(), field: e.field.clone() })
            .collect();
        error
    }

    /// The `Status` object sent to the client.
    pub(crate) fn to_value(&self) -> Value {
        if let Some(status) = &self.details.status {
            return status.clone();
        }
        let mut details = Map::new();
        for (key, text) in [("name", &self.details.name), ("group", &self.details.group), ("kind", &self.details.kind)]
        {
            if !text.is_empty() {
                details.insert(key.to_owned(), json!(text));
            }
        }
        if !self.details.causes.is_empty() {
            let causes: Vec<Value> = self.details.causes.iter().map(Cause::to_value).collect();
            details.insert("causes".to_owned(), Value::Array(causes));
        }
        if let Some(seconds) = self.details.retry_after {
            details.insert("retryAfterSeconds".to_owned(), json!(seconds));
        }
        let mut metadata = Map::new();
        if let Some(token) = &self.details.continue_token {
            metadata.insert("continue".to_owned(), json!(token));
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if let Some(map) = status.as_object_mut() {
            if !self.reason.is_empty() {
                map.insert("reason".to_owned(), json!(self.reason));
            }
            // These say that there is nothing to say.
            let says_so = self.reason == "NotFound"
                || (details.is_empty() && (matches!(self.code, 405 | 422) || self.message.starts_with("415:")));
            if !details.is_empty() || says_so {
                map.insert("details".to_owned(), Value::Object(details));
            }
        }
        status
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in [("reason", self.reason), ("message", &self.message), ("field", &self.field)] {
            if !text.is_empty() {
                map.insert(key.to_owned(), json!(text));
            }
        }
        Value::Object(map)
    }
}

/// The classes of `field.Error` of the API machinery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldErrorKind {
    Required,
    Invalid,
    TypeInvalid,
    NotSupported,
    Duplicate,
    TooLong,
    TooMany,
    Forbidden,
}

impl FieldErrorKind {
    fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Forbidden => "FieldValueForbidden",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Forbidden => "Forbidden",
        }
    }
}

/// One complaint about one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldError {
    pub(crate) kind: FieldErrorKind,
    pub(crate) field: String,
    /// The value complained about, as the message shows it; `None` where the server leaves it out.
    pub(crate) value: Option<String>,
    pub(crate) detail: String,
}

impl FieldError {
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        Self { kind: FieldErrorKind::Required, field: field.into(), value: None, detail: detail.to_owned() }
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind: FieldErrorKind::Forbidden, field: field.into(), value: None, detail: detail.into() }
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: impl Into<String>) -> Self {
        Self::with_value(FieldErrorKind::Invalid, field, value, detail)
    }

    pub(crate) fn with_value(
        kind: FieldErrorKind,
        field: impl Into<String>,
        value: &Value,
        detail: impl Into<String>,
    ) -> Self {
        Self { kind, field: field.into(), value: Some(value.to_string()), detail: detail.into() }
    }

    /// Whether CEL rules are left unchecked because of this error.
    pub(crate) fn blocks_rules(&self) -> bool {
        use FieldErrorKind::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
        matches!(self.kind, NotSupported | Required | TooLong | TooMany | TypeInvalid)
    }

    fn body(&self) -> String {
        let mut text = self.kind.text().to_owned();
        if let Some(value) = &self.value {
            text.push_str(": ");
            text.push_str(value);
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}
