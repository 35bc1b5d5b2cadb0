//! The patch languages of the API.

mod apply;
mod json;
mod merge;
mod strategic;

pub(crate) use apply::apply;
pub(crate) use merge::merge;

use crate::error::ApiError;
use crate::golang;
use serde_json::Value;

/// What a patch of an unknown type is told.
pub(crate) const UNKNOWN_TYPE: &str = "the body of the request was in an unknown format - accepted media types include: \
    application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

/// The patch type, from the `Content-Type` of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatchType {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl PatchType {
    /// `None` for a media type that is no patch.
    pub(crate) fn from_content_type(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Some(Self::Json),
            "application/merge-patch+json" => Some(Self::Merge),
            "application/strategic-merge-patch+json" => Some(Self::Strategic),
            "application/apply-patch+yaml" => Some(Self::Apply),
            _ => None,
        }
    }
}

/// The complaint about a document that is no patch of its kind.
pub(crate) fn wrong_type(kind: PatchType, patch: &Value) -> Option<String> {
    let complaint = |value: &Value, go_type: &str| Some(decoding(kind, &golang::type_error(value, go_type)));
    match (kind, patch) {
        // Nothing to do.
        (PatchType::Json, Value::Null) => None,
        (PatchType::Json, Value::Array(operations)) => {
            let wrong = operations.iter().find(|operation| !operation.is_object())?;
            complaint(wrong, "handlers.jsonPatchOp")
        }
        (PatchType::Json, _) => complaint(patch, "[]handlers.jsonPatchOp"),
        (_, Value::Object(_)) => None,
        (PatchType::Merge, Value::Null) => Some("Invalid JSON Patch".to_owned()),
        _ => complaint(patch, "map[string]interface {}"),
    }
}

/// How a complaint about the text of a patch begins.
pub(crate) fn decoding(kind: PatchType, why: &str) -> String {
    if kind == PatchType::Strategic { why.to_owned() } else { format!("error decoding patch: {why}") }
}

/// Applies a JSON, merge or strategic patch to `object`.
pub(crate) fn patch(object: &mut Value, kind: PatchType, patch: &Value) -> Result<(), ApiError> {
    match kind {
        PatchType::Json => json::patch(object, patch),
        PatchType::Strategic => {
            strategic::merge(object, patch);
            Ok(())
        }
        PatchType::Merge | PatchType::Apply => {
            merge(object, patch);
            Ok(())
        }
    }
}
