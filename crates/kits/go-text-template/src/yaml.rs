//! Values as YAML and JSON text.

use crate::buffer::Buffer;
use crate::functions::CallError;
use crate::value::Value;

const MAX_DEPTH: usize = 64;

/// Block YAML without a line break at the end. Text is always double-quoted, so that a reader never takes it for a
/// number, a boolean or a comment.
pub(crate) fn block(out: &mut Buffer, value: &Value) -> Result<(), CallError> {
    block_at(out, value, 0)
}

fn block_at(out: &mut Buffer, value: &Value, depth: usize) -> Result<(), CallError> {
    if let Some(entries) = entries(value) {
        if entries.is_empty() {
            return flow(out, value);
        }
        for (at, (key, inner)) in entries.into_iter().enumerate() {
            line(out, at, depth)?;
            quoted(out, key)?;
            out.push_str(":")?;
            nested(out, inner, depth)?;
        }
        return Ok(());
    }
    match value {
        Value::List(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                line(out, at, depth)?;
                out.push_str("-")?;
                nested(out, item, depth)?;
            }
            Ok(())
        }
        other => flow(out, other),
    }
}

fn line(out: &mut Buffer, at: usize, depth: usize) -> Result<(), CallError> {
    if at > 0 {
        out.push_str("\n")?;
        out.push_repeated("  ", depth)?;
    }
    Ok(())
}

/// What follows `key:` or `-`: on the same line when it is a scalar or empty, else on lines of its own.
fn nested(out: &mut Buffer, value: &Value, depth: usize) -> Result<(), CallError> {
    check(depth)?;
    let is_block = match value {
        Value::List(items) => !items.is_empty(),
        other => entries(other).is_some_and(|entries| !entries.is_empty()),
    };
    if is_block {
        out.push_str("\n")?;
        out.push_repeated("  ", depth + 1)?;
        block_at(out, value, depth + 1)
    } else {
        out.push_str(" ")?;
        flow(out, value)
    }
}

/// JSON on one line, which is YAML too.
pub(crate) fn flow(out: &mut Buffer, value: &Value) -> Result<(), CallError> {
    flow_at(out, value, 0)
}

fn flow_at(out: &mut Buffer, value: &Value, depth: usize) -> Result<(), CallError> {
    check(depth)?;
    if let Some(entries) = entries(value) {
        out.push_str("{")?;
        for (at, (key, inner)) in entries.into_iter().enumerate() {
            out.push_str(if at > 0 { "," } else { "" })?;
            quoted(out, key)?;
            out.push_str(":")?;
            flow_at(out, inner, depth + 1)?;
        }
        return Ok(out.push_str("}")?);
    }
    match value {
        Value::List(items) => {
            out.push_str("[")?;
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" })?;
                flow_at(out, item, depth + 1)?;
            }
            Ok(out.push_str("]")?)
        }
        Value::String(text) => quoted(out, text),
        Value::Bool(b) => Ok(out.push_str(&b.to_string())?),
        Value::Int(i) => Ok(out.push_str(&i.to_string())?),
        Value::Float(f) if !f.is_finite() => Err(CallError::failed("unsupported value: not a finite number")),
        Value::Float(f) => Ok(out.push_str(&f.to_string())?),
        Value::Nil | Value::Map(_) | Value::Struct(_) => Ok(out.push_str("null")?),
    }
}

fn entries(value: &Value) -> Option<Vec<(&str, &Value)>> {
    match value {
        Value::Map(entries) => Some(entries.iter().map(|(key, value)| (key.as_str(), value)).collect()),
        Value::Struct(fields) => Some(fields.fields().collect()),
        _ => None,
    }
}

fn quoted(out: &mut Buffer, text: &str) -> Result<(), CallError> {
    Ok(out.push_str(&serde_json::Value::from(text).to_string())?)
}

fn check(depth: usize) -> Result<(), CallError> {
    if depth > MAX_DEPTH { Err(CallError::failed("value nested too deeply")) } else { Ok(()) }
}
