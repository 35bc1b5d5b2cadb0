//! Names and labels: what is well formed, and the server's complaint when it is not.

use crate::error::FieldError;
use crate::golang;
use crate::kind::Behaviour;
use serde_json::{Map, Value, json};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
    an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
    and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
    validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Finalizers that need no domain.
const STANDARD_FINALIZERS: [&str; 4] = ["orphan", "foregroundDeletion", "kubernetes", crate::crd::CLEANUP_FINALIZER];

fn is_dns_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_subdomain(text: &str) -> bool {
    let part = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

fn is_name_part(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|b| inner(*b))
}

/// What is wrong with a `[prefix/]name`, as label keys and finalizers are written.
pub(crate) fn qualified_name_complaint(text: &str) -> Option<String> {
    let name = match text.split_once('/') {
        Some(("", _)) => return Some("prefix part must be non-empty".to_owned()),
        Some((prefix, _)) if !is_subdomain(prefix) => return Some(format!("prefix part {SUBDOMAIN}")),
        Some((_, name)) => name,
        None => text,
    };
    if name.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 bytes".to_owned());
    }
    (!is_name_part(name)).then(|| QUALIFIED.to_owned())
}

/// What is wrong with the value of a label.
pub(crate) fn label_value_complaint(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 bytes");
    }
    (!text.is_empty() && !is_name_part(text)).then_some(LABEL_VALUE)
}

/// Complaints about `metadata` of an object to be created.
pub(crate) fn check_meta(meta: &Map<String, Value>, behaviour: Behaviour, errors: &mut Vec<FieldError>) {
    let name = meta.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    } else {
        let label = matches!(behaviour, Behaviour::Namespace | Behaviour::Service);
        if label && name.contains('.') {
            errors.push(FieldError::invalid("metadata.name", &json!(name), "must not contain dots"));
        } else if label && !is_dns_label(name) {
            errors.push(FieldError::invalid("metadata.name", &json!(name), LABEL));
        } else if !label && name.len() > 253 {
            errors.push(FieldError::invalid("metadata.name", &json!(name), "must be no more than 253 characters"));
        } else if !label && !is_subdomain(name) {
            errors.push(FieldError::invalid("metadata.name", &json!(name), SUBDOMAIN));
        }
    }
    check_mutable_meta(meta, errors);
    check_finalizers(meta, true, errors);
}

/// Complaints about what an update may change in `metadata`.
pub(crate) fn check_mutable_meta(meta: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    let map = |key: &str| meta.get(key).and_then(Value::as_object).into_iter().flatten();
    for (key, value) in map("labels") {
        if let Some(why) = qualified_name_complaint(key) {
            errors.push(FieldError::invalid("metadata.labels", &json!(key), why));
        }
        if let Some(why) = label_value_complaint(value.as_str().unwrap_or_default()) {
            errors.push(FieldError::invalid("metadata.labels", value, why));
        }
    }
    for (key, _) in map("annotations") {
        if let Some(why) = qualified_name_complaint(&key.to_lowercase()) {
            errors.push(FieldError::invalid("metadata.annotations", &json!(key), why));
        }
    }
    let list = |key: &str| meta.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut controller: Option<String> = None;
    for owner in list("ownerReferences") {
        let text = |key: &str| crate::meta::text(owner, key);
        for (key, detail) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if text(key).is_empty() {
                errors.push(FieldError::invalid(format!("metadata.ownerReferences.{key}"), &json!(""), detail));
            }
        }
        if owner.get("controller").and_then(Value::as_bool) == Some(true) {
            let this = format!("{}/{}", text("kind"), text("name"));
            if let Some(first) = &controller {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                );
                let all = meta.get("ownerReferences").unwrap_or(&Value::Null);
                errors.push(FieldError::invalid("metadata.ownerReferences", all, detail));
            } else {
                controller = Some(this);
            }
        }
    }
}

/// Complaints about finalizers; those of built-in kinds must have a domain.
pub(crate) fn check_finalizers(meta: &Map<String, Value>, custom: bool, errors: &mut Vec<FieldError>) {
    let list = |key: &str| meta.get(key).and_then(Value::as_array).into_iter().flatten();
    for (index, finalizer) in list("finalizers").enumerate() {
        if let Some(why) = qualified_name_complaint(finalizer.as_str().unwrap_or_default()) {
            errors.push(FieldError::invalid("metadata.finalizers", finalizer, why));
        }
        let name = finalizer.as_str().unwrap_or_default();
        if !custom && !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(format!("metadata.finalizers[{index}]"), finalizer, detail));
        }
    }
    let both = ["orphan", "foregroundDeletion"].iter().all(|name| list("finalizers").any(|f| f == name));
    if both {
        let all = meta.get("finalizers").unwrap_or(&Value::Null);
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid("metadata.finalizers", all, detail));
    }
}

/// What the server warns of, though it accepts it: finalizers in nobody's domain.
pub(crate) fn finalizer_warnings<'a>(new: &'a Value, old: Option<&'a Value>) -> impl Iterator<Item = String> + 'a {
    let unqualified = move |finalizer: &&str| {
        let had = old.is_some_and(|old| crate::meta::has_finalizer(old, finalizer));
        !had && !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(finalizer)
    };
    crate::meta::finalizers(new).filter(unqualified).map(|finalizer| {
        format!(
            "metadata.finalizers: {finalizer:?}: prefer a domain-qualified finalizer name to avoid accidental conflicts \
             with other finalizer writers"
        )
    })
}

/// A wrong JSON type inside `metadata`, in the words of the server's decoder.
pub(crate) fn wrong_meta_type(meta: &Value) -> Option<String> {
    let Some(meta) = meta.as_object() else {
        return (!meta.is_null()).then(|| golang::type_error(meta, "v1.ObjectMeta"));
    };
    let complaint = |value: &Value, field: &str, wanted: &str| {
        let actual = match value {
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            _ => "string",
        };
        format!("json: cannot unmarshal {actual} into Go struct field ObjectMeta.{field} of type {wanted}")
    };
    for (key, value) in meta {
        let fits = match key.as_str() {
            "name" | "generateName" | "namespace" | "uid" | "resourceVersion" | "selfLink" => value.is_string(),
            "labels" | "annotations" => value.is_object(),
            "finalizers" | "ownerReferences" | "managedFields" => value.is_array(),
            _ => true,
        };
        if !fits && !value.is_null() {
            let wanted = match key.as_str() {
                "labels" | "annotations" => "map[string]string",
                "finalizers" => "[]string",
                "ownerReferences" => "[]v1.OwnerReference",
                "managedFields" => "[]v1.ManagedFieldsEntry",
                _ => "string",
            };
            return Some(complaint(value, key, wanted));
        }
        if matches!(key.as_str(), "labels" | "annotations") {
            let bad = value.as_object().into_iter().flatten().find(|(_, v)| !v.is_string() && !v.is_null());
            if let Some((_, bad)) = bad {
                return Some(complaint(bad, key, "string"));
            }
        }
        if matches!(key.as_str(), "finalizers") {
            let bad = value.as_array().into_iter().flatten().find(|v| !v.is_string());
            if let Some(bad) = bad {
                return Some(complaint(bad, key, "string"));
            }
        }
    }
    None
}
