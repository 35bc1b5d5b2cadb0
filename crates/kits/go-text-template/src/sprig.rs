//! The functions of Sprig that workflow templates use: pure ones, without clock, randomness, network or environment.
//!
//! Names, order of arguments and results are Sprig's. Lists hold no lists or maps here, so that no value can grow deep.

use crate::buffer::Buffer;
use crate::format;
use crate::functions::{Call, CallError, Functions, text};
use crate::value::Value;
use crate::yaml;

/// Adds them all to `functions`.
pub fn register(functions: &mut Functions) {
    texts(functions);
    choices(functions);
    numbers(functions);
    lists(functions);
}

fn texts(functions: &mut Functions) {
    functions.register("trim", |call| on_text(call, |text| text.trim().to_owned()));
    functions.register("upper", |call| on_text(call, str::to_uppercase));
    functions.register("lower", |call| on_text(call, str::to_lowercase));
    functions.register("trimPrefix", |call| {
        let [prefix, value] = texts_of(call)?;
        Ok(value.strip_prefix(prefix).unwrap_or(value).into())
    });
    functions.register("trimSuffix", |call| {
        let [suffix, value] = texts_of(call)?;
        Ok(value.strip_suffix(suffix).unwrap_or(value).into())
    });
    functions.register("contains", |call| texts_of(call).map(|[part, whole]| whole.contains(part).into()));
    functions.register("hasPrefix", |call| texts_of(call).map(|[part, whole]| whole.starts_with(part).into()));
    functions.register("hasSuffix", |call| texts_of(call).map(|[part, whole]| whole.ends_with(part).into()));
    functions.register("replace", |call| {
        let [old, new, source] = texts_of(call)?;
        let mut out = call.buffer();
        let mut done = 0;
        for (at, found) in source.match_indices(old) {
            out.push_str(source.get(done..at).unwrap_or_default())?;
            out.push_str(new)?;
            done = at + found.len();
        }
        out.push_str(source.get(done..).unwrap_or_default())?;
        Ok(out.into_string().into())
    });
    functions.register("quote", |call| wrapped(call, format::quote));
    functions.register("squote", |call| wrapped(call, |text| format!("'{text}'")));
    functions.register("b64enc", |call| {
        let [value] = texts_of(call)?;
        let mut out = call.buffer();
        base64(&mut out, value.as_bytes())?;
        Ok(out.into_string().into())
    });
    functions.register("indent", |call| indented(call, ""));
    functions.register("nindent", |call| indented(call, "\n"));
    functions.register("toString", |call| {
        let [value] = call.exactly()?;
        plain(call, value).map(Value::from)
    });
    functions.register("toJson", |call| {
        let [value] = call.exactly()?;
        let mut out = call.buffer();
        yaml::flow(&mut out, value)?;
        Ok(out.into_string().into())
    });
}

fn choices(functions: &mut Functions) {
    functions.register("default", |call| match call.arguments() {
        [fallback] => Ok(fallback.clone()),
        [fallback, value] => Ok(if value.is_true() { value } else { fallback }.clone()),
        others => Err(CallError::Failed(format!("wrong number of args: want 2 got {}", others.len()))),
    });
    functions.register("empty", |call| call.exactly().map(|[value]| (!value.is_true()).into()));
    functions.register("coalesce", |call| {
        Ok(call.arguments().iter().find(|value| value.is_true()).cloned().unwrap_or_default())
    });
    functions.register("ternary", |call| match call.exactly()? {
        [yes, no, Value::Bool(condition)] => Ok(if *condition { yes } else { no }.clone()),
        [_, _, other] => Err(crate::functions::wrong_type("bool", other)),
    });
    functions.register("hasKey", |call| match call.exactly()? {
        [Value::Map(entries), key] => Ok(entries.contains_key(text(key)?).into()),
        [other, _] => Err(crate::functions::wrong_type("map[string]interface {}", other)),
    });
}

fn numbers(functions: &mut Functions) {
    functions.register("int", |call| call.exactly().map(|[value]| integer(value).into()));
    functions.register("add", |call| Ok(call.arguments().iter().map(integer).fold(0, i64::wrapping_add).into()));
    functions.register("sub", |call| on_integers(call, |a, b| Some(a.wrapping_sub(b))));
    functions.register("div", |call| on_integers(call, |a, b| (b != 0).then(|| a.wrapping_div(b))));
    functions.register("mod", |call| on_integers(call, |a, b| (b != 0).then(|| a.wrapping_rem(b))));
    functions.register("mul", |call| match call.arguments().split_first() {
        Some((first, others)) => Ok(others.iter().map(integer).fold(integer(first), i64::wrapping_mul).into()),
        None => Err(CallError::failed("wrong number of args: want at least 1 got 0")),
    });
}

