//! JSON patch (RFC 6902), with the leniency of the server's library: a member that is absent from an object that is there
//! can be replaced, copied and tested as if it were null.

use crate::error::ApiError;
use json_patch::{AddOperation, PatchOperation};
use serde_json::Value;

/// Whatever cannot be applied (a failed `test`, a missing path, an unknown operation) gets the same answer, as on a real
/// server.
pub(super) fn patch(object: &mut Value, patch: &Value) -> Result<(), ApiError> {
    if patch.is_null() {
        return Ok(());
    }
    let operations: json_patch::Patch = serde_json::from_value(patch.clone()).map_err(|_| ApiError::unprocessable())?;
    for operation in operations.0 {
        let operation = match operation {
            PatchOperation::Replace(replace) if is_absent_member(object, replace.path.as_str()) => {
                PatchOperation::Add(AddOperation { path: replace.path, value: replace.value })
            }
            PatchOperation::Copy(copy) if is_absent_member(object, copy.from.as_str()) => {
                PatchOperation::Add(AddOperation { path: copy.path, value: Value::Null })
            }
            PatchOperation::Test(test) if test.value.is_null() && is_absent_member(object, test.path.as_str()) => {
                continue;
            }
            other => other,
        };
        json_patch::patch(object, &[operation]).map_err(|_| ApiError::unprocessable())?;
    }
    Ok(())
}

/// The path leads to a member that an existing object lacks.
fn is_absent_member(object: &Value, path: &str) -> bool {
    let parent = path.rsplit_once('/').and_then(|(parent, _)| object.pointer(parent));
    parent.is_some_and(Value::is_object) && object.pointer(path).is_none()
}
