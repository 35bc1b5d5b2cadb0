//! What Go's `encoding/json` says about a text it cannot read. The server's answers carry these words, and some clients
//! look for them.

use base64::DecodeError;
use serde_json::Value;

/// The complaint about `text`; `None` if it is one JSON value.
pub(crate) fn syntax_error(text: &[u8]) -> Option<String> {
    let mut scanner = Scanner { open: Vec::new(), state: State::Value };
    for byte in text {
        if let Err(context) = scanner.step(*byte) {
            return Some(format!("invalid character {} {context}", quoted(*byte)));
        }
    }
    // A number ends where the text ends.
    let ended = matches!(scanner.state, State::After) || scanner.state.ends_a_number();
    (!ended || !scanner.open.is_empty()).then(|| "unexpected end of JSON input".to_owned())
}

/// The complaint about a value of the wrong type.
pub(crate) fn type_error(value: &Value, go_type: &str) -> String {
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("json: cannot unmarshal {actual} into Go value of type {go_type}")
}

/// The complaint about text that is no base64.
pub(crate) fn base64_error(text: &str, error: &DecodeError) -> String {
    let at = match error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => *at,
        _ => text.len(),
    };
    format!("illegal base64 data at input byte {at}")
}

/// A byte as a Go character literal; the scanner takes bytes for code points.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        7 => r"'\a'".to_owned(),
        8 => r"'\b'".to_owned(),
        9 => r"'\t'".to_owned(),
        10 => r"'\n'".to_owned(),
        11 => r"'\v'".to_owned(),
        12 => r"'\f'".to_owned(),
        13 => r"'\r'".to_owned(),
        0..32 | 127 => format!("'\\x{byte:02x}'"),
        128..=160 | 173 => format!("'\\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

/// What the scanner is in the middle of.
#[derive(Clone, Copy)]
enum State {
    Value,
    /// Behind `[`: a value, or the end of the list.
    FirstItem,
    /// Behind `{`: a key, or the end of the object.
    FirstKey,
    Key,
    /// Behind a value.
    After,
    Text,
    Escape,
    /// So many digits of `\u` are still to come.
    Unicode(u8),
    /// The rest of `true`, `false` or `null`.
    Literal(&'static str, usize),
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    SignedExponent,
    Power,
}

impl State {
    fn ends_a_number(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Power)
    }
}

/// An object or list that is not closed yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Before the colon.
    Key,
    /// Behind the colon.
    Member,
    List,
}

struct Scanner {
    open: Vec<Open>,
    state: State,
}

impl Scanner {
    /// Takes one byte; the error says where it does not belong.
    fn step(&mut self, byte: u8) -> Result<(), String> {
        let next = match self.state {
            State::Value => return self.value(byte),
            State::FirstItem if byte == b']' => return self.close(),
            State::FirstItem => return self.value(byte),
            State::FirstKey if byte == b'}' => return self.close(),
            State::FirstKey | State::Key if is_space(byte) => self.state,
            State::FirstKey | State::Key if byte == b'"' => State::Text,
            State::FirstKey | State::Key => return Err("looking for beginning of object key string".to_owned()),
            State::After => return self.after(byte),
            State::Text => match byte {
                b'"' => State::After,
                b'\\' => State::Escape,
                0..32 => return Err("in string literal".to_owned()),
                _ => State::Text,
            },
            State::Escape => match byte {
                b'u' => State::Unicode(4),
                b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => State::Text,
                _ => return Err("in string escape code".to_owned()),
            },
            State::Unicode(_) if !byte.is_ascii_hexdigit() => {
                return Err("in \\u hexadecimal character escape".to_owned());
            }
            State::Unicode(1) => State::Text,
            State::Unicode(left) => State::Unicode(left - 1),
            State::Literal(word, at) => match word.as_bytes().get(at) {
                Some(wanted) if *wanted == byte && at + 1 == word.len() => State::After,
                Some(wanted) if *wanted == byte => State::Literal(word, at + 1),
                wanted => {
                    let wanted = wanted.copied().map(quoted).unwrap_or_default();
                    return Err(format!("in literal {word} (expecting {wanted})"));
                }
            },
            State::Minus | State::Zero | State::Integer | State::Point | State::Fraction => return self.number(byte),
            State::Exponent | State::SignedExponent | State::Power => return self.exponent(byte),
        };
        self.state = next;
        Ok(())
    }

