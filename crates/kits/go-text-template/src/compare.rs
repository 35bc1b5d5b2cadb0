//! `eq` and `lt` on two values, by Go's rules.

use crate::functions::CallError;
use crate::value::Value;

/// Structs can hold structs; data deeper than this is not compared.
const MAX_DEPTH: usize = 64;

pub(crate) fn equal(a: &Value, b: &Value) -> Result<bool, CallError> {
    equal_at(a, b, 0)
}

#[allow(clippy::float_cmp, reason = "Go compares floats exactly")]
fn equal_at(a: &Value, b: &Value, depth: usize) -> Result<bool, CallError> {
    if depth > MAX_DEPTH {
        return Err(CallError::failed("values nested too deeply to compare"));
    }
    match (a, b) {
        (Value::Nil, other) | (other, Value::Nil) => Ok(matches!(other, Value::Nil)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a), Value::Int(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::String(a), Value::String(b)) => Ok(a == b),
        (Value::Struct(a), Value::Struct(b)) => {
            if a.type_name() != b.type_name() || a.fields().count() != b.fields().count() {
                return Ok(false);
            }
            for ((_, a), (_, b)) in a.fields().zip(b.fields()) {
                if !equal_at(a, b, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::List(_) | Value::Map(_) | Value::Struct(_), Value::List(_) | Value::Map(_) | Value::Struct(_)) => {
            Err(CallError::Failed(format!("non-comparable types {} and {}", a.type_name(), b.type_name())))
        }
        _ => Err(CallError::failed("incompatible types for comparison")),
    }
}

pub(crate) fn less(a: &Value, b: &Value) -> Result<bool, CallError> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(a < b),
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::String(a), Value::String(b)) => Ok(a < b),
        (Value::Bool(_), Value::Bool(_)) => Err(CallError::failed("invalid type for comparison")),
        _ if is_basic(a) && is_basic(b) => Err(CallError::failed("incompatible types for comparison")),
        _ => Err(CallError::failed("invalid type for comparison")),
    }
}

fn is_basic(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_))
}
