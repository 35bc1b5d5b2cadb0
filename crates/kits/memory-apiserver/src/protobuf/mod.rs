//! Bodies in `application/vnd.kubernetes.protobuf`, which Go clients send for built-in kinds.
//!
//! Since client-go 1.33 the generated clients prefer protobuf (`k8s.io/client-go/gentype/type.go`, `PrefersProtobuf`) and do not
//! fall back to JSON when a server answers 415, so `kubectl create namespace` needs a server that reads it. Answers are JSON:
//! those clients accept both. Only what `messages` describes is read; the rest of the built-in kinds is refused.

mod messages;
mod wire;

use base64::Engine;
use jiff::Timestamp;
use messages::{Field, Message};
use serde_json::{Map, Value};
use wire::{Broken, Part, parts};

/// The media type.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What every body begins with.
const PREFIX: &[u8] = b"k8s\0";

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody has described this kind to us.
    #[error("no {kind} at {api_version} can be read from {MEDIA_TYPE}")]
    UnknownKind {
        /// As the body says.
        api_version: String,
        /// As the body says.
        kind: String,
    },
    /// It is not what its media type says.
    #[error("{0}")]
    Broken(String),
}

impl From<Broken> for Error {
    fn from(_: Broken) -> Self {
        Self::Broken("unexpected EOF".to_owned())
    }
}

/// Whether a `Content-Type` says that the body is protobuf.
pub(crate) fn is_named_by(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim() == MEDIA_TYPE
}