fn lists(functions: &mut Functions) {
    functions.register("list", |call| {
        match call.arguments().iter().find(|item| matches!(item, Value::List(_) | Value::Map(_) | Value::Struct(_))) {
            Some(_) => Err(CallError::Unsupported("a list of lists or maps".to_owned())),
            None => Ok(call.arguments().to_vec().into()),
        }
    });
    functions.register("first", |call| match call.exactly()? {
        [Value::List(items)] => Ok(items.first().cloned().unwrap_or_default()),
        [other] => Err(crate::functions::wrong_type("list", other)),
    });
    functions.register("last", |call| match call.exactly()? {
        [Value::List(items)] => Ok(items.last().cloned().unwrap_or_default()),
        [other] => Err(crate::functions::wrong_type("list", other)),
    });
    functions.register("splitList", |call| {
        let [separator, value] = texts_of(call)?;
        if separator.is_empty() {
            return Ok(value.chars().map(|c| c.to_string().into()).collect::<Vec<Value>>().into());
        }
        Ok(value.split(separator).map(Value::from).collect::<Vec<_>>().into())
    });
    functions.register("join", |call| {
        let [separator, items] = call.exactly()?;
        let separator = text(separator)?;
        let items = match items {
            Value::List(items) => items.to_vec(),
            Value::Nil => Vec::new(),
            one => vec![one.clone()],
        };
        let mut out = call.buffer();
        for (at, item) in items.iter().filter(|item| !matches!(item, Value::Nil)).enumerate() {
            if at > 0 {
                out.push_str(separator)?;
            }
            format::print(&mut out, std::slice::from_ref(item))?;
        }
        Ok(out.into_string().into())
    });
}

/// Exactly `N` arguments, all text.
fn texts_of<'a, const N: usize>(call: &Call<'a>) -> Result<[&'a str; N], CallError> {
    let mut texts = [""; N];
    for (place, value) in texts.iter_mut().zip(call.exactly::<N>()?) {
        *place = text(value)?;
    }
    Ok(texts)
}

fn on_text(call: &Call<'_>, change: impl Fn(&str) -> String) -> Result<Value, CallError> {
    let [value] = texts_of(call)?;
    // Upper case can be longer than the source.
    let mut out = call.buffer();
    out.push_str(&change(value))?;
    Ok(out.into_string().into())
}

fn on_integers(call: &Call<'_>, compute: impl Fn(i64, i64) -> Option<i64>) -> Result<Value, CallError> {
    let [a, b] = call.exactly()?;
    compute(integer(a), integer(b)).map(Value::Int).ok_or_else(|| CallError::failed("integer divide by zero"))
}

/// Every argument but nil between quotes, with spaces between them.
fn wrapped(call: &Call<'_>, quote: impl Fn(&str) -> String) -> Result<Value, CallError> {
    let mut out = call.buffer();
    for value in call.arguments().iter().filter(|value| !matches!(value, Value::Nil)) {
        if !out.is_empty() {
            out.push_str(" ")?;
        }
        out.push_str(&quote(&plain(call, value)?))?;
    }
    Ok(out.into_string().into())
}

fn plain(call: &Call<'_>, value: &Value) -> Result<String, CallError> {
    let mut out = call.buffer();
    format::print(&mut out, std::slice::from_ref(value))?;
    Ok(out.into_string())
}

fn indented(call: &Call<'_>, before: &str) -> Result<Value, CallError> {
    let [Value::Int(width), value] = call.exactly()? else {
        return Err(CallError::failed("wrong type for value; expected int"));
    };
    let width = usize::try_from(*width).map_err(|_| CallError::failed("negative indent"))?;
    let mut out = call.buffer();
    out.push_str(before)?;
    for (at, line) in text(value)?.split('\n').enumerate() {
        if at > 0 {
            out.push_str("\n")?;
        }
        out.push_repeated(" ", width)?;
        out.push_str(line)?;
    }
    Ok(out.into_string().into())
}

/// Any value as a number; what is none counts as 0.
fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(i) => *i,
        #[allow(clippy::cast_possible_truncation, reason = "Sprig truncates; Rust's cast saturates")]
        Value::Float(f) => *f as i64,
        Value::Bool(b) => i64::from(*b),
        Value::String(text) => text.parse().unwrap_or_default(),
        Value::Nil | Value::List(_) | Value::Map(_) | Value::Struct(_) => 0,
    }
}

fn base64(out: &mut Buffer, bytes: &[u8]) -> Result<(), CallError> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let mut group = [0u8; 3];
        for (place, byte) in group.iter_mut().zip(chunk) {
            *place = *byte;
        }
        let [a, b, c] = group.map(u32::from);
        let bits = a << 16 | b << 8 | c;
        let mut text = String::with_capacity(4);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = ALPHABET.get((bits >> shift & 63) as usize).copied().unwrap_or(b'=');
            text.push(if at > chunk.len() { '=' } else { char::from(letter) });
        }
        out.push_str(&text)?;
    }
    Ok(())
}
