//! Errors of single fields, and the Status that gathers them, in the words of Kubernetes' own validation.

use std::fmt;

use capt_api::contract::INFRASTRUCTURE_GROUP;
use serde_json::{Value, json};

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldError {
    field: String,
    fault: Fault,
    message: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
enum Fault {
    /// The value is not one the field can have.
    Invalid(i64),
    /// The field has a text it cannot have.
    InvalidText(String),
    /// The field may not be set, or not be changed.
    Forbidden,
}

impl FieldError {
    /// The field has a value it cannot have.
    pub(super) fn invalid(field: impl Into<String>, value: impl Into<i64>, message: &'static str) -> Self {
        Self { field: field.into(), fault: Fault::Invalid(value.into()), message }
    }

    /// The field has a text it cannot have.
    pub(super) fn invalid_text(field: impl Into<String>, value: impl Into<String>, message: &'static str) -> Self {
        Self { field: field.into(), fault: Fault::InvalidText(value.into()), message }
    }

    /// The field may not be set, or not be changed.
    pub(super) fn forbidden(field: impl Into<String>, message: &'static str) -> Self {
        Self { field: field.into(), fault: Fault::Forbidden, message }
    }

    fn reason(&self) -> &'static str {
        match self.fault {
            Fault::Invalid(_) | Fault::InvalidText(_) => "FieldValueInvalid",
            Fault::Forbidden => "FieldValueForbidden",
        }
    }
}

/// The error without its field.
impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::Invalid(value) => write!(f, "Invalid value: {value}: {}", self.message),
            Fault::InvalidText(value) => write!(f, "Invalid value: {value:?}: {}", self.message),
            Fault::Forbidden => write!(f, "Forbidden: {}", self.message),
        }
    }
}

/// The Status of an object with wrong fields: code 422, one cause for each. Several errors stand in brackets.
pub(super) fn status(kind: &str, name: &str, errors: &[FieldError]) -> Value {
    let texts: Vec<String> = errors.iter().map(|error| format!("{}: {error}", error.field)).collect();
    let texts = if let [only] = texts.as_slice() { only.clone() } else { format!("[{}]", texts.join(", ")) };
    let causes: Vec<Value> = errors
        .iter()
        .map(|error| json!({ "reason": error.reason(), "message": error.to_string(), "field": error.field }))
        .collect();
    let mut details = json!({ "name": name, "group": INFRASTRUCTURE_GROUP, "kind": kind, "causes": causes });
    if let Value::Object(members) = &mut details
        && name.is_empty()
    {
        members.remove("name");
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("{kind}.{INFRASTRUCTURE_GROUP} {name:?} is invalid: {texts}"),
        "reason": "Invalid",
        "details": details,
        "code": 422,
    })
}
