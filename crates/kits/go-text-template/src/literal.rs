//! Go's number, character and string literals.

use crate::value::Value;

/// Why a literal is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Malformed,
    /// Valid Go that this crate leaves out.
    Unsupported,
}

/// A number: an integer in any base, or a decimal float.
pub(crate) fn number(text: &str) -> Result<Value, Refused> {
    if text.ends_with('i') {
        return Err(Refused::Unsupported);
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)),
        [b'0', b'o', ..] => (8, lower.get(2..)),
        [b'0', b'b', ..] => (2, lower.get(2..)),
        [b'0', b'0'..=b'9' | b'_', ..] if !lower.contains(['.', 'e']) => (8, lower.get(1..)),
        _ => (10, Some(lower.as_str())),
    };
    let body = body.unwrap_or_default();
    if radix == 16 && body.contains(['.', 'p']) {
        return Err(Refused::Unsupported);
    }
    // An underscore stands between digits, or between the prefix and a digit.
    if body.ends_with('_') || body.contains("__") || (radix == 10 && body.starts_with('_')) {
        return Err(Refused::Malformed);
    }
    let plain = body.replace('_', "");
    if radix == 10 && plain.contains(['.', 'e']) {
        let is_digit_or_dot = |c: char| c.is_ascii_digit() || c == '.';
        if !plain.starts_with(is_digit_or_dot) || body.contains('_') {
            return Err(Refused::Malformed);
        }
        let float: f64 = plain.parse().map_err(|_| Refused::Malformed)?;
        if !float.is_finite() {
            return Err(Refused::Malformed);
        }
        return Ok(Value::Float(if negative { -float } else { float }));
    }
    if plain.starts_with(['+', '-']) {
        return Err(Refused::Malformed);
    }
    let magnitude = i128::from_str_radix(&plain, radix).map_err(|_| Refused::Malformed)?;
    i64::try_from(if negative { -magnitude } else { magnitude }).map(Value::Int).map_err(|_| Refused::Malformed)
}

/// The text between two double quotes, its escapes resolved.
pub(crate) fn string(body: &str) -> Result<String, Refused> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(piece) = next_piece(&mut rest, '"')? {
        match piece {
            Piece::Character(character) => {
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Piece::Byte(byte) => bytes.push(byte),
        }
    }
    // Go's strings may hold any bytes; ours are UTF-8.
    String::from_utf8(bytes).map_err(|_| Refused::Unsupported)
}

/// The code of the one character between two single quotes.
pub(crate) fn character(body: &str) -> Result<i64, Refused> {
    let mut rest = body;
    let piece = next_piece(&mut rest, '\'')?.ok_or(Refused::Malformed)?;
    if !rest.is_empty() {
        return Err(Refused::Malformed);
    }
    Ok(match piece {
        Piece::Character(character) => u32::from(character).into(),
        Piece::Byte(byte) => byte.into(),
    })
}

enum Piece {
    Character(char),
    /// From `\xhh` or `\ooo`, which name bytes and not characters.
    Byte(u8),
}

fn next_piece(rest: &mut &str, delimiter: char) -> Result<Option<Piece>, Refused> {
    let mut characters = rest.chars();
    let Some(first) = characters.next() else { return Ok(None) };
    if first != '\\' {
        *rest = characters.as_str();
        return Ok(Some(Piece::Character(first)));
    }
    let escape = characters.next().ok_or(Refused::Malformed)?;
    let tail = characters.as_str();
    let (piece, used) = match escape {
        'a' => (Piece::Character('\x07'), 0),
        'b' => (Piece::Character('\x08'), 0),
        'f' => (Piece::Character('\x0c'), 0),
        'n' => (Piece::Character('\n'), 0),
        'r' => (Piece::Character('\r'), 0),
        't' => (Piece::Character('\t'), 0),
        'v' => (Piece::Character('\x0b'), 0),
        '\\' => (Piece::Character('\\'), 0),
        c if c == delimiter => (Piece::Character(c), 0),
        'x' => (byte(code(tail, 2, 16)?)?, 2),
        'u' => (scalar(code(tail, 4, 16)?)?, 4),
        'U' => (scalar(code(tail, 8, 16)?)?, 8),
        '0'..='7' => {
            let first = escape.to_digit(8).unwrap_or_default();
            (byte(first * 64 + code(tail, 2, 8)?)?, 2)
        }
        _ => return Err(Refused::Malformed),
    };
    *rest = tail.get(used..).unwrap_or_default();
    Ok(Some(piece))
}

fn code(text: &str, digits: usize, radix: u32) -> Result<u32, Refused> {
    let digits = text.get(..digits).ok_or(Refused::Malformed)?;
    if digits.starts_with('+') {
        return Err(Refused::Malformed);
    }
    u32::from_str_radix(digits, radix).map_err(|_| Refused::Malformed)
}

fn byte(code: u32) -> Result<Piece, Refused> {
    u8::try_from(code).map(Piece::Byte).map_err(|_| Refused::Malformed)
}

fn scalar(code: u32) -> Result<Piece, Refused> {
    char::from_u32(code).map(Piece::Character).ok_or(Refused::Malformed)
}
