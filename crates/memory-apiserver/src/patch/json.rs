//! JSON patch (RFC 6902).

use crate::error::ApiError;
use serde_json::Value;

/// A failed `test` and a missing path give the same answer, as on a real server.
pub(super) fn patch(object: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let operations: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    // The server's library lets `add` at a missing parent fail and `remove` of an absent key fail; so does this one.
    json_patch::patch(object, &operations).map_err(|_| ApiError::unprocessable())
}