/// The object in a body, as its JSON form would be.
pub(crate) fn decode(body: &[u8]) -> Result<Value, Error> {
    let envelope = match body.strip_prefix(PREFIX) {
        _ if body.is_empty() => return Err(Error::Broken("empty data".to_owned())),
        None => {
            let prefix = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
            return Err(Error::Broken(prefix.to_owned()));
        }
        Some([]) => return Err(Error::Broken("empty body".to_owned())),
        Some(envelope) => envelope,
    };
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for part in parts(envelope) {
        match part? {
            (1, Part::Bytes(type_meta)) => {
                for part in parts(type_meta) {
                    match part? {
                        (1, Part::Bytes(text)) => api_version = String::from_utf8_lossy(text).into_owned(),
                        (2, Part::Bytes(text)) => kind = String::from_utf8_lossy(text).into_owned(),
                        _ => {}
                    }
                }
            }
            (2, Part::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let Some(message) = messages::of(&api_version, &kind) else {
        return Err(Error::UnknownKind { api_version, kind });
    };
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    object.extend(read(raw, message)?);
    Ok(Value::Object(object))
}

/// The members of a message. What it does not describe is left out, as unknown fields are by Go's decoder.
fn read(bytes: &[u8], message: Message) -> Result<Map<String, Value>, Error> {
    let mut members = Map::new();
    for part in parts(bytes) {
        let (number, part) = part?;
        let Some((_, name, field)) = message.iter().find(|(n, ..)| *n == number) else { continue };
        let place = members.entry(*name).or_insert(Value::Null);
        add(place, part, field)?;
    }
    members.retain(|_, value| !value.is_null());
    Ok(members)
}

/// Puts one part of a field where its value belongs. A field that Go leaves out of JSON when it is empty stays null.
fn add(place: &mut Value, part: Part<'_>, field: &Field) -> Result<(), Error> {
    match (field, part) {
        (Field::Text, Part::Bytes([])) | (Field::Number, Part::Number(0)) => {}
        (Field::Text | Field::OptionalText, Part::Bytes(bytes)) => *place = text(bytes),
        (Field::Number | Field::OptionalNumber, Part::Number(number)) => *place = number.cast_signed().into(),
        (Field::Flag, Part::Number(number)) => *place = Value::Bool(number != 0),
        (Field::Json, Part::Bytes(bytes)) => {
            let raw = parts(bytes).find_map(|part| part.ok().and_then(|(n, part)| part.bytes().filter(|_| n == 1)));
            *place = serde_json::from_slice(raw.unwrap_or_default()).map_err(|e| Error::Broken(e.to_string()))?;
        }
        (Field::Time, Part::Bytes(bytes)) => *place = time(bytes, false)?,
        (Field::MicroTime, Part::Bytes(bytes)) => *place = time(bytes, true)?,
        (Field::Message(message), Part::Bytes(bytes)) => *place = Value::Object(read(bytes, message)?),
        (Field::Texts, Part::Bytes(bytes)) => push(place, text(bytes)),
        (Field::Messages(message), Part::Bytes(bytes)) => push(place, Value::Object(read(bytes, message)?)),
        (Field::Map(of), Part::Bytes(bytes)) => {
            let (mut key, mut value) = (String::new(), Value::Null);
            for part in parts(bytes) {
                match part? {
                    (1, Part::Bytes(bytes)) => key = String::from_utf8_lossy(bytes).into_owned(),
                    (2, Part::Bytes(bytes)) => value = of.read(bytes)?,
                    _ => {}
                }
            }
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            if let Some(map) = place.as_object_mut() {
                map.insert(key, value);
            }
        }
        _ => return Err(Error::Broken("proto: wrong wireType".to_owned())),
    }
    Ok(())
}

impl messages::Entry {
    fn read(&self, bytes: &[u8]) -> Result<Value, Error> {
        Ok(match self {
            Self::Text => text(bytes),
            Self::Base64 => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
            Self::Texts => {
                let items = read(bytes, &[(1, "items", Field::Texts)])?.remove("items");
                items.unwrap_or_else(|| Value::Array(Vec::new()))
            }
        })
    }
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn push(place: &mut Value, item: Value) {
    match place {
        Value::Array(items) => items.push(item),
        _ => *place = Value::Array(vec![item]),
    }
}

/// A time as JSON has it; null for the zero time, which is an empty message.
fn time(bytes: &[u8], micro: bool) -> Result<Value, Error> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanoseconds) = (0, 0);
    for part in parts(bytes) {
        match part? {
            (1, Part::Number(number)) => seconds = number.cast_signed(),
            (2, Part::Number(number)) => nanoseconds = i32::try_from(number.cast_signed()).unwrap_or_default(),
            _ => {}
        }
    }
    let time = Timestamp::new(seconds, nanoseconds).map_err(|error| Error::Broken(error.to_string()))?;
    Ok(match micro {
        true => time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into(),
        false => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Written by Go: each object with every member set, encoded by `k8s.io/apimachinery` 0.36.3, and as JSON by `encoding/json`.
    const OBJECTS: &str = include_str!("../../tests/protobuf.json");

    fn objects() -> Vec<(Vec<u8>, Value)> {
        let objects: Vec<Value> = serde_json::from_str(OBJECTS).unwrap();
        let decode = |text: &Value| base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap();
        objects.into_iter().map(|object| (decode(&object["protobuf"]), object["json"].clone())).collect()
    }

    #[test]
    fn what_go_encodes_is_read_whole() {
        for (bytes, mut json) in objects() {
            let mut read = decode(&bytes).unwrap();
            // Go's JSON shows empty fields of reviews' statuses, which the server fills in anyway.
            if json["kind"].as_str().is_some_and(|kind| kind.ends_with("Review")) {
                for object in [&mut read, &mut json] {
                    object.as_object_mut().unwrap().remove("status");
                }
            }
            assert_eq!(read, json);
        }
    }

    #[test]
    fn what_is_cut_short_or_no_protobuf_is_refused() {
        for (bytes, _) in objects() {
            assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        }
        assert_eq!(decode(b""), Err(Error::Broken("empty data".to_owned())));
        assert!(decode(b"{}").unwrap_err().to_string().contains("does not appear to be a protobuf message"));
        let pod = b"k8s\0\n\t\n\x02v1\x12\x03Pod\x12\0";
        assert!(matches!(decode(pod), Err(Error::UnknownKind { kind, .. }) if kind == "Pod"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fall_over(noise in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), which in 0_usize..14) {
            let (mut bytes, _) = objects().swap_remove(which);
            let at = at.index(bytes.len());
            bytes.splice(at..at, noise);
            let _ = decode(&bytes);
        }
    }
}
