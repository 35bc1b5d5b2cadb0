//! Why a webhook says no, as a Kubernetes Status.

use serde_json::{Value, json};

use super::field_errors::{self, FieldError};

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    /// The request cannot be understood: code 400 and, as in Go CAPT, neither status nor reason.
    Unreadable(String),
    /// The request is wrong as a whole: code 400.
    BadRequest(String),
    /// Fields of the object are wrong: code 422.
    Invalid {
        /// Kind of the object.
        kind: &'static str,
        /// Name of the object.
        name: String,
        /// What is wrong; at least one.
        errors: Vec<FieldError>,
    },
}

impl Refusal {
    /// Refuses an object if any field of it is wrong.
    pub(super) fn of_fields(kind: &'static str, name: &str, errors: Vec<FieldError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::Invalid { kind, name: name.to_owned(), errors }) }
    }

    /// The Status that tells the user.
    pub(super) fn status(&self) -> Value {
        match self {
            Self::Unreadable(message) => json!({ "metadata": {}, "message": message, "code": 400 }),
            Self::BadRequest(message) => json!({
                "metadata": {}, "status": "Failure", "message": message, "reason": "BadRequest", "code": 400,
            }),
            Self::Invalid { kind, name, errors } => field_errors::status(kind, name, errors),
        }
    }
}
