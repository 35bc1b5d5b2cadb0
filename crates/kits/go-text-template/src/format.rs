//! Text of values, as Go's fmt package writes it.

use crate::buffer::Buffer;
use crate::functions::CallError;
use crate::value::Value;

/// Deeper data is cut off with an error, so that no recursion depends on input alone.
const MAX_DEPTH: usize = 128;

/// How one `%` of a format string wants its argument.
#[derive(Debug, Clone, Copy)]
struct Directive {
    verb: char,
    width: usize,
    precision: Option<usize>,
    minus: bool,
    zero: bool,
    plus: bool,
}

const PLAIN: Directive = Directive { verb: 'v', width: 0, precision: None, minus: false, zero: false, plus: false };

/// The value of an action: like `print`, but nil reads `<no value>`.
pub(crate) fn output(out: &mut Buffer, value: &Value) -> Result<(), CallError> {
    match value {
        Value::Nil => Ok(out.push_str("<no value>")?),
        other => write(out, other, PLAIN, 0),
    }
}

/// All arguments, with a space between two that are both no strings.
pub(crate) fn print(out: &mut Buffer, arguments: &[Value]) -> Result<(), CallError> {
    let mut previous: Option<&Value> = None;
    for argument in arguments {
        let is_string = |value: &Value| matches!(value, Value::String(_));
        if previous.is_some_and(|previous| !is_string(previous)) && !is_string(argument) {
            out.push_str(" ")?;
        }
        write(out, argument, PLAIN, 0)?;
        previous = Some(argument);
    }
    Ok(())
}

/// The value as `print` writes it, cut after 64 characters: for error messages.
pub(crate) fn short(value: &Value) -> String {
    let mut out = Buffer::new(4096);
    if write(&mut out, value, PLAIN, 0).is_err() {
        return value.type_name().to_owned();
    }
    out.into_string().chars().take(64).collect()
}

/// Go's Sprintf, with the verbs `v s q d x X t f`, width, precision, and the flags `-`, `0` and `+`.
pub(crate) fn printf(out: &mut Buffer, layout: &str, arguments: &[Value]) -> Result<(), CallError> {
    let mut arguments = arguments.iter();
    let mut rest = layout;
    while let Some((literal, tail)) = rest.split_once('%') {
        out.push_str(literal)?;
        let Some((directive, tail)) = directive(tail)? else {
            out.push_str("%!(NOVERB)")?;
            rest = "";
            break;
        };
        rest = tail;
        if directive.verb == '%' {
            out.push_str("%")?;
        } else if let Some(argument) = arguments.next() {
            write(out, argument, directive, 0)?;
        } else {
            out.push_str(&format!("%!{}(MISSING)", directive.verb))?;
        }
    }
    out.push_str(rest)?;
    if arguments.len() > 0 {
        out.push_str("%!(EXTRA ")?;
        for (at, argument) in arguments.enumerate() {
            if at > 0 {
                out.push_str(", ")?;
            }
            typed(out, argument, PLAIN)?;
        }
        out.push_str(")")?;
    }
    Ok(())
}

/// Reads what follows a `%`; `None` when the layout ends before the verb.
fn directive(layout: &str) -> Result<Option<(Directive, &str)>, CallError> {
    let mut directive = PLAIN;
    let mut rest = layout;
    loop {
        match rest.chars().next() {
            Some('-') => directive.minus = true,
            Some('0') => directive.zero = true,
            Some('+') => directive.plus = true,
            Some(flag @ (' ' | '#' | '*' | '[')) => {
                return Err(CallError::Unsupported(format!("{flag:?} in a printf format")));
            }
            _ => break,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    (directive.width, rest) = number(rest)?;
    if let Some(tail) = rest.strip_prefix('.') {
        let (precision, tail) = number(tail)?;
        directive.precision = Some(precision);
        rest = tail;
    }
    let mut characters = rest.chars();
    match characters.next() {
        None => Ok(None),
        Some('*' | '[') => Err(CallError::Unsupported("'*' or '[' in a printf format".to_owned())),
        Some(verb) => {
            directive.verb = verb;
            Ok(Some((directive, characters.as_str())))
        }
    }
}

/// Leading digits as a number, 0 when there are none. Go's own limit is one million.
fn number(text: &str) -> Result<(usize, &str), CallError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Ok((0, rest));
    }
    match digits.parse() {
        Ok(number) if number <= 1_000_000 => Ok((number, rest)),
        _ => Err(CallError::failed("number too large in a printf format")),
    }
}

fn write(out: &mut Buffer, value: &Value, how: Directive, depth: usize) -> Result<(), CallError> {
    if depth > MAX_DEPTH {
        return Err(CallError::failed("value nested too deeply to print"));
    }
    match value {
        Value::List(items) => {
            out.push_str("[")?;
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(" ")?;
                }
                write(out, item, how, depth + 1)?;
            }
            Ok(out.push_str("]")?)
        }
        Value::Map(entries) => {
            out.push_str("map[")?;
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push_str(" ")?;
                }
                write(out, &Value::from(key.as_str()), how, depth + 1)?;
                out.push_str(":")?;
                write(out, value, how, depth + 1)?;
            }
            Ok(out.push_str("]")?)
        }
        Value::Struct(fields) => {
            out.push_str("{")?;
            for (at, (_, value)) in fields.fields().enumerate() {
                if at > 0 {
                    out.push_str(" ")?;
                }
                write(out, value, how, depth + 1)?;
            }
            Ok(out.push_str("}")?)
        }
        scalar => write_scalar(out, scalar, how),
    }
}

