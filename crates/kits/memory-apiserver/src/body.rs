//! Reading the bodies of requests: JSON, YAML, and protobuf for the kinds that Go clients send in it.

use crate::api::{Call, Failure};
use crate::error::{ApiError, MEDIA_TYPES};
use crate::golang;
use crate::json;
use crate::patch::{self, PatchType};
use crate::protobuf;
use bytes::Bytes;
use serde_json::Value;

/// Reads JSON, or YAML where the content type says so.
fn parse_body(body: &Bytes, content_type: &str) -> Result<json::Parsed, String> {
    let parsed = json::parse(body).map_err(|error| golang::syntax_error(body).unwrap_or_else(|| error.to_string()));
    let yaml = content_type.contains("yaml");
    match parsed {
        Err(_) if yaml => serde_saphyr::from_slice::<Value>(body)
            .map(|value| json::Parsed { value, duplicates: Vec::new() })
            .map_err(|error| error.to_string()),
        other => other,
    }
}

impl Call<'_> {
    /// Reads the object in the body of a write.
    pub(crate) fn read(&self, body: &Bytes, content_type: &str) -> Result<json::Parsed, ApiError> {
        if self.kind().is_custom() && protobuf::is_named_by(content_type) {
            // Nobody can say how their members are numbered.
            return Err(unknown_format());
        }
        let parsed = parse_object(body, content_type)?.map_err(|why| self.unrecognized(&why, body))?;
        if self.kind().is_custom() && crate::meta::text(&parsed.value, "kind").is_empty() {
            let text = String::from_utf8_lossy(body);
            return Err(self.unrecognized(&format!("Object 'Kind' is missing in '{text}'"), body));
        }
        Ok(parsed)
    }

    /// Reads the body of a PUT to a scale, which every complaint is the same about.
    pub(crate) fn read_scale(&self, body: &Bytes, content_type: &str) -> Result<Value, ApiError> {
        Ok(parse_object(body, content_type)?.map_or(Value::Null, |parsed| parsed.value))
    }

    /// Reads the body of a patch.
    pub(crate) fn read_patch(&self, body: &Bytes, content_type: &str) -> Result<(PatchType, json::Parsed), Failure> {
        let Some(kind) = PatchType::from_content_type(content_type) else {
            let message = match self.kind().is_custom() {
                true => patch::UNKNOWN_TYPE,
                false => "415: Unsupported Media Type",
            };
            return Err(ApiError::unsupported_media_type(message).into());
        };
        if kind == PatchType::Strategic && self.kind().is_custom() && !self.subresource.is_empty() {
            return Err(ApiError::unsupported_media_type(patch::UNKNOWN_TYPE).into());
        }
        let media = if kind == PatchType::Apply { "application/yaml" } else { "" };
        match parse_body(body, media) {
            Ok(parsed) => Ok((kind, parsed)),
            Err(why) => {
                // A missing object is told before a bad patch.
                if kind != PatchType::Apply {
                    self.current()?;
                }
                Err(ApiError::bad_request(patch::decoding(kind, &why)).into())
            }
        }
    }

    /// The answer to a body of which not even the type can be read: with how it begins.
    fn unrecognized(&self, why: &str, body: &[u8]) -> ApiError {
        const SHOWN: usize = 30;
        let start = body.get(..SHOWN).unwrap_or(body);
        let begins = match body.first() {
            None => "<empty>".to_owned(),
            Some(b'{') => String::from_utf8_lossy(start).into_owned(),
            Some(_) => start.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let more = if body.len() > SHOWN { " ..." } else { "" };
        let kind = &self.kind().kind;
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {why} ({begins}{more})"
        ))
    }
}

/// Reads the options in the body of a delete.
pub(crate) fn delete_options(body: &Bytes, content_type: &str) -> Result<json::Parsed, ApiError> {
    parse_object(body, content_type)?.map_err(ApiError::bad_request)
}

fn unknown_format() -> ApiError {
    ApiError::unsupported_media_type(format!(
        "the body of the request was in an unknown format - accepted media types include: {MEDIA_TYPES}"
    ))
}

/// Reads an object; the inner error is the decoder's complaint.
pub(crate) fn parse_object(body: &Bytes, content_type: &str) -> Result<Result<json::Parsed, String>, ApiError> {
    const TYPE_META: &str =
        r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    if protobuf::is_named_by(content_type) {
        return match protobuf::decode(body) {
            Ok(value) => Ok(Ok(json::Parsed { value, duplicates: Vec::new() })),
            Err(protobuf::Error::Broken(why)) => Ok(Err(format!("couldn't get version/kind; protobuf: {why}"))),
            Err(why) => Err(ApiError::unsupported_media_type(format!("{why}: send application/json"))),
        };
    }
    if !content_type.is_empty() && !content_type.contains("json") && !content_type.contains("yaml") {
        return Err(unknown_format());
    }
    let parsed = parse_body(body, content_type).and_then(|parsed| {
        if parsed.value.is_object() { Ok(parsed) } else { Err(golang::type_error(&parsed.value, TYPE_META)) }
    });
    Ok(parsed.map_err(|why| format!("couldn't get version/kind; json parse error: {why}")))
}
