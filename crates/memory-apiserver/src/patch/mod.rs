//! The patch languages of the API.

mod apply;
mod json;
mod merge;
mod strategic;

pub(crate) use apply::apply;
pub(crate) use merge::merge;

use crate::error::ApiError;
use serde_json::Value;

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
