//! Protobuf's wire format: a message is a row of numbered parts.

/// One part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A number, from any of the three forms that numbers have.
    Number(u64),
    /// A text, bytes, or another message.
    Bytes(&'a [u8]),
}

impl<'a> Part<'a> {
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) => None,
        }
    }
}

/// The bytes end too early, or are none of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// The parts of a message, each with its field's number; the first broken one ends it.
pub(super) fn parts(mut bytes: &[u8]) -> impl Iterator<Item = Result<(u64, Part<'_>), Broken>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let part = part(&mut bytes);
        if part.is_err() {
            bytes = &[];
        }
        Some(part)
    })
}

fn part<'a>(bytes: &mut &'a [u8]) -> Result<(u64, Part<'a>), Broken> {
    let tag = varint(bytes)?;
    let part = match tag & 7 {
        0 => Part::Number(varint(bytes)?),
        1 => Part::Number(u64::from_le_bytes(take(bytes, 8)?.try_into().map_err(|_| Broken)?)),
        2 => {
            let length = usize::try_from(varint(bytes)?).map_err(|_| Broken)?;
            Part::Bytes(take(bytes, length)?)
        }
        5 => Part::Number(u32::from_le_bytes(take(bytes, 4)?.try_into().map_err(|_| Broken)?).into()),
        _ => return Err(Broken),
    };
    Ok((tag >> 3, part))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Broken> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(Broken)?;
    *bytes = rest;
    Ok(taken)
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn varint(bytes: &mut &[u8]) -> Result<u64, Broken> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or(Broken)?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Broken)
}