    fn value(&mut self, byte: u8) -> Result<(), String> {
        self.state = match byte {
            _ if is_space(byte) => self.state,
            b'{' => {
                self.open.push(Open::Key);
                State::FirstKey
            }
            b'[' => {
                self.open.push(Open::List);
                State::FirstItem
            }
            b'"' => State::Text,
            b'-' => State::Minus,
            b'0' => State::Zero,
            b'1'..=b'9' => State::Integer,
            b't' => State::Literal("true", 1),
            b'f' => State::Literal("false", 1),
            b'n' => State::Literal("null", 1),
            _ => return Err("looking for beginning of value".to_owned()),
        };
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        self.open.pop();
        self.state = State::After;
        Ok(())
    }

    fn after(&mut self, byte: u8) -> Result<(), String> {
        if is_space(byte) {
            self.state = State::After;
            return Ok(());
        }
        let place = match (self.open.last_mut(), byte) {
            (Some(open @ Open::Key), b':') => {
                *open = Open::Member;
                self.state = State::Value;
                return Ok(());
            }
            (Some(open @ Open::Member), b',') => {
                *open = Open::Key;
                self.state = State::Key;
                return Ok(());
            }
            (Some(Open::List), b',') => {
                self.state = State::Value;
                return Ok(());
            }
            (Some(Open::Member), b'}') | (Some(Open::List), b']') => return self.close(),
            (Some(Open::Key), _) => "after object key",
            (Some(Open::Member), _) => "after object key:value pair",
            (Some(Open::List), _) => "after array element",
            (None, _) => "after top-level value",
        };
        Err(place.to_owned())
    }

    fn number(&mut self, byte: u8) -> Result<(), String> {
        self.state = match (self.state, byte) {
            (State::Minus, b'0') => State::Zero,
            (State::Minus, b'1'..=b'9') | (State::Integer, b'0'..=b'9') => State::Integer,
            (State::Minus, _) => return Err("in numeric literal".to_owned()),
            (State::Point | State::Fraction, b'0'..=b'9') => State::Fraction,
            (State::Point, _) => return Err("after decimal point in numeric literal".to_owned()),
            (State::Zero | State::Integer, b'.') => State::Point,
            (_, b'e' | b'E') => State::Exponent,
            _ => return self.after(byte),
        };
        Ok(())
    }

    fn exponent(&mut self, byte: u8) -> Result<(), String> {
        self.state = match (self.state, byte) {
            (State::Exponent, b'+' | b'-') => State::SignedExponent,
            (_, b'0'..=b'9') => State::Power,
            (State::Power, _) => return self.after(byte),
            _ => return Err("in exponent of numeric literal".to_owned()),
        };
        Ok(())
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::syntax_error;

    #[test]
    fn whatever_serde_reads_go_reads() {
        for text in
            ["{}", "[]", " [1, -0.5e+3, {\"a\": [true, false, null]}, \"\\u00e9\\n\"] ", "0", "12", "1.5", "1e9"]
        {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
            assert_eq!(syntax_error(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_broken_text_gets_go_s_words() {
        for (text, words) in [
            ("", "unexpected end of JSON input"),
            ("[{", "unexpected end of JSON input"),
            ("\"a", "unexpected end of JSON input"),
            ("{broken", "invalid character 'b' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("no", "invalid character 'o' in literal null (expecting 'u')"),
            ("]", "invalid character ']' looking for beginning of value"),
            ("01", "invalid character '1' after top-level value"),
            ("-a", "invalid character 'a' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u00g0\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
        ] {
            assert_eq!(syntax_error(text.as_bytes()).as_deref(), Some(words), "{text}");
        }
    }
}