fn write_scalar(out: &mut Buffer, value: &Value, how: Directive) -> Result<(), CallError> {
    match (how.verb, value) {
        ('b' | 'c' | 'e' | 'E' | 'F' | 'g' | 'G' | 'o' | 'O' | 'p' | 'T' | 'U' | 'w', _)
        | ('x' | 'X', Value::Float(_)) => {
            return Err(CallError::Unsupported(format!("%{} in a printf format", how.verb)));
        }
        _ => {}
    }
    if how.plus && !matches!((how.verb, value), ('v' | 'd' | 'f', Value::Int(_) | Value::Float(_))) {
        return Err(CallError::Unsupported("'+' for this verb and type".to_owned()));
    }
    if how.precision.is_some() && !matches!((how.verb, value), ('v' | 's', Value::String(_)) | ('f', Value::Float(_))) {
        return Err(CallError::Unsupported("a precision for this verb and type".to_owned()));
    }
    let text = match (how.verb, value) {
        ('v', Value::Nil) => "<nil>".to_owned(),
        ('v' | 't', Value::Bool(b)) => b.to_string(),
        ('v' | 'd', Value::Int(i)) => i.to_string(),
        ('x', Value::Int(i)) => signed_hex(*i),
        ('X', Value::Int(i)) => signed_hex(*i).to_uppercase(),
        ('q', Value::Int(i)) => quoted_character(*i),
        ('v', Value::Float(f)) => float(*f),
        ('f', Value::Float(f)) if f.is_finite() => {
            // The integer part alone can have 309 digits; the precision is what could be long.
            let precision = how.precision.unwrap_or(6);
            if precision > 1000 {
                return Err(CallError::Unsupported("a precision over 1000".to_owned()));
            }
            format!("{f:.precision$}")
        }
        ('f', Value::Float(f)) => float(*f),
        ('v' | 's', Value::String(s)) => match how.precision {
            Some(most) => s.chars().take(most).collect(),
            None => return pad(out, s, how, false),
        },
        ('q', Value::String(s)) => quote(s),
        ('x', Value::String(s)) => s.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('X', Value::String(s)) => s.bytes().map(|byte| format!("{byte:02X}")).collect(),
        (verb, other) => {
            out.push_str(&format!("%!{verb}("))?;
            typed(out, other, Directive { verb: 'v', ..how })?;
            return Ok(out.push_str(")")?);
        }
    };
    let numeric = matches!(value, Value::Int(_) | Value::Float(_)) && how.verb != 'q';
    if how.plus && !text.starts_with(['-', '+']) {
        return pad(out, &format!("+{text}"), how, numeric);
    }
    pad(out, &text, how, numeric)
}

/// `type=value`, as in `%!d(string=x)`.
fn typed(out: &mut Buffer, value: &Value, how: Directive) -> Result<(), CallError> {
    if !matches!(value, Value::Nil) {
        out.push_str(value.type_name())?;
        out.push_str("=")?;
    }
    write(out, value, how, 0)
}

fn pad(out: &mut Buffer, text: &str, how: Directive, numeric: bool) -> Result<(), CallError> {
    let missing = how.width.saturating_sub(text.chars().count());
    if how.minus {
        out.push_str(text)?;
        out.push_repeated(" ", missing)?;
    } else if how.zero && !text.ends_with("Inf") && text != "NaN" {
        let digits = if numeric { text.strip_prefix(['-', '+']).unwrap_or(text) } else { text };
        out.push_str(text.get(..text.len() - digits.len()).unwrap_or_default())?;
        out.push_repeated("0", missing)?;
        out.push_str(digits)?;
    } else {
        out.push_repeated(" ", missing)?;
        out.push_str(text)?;
    }
    Ok(())
}

fn signed_hex(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:x}", number.unsigned_abs())
}

/// Go's `%v` of a float64: as few digits as identify it, with an exponent below 1e-4 and from 1e6 on.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// Go's strconv.Quote.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        escape(&mut quoted, character, '"');
    }
    quoted.push('"');
    quoted
}

fn quoted_character(code: i64) -> String {
    let character = u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut quoted = String::from("'");
    escape(&mut quoted, character, '\'');
    quoted.push('\'');
    quoted
}

fn escape(out: &mut String, character: char, delimiter: char) {
    match character {
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        '\\' => out.push_str("\\\\"),
        c if c == delimiter => {
            out.push('\\');
            out.push(c);
        }
        c if is_printable(c) => out.push(c),
        c if c < '\u{80}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if c < '\u{10000}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
    }
}

fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    // As the second character of a string a combining mark is not escaped, which is how Go sees it.
    let mut buffer = [b'a', 0, 0, 0, 0];
    let Some((_, tail)) = buffer.split_first_mut() else { return false };
    let length = character.encode_utf8(tail).len() + 1;
    let text = std::str::from_utf8(buffer.get(..length).unwrap_or_default()).unwrap_or_default();
    text.escape_debug().count() == 2
}
