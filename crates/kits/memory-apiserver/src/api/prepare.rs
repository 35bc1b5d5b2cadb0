//! From a client's body to an object the server can store: identity, shape, field validation.

use super::{Call, Failure, typed};
use crate::convert;
use crate::error::{ApiError, FieldError};
use crate::meta;
use crate::names;
use crate::patch;
use crate::request::FieldValidation;
use crate::schema::{normalise, validate};
use serde_json::Value;

const MISPLACED: &str = "the namespace of the provided object does not match the namespace sent on the request";

/// How strictly the body's identity is compared with the URL, and how unknown fields are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The body of a create or update.
    Body,
    /// An object that a patch produced.
    Patch,
    /// The configuration of an apply.
    Apply,
}

impl Call<'_> {
    /// Checks identity, brings the object to the storage version and to the shape of its schema. Unknown and duplicate
    /// fields become an error or warnings.
    pub(super) fn prepare(&self, mut value: Value, mut unknown: Vec<String>, source: Source) -> Result<Value, Failure> {
        self.check_type(&value, source)?;
        if let Some(complaint) = value.get("metadata").and_then(names::wrong_meta_type) {
            return Err(self.undecodable(&complaint, source).into());
        }
        self.check_place(&mut value, source)?;
        // Duplicate fields were found while parsing; only unknown ones follow.
        for path in &mut unknown {
            *path = format!("duplicate field {path:?}");
        }
        let mut pruned = Vec::new();
        normalise::normalise_meta(meta::meta_mut(&mut value), "metadata", &mut pruned);
        if self.kind().is_custom() {
            normalise::normalise(&mut value, &self.served.schema, &mut pruned);
        } else {
            typed::prune(&mut value, self.kind().behaviour, &mut pruned);
            if let Some(complaint) = typed::undecodable(&value, self.kind().behaviour) {
                return Err(self.undecodable(&complaint, source).into());
            }
        }
        pruned.sort();
        unknown.extend(pruned.into_iter().map(|path| format!("unknown field {path:?}")));
        if !unknown.is_empty() {
            match self.params.field_validation {
                FieldValidation::Ignore => {}
                FieldValidation::Warn => unknown.into_iter().for_each(|warning| self.warn(warning)),
                FieldValidation::Strict => return Err(self.strict_error(&unknown, source).into()),
            }
        }
        Ok(convert::to_storage(value, self.kind(), self.served))
    }

    fn strict_error(&self, unknown: &[String], source: Source) -> ApiError {
        let why = format!("strict decoding error: {}", unknown.join(", "));
        match source {
            Source::Apply => ApiError::bad_request(why),
            Source::Body | Source::Patch => self.undecodable(&why, source),
        }
    }

    fn undecodable(&self, why: &str, source: Source) -> ApiError {
        if source == Source::Patch {
            let shown = Value::String(self.patched_text());
            return ApiError::invalid("", "", "", &[FieldError::invalid("patch", &shown, why)]);
        }
        let (kind, version) = (&self.kind().kind, &self.served.version);
        ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
    }

    /// What the patch made of the object, as refusals show it.
    fn patched_text(&self) -> String {
        let (Ok(old), Some((kind, patch))) = (self.current(), self.patch) else { return String::new() };
        let mut patched = old.value_at(self.kind(), self.route.version, true);
        if patch::patch(&mut patched, kind, patch).is_err() {
            return String::new();
        }
        patched.sort_all_objects();
        patched.to_string()
    }

    /// A version of the kind that is not served has no schema: every field beside the metadata is unknown.
    fn report_unknown_version(&self, value: &Value) -> Result<(), ApiError> {
        let kind = self.kind();
        let (group, version) = meta::group_version(meta::text(value, "apiVersion"));
        if !kind.is_custom() || group != kind.group || meta::text(value, "kind") != kind.kind {
            return Ok(());
        }
        let keys = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        let mut unknown: Vec<&str> = keys.filter(|key| !matches!(*key, "apiVersion" | "kind" | "metadata")).collect();
        unknown.sort_unstable();
        let unknown: Vec<String> = unknown.into_iter().map(|key| format!("unknown field {key:?}")).collect();
        match self.params.field_validation {
            FieldValidation::Strict if !unknown.is_empty() => Err(ApiError::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {}",
                unknown.join(", "),
                kind = kind.kind
            ))),
            FieldValidation::Warn => {
                unknown.into_iter().for_each(|warning| self.warn(warning));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_type(&self, value: &Value, source: Source) -> Result<(), Failure> {
        let kind = self.kind();
        if !value.is_object() {
            return Err(ApiError::unprocessable().into());
        }
        let (api_version, name) = (meta::text(value, "apiVersion"), meta::text(value, "kind"));
        if kind.is_custom() && name.is_empty() {
            return Err(ApiError::bad_request("invalid object type: /, Kind=").into());
        }
        let expected = &self.served.api_version;
        if api_version != expected && (kind.is_custom() || !api_version.is_empty()) {
            if source == Source::Patch {
                let detail = format!("must be {expected}");
                let error = FieldError::invalid("apiVersion", &Value::from(api_version), detail);
                let (group, _) = meta::group_version(api_version);
                return Err(ApiError::invalid(group, name, self.name, &[error]).into());
            }
            if source == Source::Body {
                self.report_unknown_version(value)?;
            }
            return Err(ApiError::bad_request(format!(
                "the API version in the data ({api_version}) does not match the expected API version ({expected})"
            ))
            .into());
        }
        if !name.is_empty() && *name != kind.kind {
            if kind.is_custom() {
                let error = FieldError::invalid("kind", &Value::from(name), format!("must be {}", kind.kind));
                return Err(ApiError::invalid(&kind.group, name, meta::name(value), &[error]).into());
            }
            return Err(ApiError::bad_request(format!(
                "{name} in version {:?} cannot be handled as a {}: unknown conversion",
                self.served.version, kind.kind
            ))
            .into());
        }
        Ok(())
    }

    /// Compares name and namespace with the URL, and fills in what the body leaves out.
    pub(super) fn check_place(&self, value: &mut Value, source: Source) -> Result<(), Failure> {
        let (kind, expected) = (self.kind().kind.clone(), self.served.api_version.clone());
        let map = meta::object_mut(value);
        map.insert("apiVersion".to_owned(), Value::from(expected));
        map.insert("kind".to_owned(), Value::from(kind));
        let metadata = meta::meta_mut(value);
        let text = |metadata: &serde_json::Map<String, Value>, key: &str| {
            metadata.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let namespace = text(metadata, "namespace");
        match self.namespace {
            Some(wanted) if namespace.is_empty() => {
                metadata.insert("namespace".to_owned(), Value::from(wanted));
            }
            Some(wanted) if namespace != wanted => {
                return Err(ApiError::bad_request(MISPLACED).into());
            }
            // Without a namespace to be in, it has none.
            None => {
                metadata.shift_remove("namespace");
            }
            _ => {}
        }
        if self.name.is_empty() {
            return Ok(());
        }
        let name = text(metadata, "name");
        if name.is_empty() {
            if source != Source::Patch {
                return Err(ApiError::bad_request(format!(
                    "the name of the object ({} based on URL) was undeterminable: name must be provided",
                    self.name
                ))
                .into());
            }
            metadata.insert("name".to_owned(), Value::from(self.name));
        } else if name != self.name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                self.name
            ))
            .into());
        }
        Ok(())
    }

    /// Complaints of the schema about `new`, with what an update left alone forgiven.
    pub(super) fn check_schema(&self, new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
        if self.kind().is_custom() {
            let status_only = self.subresource == "status";
            validate::validate(new, old, &self.served.schema, status_only, errors);
            if let Some(paths) = &self.served.scale {
                paths.check(new, status_only, errors);
            }
        }
    }

    pub(super) fn invalid(&self, name: &str, errors: &[FieldError]) -> ApiError {
        ApiError::invalid(&self.kind().group, &self.kind().kind, name, errors)
    }
}
