//! Go's own functions, but for `and` and `or`, which the executor handles.

use crate::compare::{equal, less};
use crate::format;
use crate::functions::{Call, CallError, Functions, text};
use crate::value::Value;

/// Functions of Go that this crate leaves out.
pub(crate) const UNSUPPORTED: [&str; 5] = ["call", "html", "js", "println", "urlquery"];

pub(crate) fn register(functions: &mut Functions) {
    functions.register("not", |call| call.exactly().map(|[value]| Value::Bool(!value.is_true())));
    functions.register("eq", |call| any_equal(call).map(Value::Bool));
    functions.register("ne", |call| ordering(call, |a, b| equal(a, b).map(|same| !same)));
    functions.register("lt", |call| ordering(call, less));
    functions.register("le", |call| ordering(call, |a, b| Ok(less(a, b)? || equal(a, b)?)));
    functions.register("gt", |call| ordering(call, |a, b| Ok(!(less(a, b)? || equal(a, b)?))));
    functions.register("ge", |call| ordering(call, |a, b| less(a, b).map(|below| !below)));
    functions.register("len", len);
    functions.register("index", index);
    functions.register("slice", slice);
    functions.register("print", |call| {
        let mut out = call.buffer();
        format::print(&mut out, call.arguments())?;
        Ok(out.into_string().into())
    });
    functions.register("printf", |call| {
        let Some((layout, arguments)) = call.arguments().split_first() else {
            return Err(CallError::failed("wrong number of args: want at least 1 got 0"));
        };
        let mut out = call.buffer();
        format::printf(&mut out, text(layout)?, arguments)?;
        Ok(out.into_string().into())
    });
}

/// `eq a b c` is true when `a` equals any of the others.
fn any_equal(call: &Call<'_>) -> Result<bool, CallError> {
    match call.arguments().split_first() {
        None => Err(CallError::failed("wrong number of args: want at least 1 got 0")),
        Some((_, [])) => Err(CallError::failed("missing argument for comparison")),
        Some((first, others)) => {
            for other in others {
                if equal(first, other)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

fn ordering(call: &Call<'_>, holds: impl Fn(&Value, &Value) -> Result<bool, CallError>) -> Result<Value, CallError> {
    let [a, b] = call.exactly()?;
    holds(a, b).map(Value::Bool)
}

fn len(call: &Call<'_>) -> Result<Value, CallError> {
    let [value] = call.exactly()?;
    let length = match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        Value::Nil => return Err(CallError::failed("len of untyped nil")),
        other => return Err(CallError::Failed(format!("len of type {}", other.type_name()))),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// `index x 1 "a"` is `x[1]["a"]`. A key that a map lacks gives nil, also where `.key` would be an error.
fn index(call: &Call<'_>) -> Result<Value, CallError> {
    let Some((item, keys)) = call.arguments().split_first() else {
        return Err(CallError::failed("wrong number of args: want at least 1 got 0"));
    };
    let mut item = item.clone();
    for key in keys {
        item = match &item {
            Value::List(items) => {
                let at = position(key, items.len(), false)?;
                items.get(at).cloned().ok_or_else(|| out_of_range(key))?
            }
            Value::String(text) => {
                let at = position(key, text.len(), false)?;
                text.as_bytes().get(at).map(|byte| Value::Int((*byte).into())).ok_or_else(|| out_of_range(key))?
            }
            Value::Map(entries) => match key {
                Value::String(key) => entries.get(&**key).cloned().unwrap_or_default(),
                other => {
                    return Err(CallError::Failed(format!("value has type {}; should be string", other.type_name())));
                }
            },
            Value::Nil => return Err(CallError::failed("index of untyped nil")),
            other => return Err(CallError::Failed(format!("can't index item of type {}", other.type_name()))),
        };
    }
    Ok(item)
}

/// `slice x 1 3` is `x[1:3]`; strings are sliced by bytes, as in Go.
fn slice(call: &Call<'_>) -> Result<Value, CallError> {
    let Some((item, bounds)) = call.arguments().split_first() else {
        return Err(CallError::failed("wrong number of args: want at least 1 got 0"));
    };
    let length = match item {
        Value::String(_) if bounds.len() == 3 => return Err(CallError::failed("cannot 3-index slice a string")),
        Value::List(_) if bounds.len() == 3 => {
            return Err(CallError::Unsupported("slice with three indexes".to_owned()));
        }
        _ if bounds.len() > 3 => return Err(CallError::Failed(format!("too many slice indexes: {}", bounds.len()))),
        Value::String(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Nil => return Err(CallError::failed("slice of untyped nil")),
        other => return Err(CallError::Failed(format!("can't slice item of type {}", other.type_name()))),
    };
    let start = bounds.first().map_or(Ok(0), |bound| position(bound, length, true))?;
    let end = bounds.get(1).map_or(Ok(length), |bound| position(bound, length, true))?;
    if start > end {
        return Err(CallError::Failed(format!("invalid slice index: {start} > {end}")));
    }
    match item {
        Value::String(text) => {
            text.get(start..end).map(Value::from).ok_or_else(|| CallError::failed("slice would cut a character in two"))
        }
        Value::List(items) => Ok(items.get(start..end).unwrap_or_default().to_vec().into()),
        _ => Ok(Value::Nil),
    }
}

/// A position in something of `length` elements; `length` itself is one only where `end_is_valid`.
fn position(key: &Value, length: usize, end_is_valid: bool) -> Result<usize, CallError> {
    match key {
        Value::Int(at) => match usize::try_from(*at) {
            Ok(at) if at < length || (end_is_valid && at == length) => Ok(at),
            _ => Err(out_of_range(key)),
        },
        Value::Nil => Err(CallError::failed("cannot index slice/array with nil")),
        other => Err(CallError::Failed(format!("cannot index slice/array with type {}", other.type_name()))),
    }
}

fn out_of_range(key: &Value) -> CallError {
    CallError::Failed(format!("index out of range: {}", format::short(key)))
}
