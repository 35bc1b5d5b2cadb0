//! The metadata the server keeps, fills in and protects.

use super::Call;
use crate::error::{ApiError, FieldError};
use crate::identity::Identities;
use crate::meta;
use crate::names;
use serde_json::{Map, Value, json};

/// Fields of a stored object that an update cannot change.
const KEPT: [&str; 5] =
    ["creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"];

/// Gives a new object its identity.
pub(super) fn on_create(object: &mut Value, now: &str, has_generation: bool, identities: &Identities) {
    let metadata = meta::meta_mut(object);
    for key in KEPT.iter().chain(&["resourceVersion", "managedFields"]) {
        metadata.shift_remove(*key);
    }
    let generate = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default().to_owned();
    if metadata.get("name").and_then(Value::as_str).unwrap_or_default().is_empty() && !generate.is_empty() {
        metadata.insert("name".to_owned(), json!(generated_name(&generate, identities.next())));
    }
    metadata.insert("uid".to_owned(), json!(identities.next().to_string()));
    metadata.insert("creationTimestamp".to_owned(), json!(now));
    if has_generation {
        metadata.insert("generation".to_owned(), json!(1));
    }
}

/// Five characters that spell no word, behind a base cut to fit into 63 characters.
fn generated_name(base: &str, random: uuid::Uuid) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let base: String = base.chars().take(58).collect();
    let suffix = random
        .as_bytes()
        .iter()
        .take(5)
        .map(|b| ALPHABET.get(usize::from(*b) % ALPHABET.len()).copied().map_or('x', char::from));
    base.chars().chain(suffix).collect()
}

/// Puts back what an update cannot change, and fills in what it may leave out.
pub(super) fn keep(new: &mut Value, old: &Value, unconditional: bool) {
    let before = meta::meta(old);
    let metadata = meta::meta_mut(new);
    // Deletion has its own verb: an attempt to set its mark is left for the check to find.
    let marked = metadata.get("deletionTimestamp").filter(|t| !t.is_null()).cloned();
    let mut copy = |key: &str| match before.and_then(|m| m.get(key)) {
        Some(value) => {
            metadata.insert(key.to_owned(), value.clone());
        }
        None => {
            metadata.shift_remove(key);
        }
    };
    KEPT.iter().for_each(|key| copy(key));
    metadata.shift_remove("managedFields");
    if let Some(marked) = marked.filter(|_| !meta::is_terminating(old)) {
        metadata.insert("deletionTimestamp".to_owned(), marked);
    }
    let empty = |metadata: &serde_json::Map<String, Value>, key: &str| {
        metadata.get(key).and_then(Value::as_str).unwrap_or_default().is_empty()
    };
    if empty(metadata, "uid") {
        metadata.insert("uid".to_owned(), json!(meta::uid(old)));
    }
    if unconditional && empty(metadata, "resourceVersion") {
        metadata.insert("resourceVersion".to_owned(), json!(meta::meta_text(old, "resourceVersion")));
    }
}

/// What an update may not do to metadata, as often as a real server says it: it looks at the metadata as such, then at
/// the change, and then again, at both for built-in kinds and at the change for custom resources.
pub(super) fn check_update(new: &Value, old: &Value, custom: bool, errors: &mut Vec<FieldError>) {
    let Some(metadata) = meta::meta(new).filter(|metadata| meta::meta(old) != Some(*metadata)) else { return };
    check_as_such(metadata, custom, errors);
    check_change(new, old, metadata, errors);
    if !custom {
        check_as_such(metadata, custom, errors);
    }
    check_change(new, old, metadata, errors);
}

fn check_as_such(metadata: &Map<String, Value>, custom: bool, errors: &mut Vec<FieldError>) {
    names::check_mutable_meta(metadata, errors);
    names::check_finalizers(metadata, custom, errors);
}

fn check_change(new: &Value, old: &Value, metadata: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    if meta::is_terminating(old) {
        let mut added: Vec<&str> =
            meta::finalizers(new).filter(|finalizer| !meta::has_finalizer(old, finalizer)).collect();
        added.sort_unstable();
        if !added.is_empty() {
            let list = added.iter().map(|f| format!("{f:?}")).collect::<Vec<_>>().join(", ");
            errors.push(FieldError::forbidden(
                "metadata.finalizers",
                format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}"
                ),
            ));
        }
    }
    for key in ["name", "namespace", "uid", "deletionTimestamp"] {
        if meta::meta_text(new, key) != meta::meta_text(old, key) {
            let value = json!(meta::meta_text(new, key));
            errors.push(FieldError::invalid(format!("metadata.{key}"), &value, "field is immutable"));
        }
    }
    names::check_mutable_meta(metadata, errors);
}

impl Call<'_> {
    /// The resourceVersion an update was made from must be the current one; most built-in kinds take none as any.
    pub(super) fn check_resource_version(&self, new: &Value, old: &Value) -> Result<(), ApiError> {
        let (given, current) = (meta::meta_text(new, "resourceVersion"), meta::meta_text(old, "resourceVersion"));
        let resource = self.kind().group_resource();
        if given.is_empty() || given == "0" {
            let error = FieldError::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
            return Err(ApiError::invalid(resource.group, resource.resource, self.name, &[error]));
        }
        if given.parse::<u64>().is_err() {
            let why = format!("strconv.ParseUint: parsing {given:?}: invalid syntax");
            return Err(ApiError::new(500, "", why));
        }
        if given != current {
            return Err(ApiError::stale(resource, self.name));
        }
        Ok(())
    }
}
