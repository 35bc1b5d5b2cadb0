//! Value validation as the API server does it with kube-openapi, with its messages, and with ratcheting: what an
//! update leaves as it was is not judged again.

use super::normalise::join;
use super::{Limits, ListType, Node, Type, cel, format, listtype};
use crate::error::{FieldError, FieldErrorKind};
use serde_json::{Map, Value, json};

/// Validates `object` against its schema: values, then unique lists, then CEL rules. `old` is the object before an
/// update; `errors` already holds what is wrong with metadata.
///
/// With `status_only` nothing but the status is validated, and messages name its fields from there.
pub(crate) fn validate(
    object: &Value,
    old: Option<&Value>,
    schema: &Node,
    status_only: bool,
    errors: &mut Vec<FieldError>,
) {
    if status_only {
        status(object, old, schema, errors);
    } else {
        value(object, old, schema, "", errors);
    }
    listtype::check(object, old, schema, errors);
    if schema.rules_below {
        if errors.iter().any(FieldError::blocks_rules) {
            errors.push(FieldError {
                kind: FieldErrorKind::Invalid,
                field: "<nil>".to_owned(),
                value: Some("null".to_owned()),
                detail: "some validation rules were not checked because the object was invalid; correct the existing \
                         errors to complete validation"
                    .to_owned(),
            });
        } else {
            cel::check(object, old, schema, "", errors);
        }
    }
}

fn status(object: &Value, old: Option<&Value>, schema: &Node, errors: &mut Vec<FieldError>) {
    let (Some(status), Some(node)) = (object.get("status"), schema.child("status")) else { return };
    let mut found = Vec::new();
    value(status, old.and_then(|o| o.get("status")), node, "", &mut found);
    for error in &mut found {
        error.field = if error.field == "<nil>" { "status".to_owned() } else { join("status", &error.field) };
    }
    errors.append(&mut found);
}

fn value(new: &Value, old: Option<&Value>, node: &Node, path: &str, errors: &mut Vec<FieldError>) {
    if old == Some(new) || (new.is_null() && node.nullable) {
        return;
    }
    if !type_fits(new, node) {
        let wanted: Vec<&str> = node.types.iter().map(|t| t.name()).collect();
        errors.push(wrong_type(path, &wanted.join(","), Type::of(new).name()));
    }
    if node.embedded && !path.is_empty() && new.is_object() {
        for key in ["apiVersion", "kind"].iter().filter(|key| new.get(**key).is_none()) {
            errors.push(FieldError::required(join(path, key), ""));
        }
    }
    if let Some(limits) = &node.limits {
        check_limits(new, limits, path, errors);
    }
    match new {
        Value::Object(map) => {
            for (key, child_value) in map {
                if path.is_empty() && key == "metadata" {
                    continue;
                }
                if let Some(child) = node.child(key) {
                    value(child_value, old.and_then(|o| o.get(key)), child, &join(path, key), errors);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                for (index, item) in list.iter().enumerate() {
                    let before = old.and_then(|o| correlated(o, item, &node.list));
                    value(item, before, items, &format!("{path}[{index}]"), errors);
                }
            }
        }
        _ => {}
    }
}

/// The element of the old list that `item` is the successor of; only `map` lists tell.
pub(super) fn correlated<'a>(old: &'a Value, item: &Value, list: &ListType) -> Option<&'a Value> {
    let ListType::Map(keys) = list else { return None };
    old.as_array()?.iter().find(|candidate| keys.iter().all(|key| key.of(candidate) == key.of(item)))
}

fn type_fits(value: &Value, node: &Node) -> bool {
    let actual = Type::of(value);
    node.types.is_empty()
        || node.types.contains(&actual)
        || (actual == Type::Integer && node.types.contains(&Type::Number))
}

fn wrong_type(path: &str, wanted: &str, actual: &str) -> FieldError {
    let detail = if path.is_empty() {
        format!("must be of type {wanted}: {actual:?}")
    } else {
        format!("{path} in body must be of type {wanted}: {actual:?}")
    };
    let field = if path.is_empty() { "<nil>" } else { path };
    FieldError::with_value(FieldErrorKind::TypeInvalid, field, &json!(actual), detail)
}

fn check_limits(new: &Value, limits: &Limits, path: &str, errors: &mut Vec<FieldError>) {
    let field = if path.is_empty() { "<nil>" } else { path };
    let mut invalid = |shown: &Value, what: String| {
        errors.push(FieldError::invalid(field, shown, format!("{path} in body {what}")));
    };
    match new {
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if let Some(min) = limits.min_length.filter(|min| length < *min) {
                invalid(new, format!("should be at least {min} chars long"));
            }
            if let Some((source, _)) = limits.pattern.as_ref().filter(|(_, regex)| !regex.is_match(text)) {
                invalid(new, format!("should match '{source}'"));
            }
            if let Some(name) = limits.format.as_deref().filter(|name| !format::is_valid(name, text)) {
                errors.push(FieldError::with_value(
                    FieldErrorKind::TypeInvalid,
                    field,
                    new,
                    format!("{path} in body must be of type {name}: {text:?}"),
                ));
            }
            if let Some(max) = limits.max_length.filter(|max| length > *max) {
                let unit = if max == 1 { "byte" } else { "bytes" };
                errors.push(FieldError {
                    kind: FieldErrorKind::TooLong,
                    field: field.to_owned(),
                    value: None,
                    detail: format!("may not be more than {max} {unit}"),
                });
            }
        }
        Value::Number(number) => {
            let n = number.as_f64().unwrap_or(0.0);
            if let Some(max) = limits.maximum {
                if limits.exclusive_maximum && n >= max {
                    invalid(new, format!("should be less than {max}"));
                } else if n > max {
                    invalid(new, format!("should be less than or equal to {max}"));
                }
            }
            if let Some(min) = limits.minimum {
                if limits.exclusive_minimum && n <= min {
                    invalid(new, format!("should be greater than {min}"));
                } else if n < min {
                    invalid(new, format!("should be greater than or equal to {min}"));
                }
            }
            if let Some(step) = limits.multiple_of.filter(|step| *step != 0.0 && (n / step).fract() != 0.0) {
                invalid(new, format!("should be a multiple of {step}"));
            }
        }
        Value::Array(list) => {
            let count = list.len() as u64;
            if let Some(min) = limits.min_items.filter(|min| count < *min) {
                invalid(&json!(count), format!("should have at least {min} items"));
            }
            if limits.unique_items && list.iter().enumerate().any(|(i, a)| list.iter().take(i).any(|b| a == b)) {
                invalid(new, "shouldn't contain duplicates".to_owned());
            }
            if let Some(max) = limits.max_items.filter(|max| count > *max) {
                errors.push(too_many(field, count, max));
            }
        }
        Value::Object(map) => check_object(map, limits, path, field, errors),
        _ => {}
    }
    if !limits.enumeration.is_empty() && !limits.enumeration.contains(new) {
        let allowed: Vec<String> = limits
            .enumeration
            .iter()
            .map(|v| format!("{:?}", v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
            .collect();
        let detail = format!("supported values: {}", allowed.join(", "));
        errors.push(FieldError::with_value(FieldErrorKind::NotSupported, field, new, detail));
    }
    check_composites(new, limits, path, errors);
}

fn check_object(map: &Map<String, Value>, limits: &Limits, path: &str, field: &str, errors: &mut Vec<FieldError>) {
    let count = map.len() as u64;
    if let Some(min) = limits.min_properties.filter(|min| count < *min) {
        let detail = format!("{path} in body should have at least {min} properties");
        errors.push(FieldError::invalid(field, &json!(count), detail));
    }
    if let Some(max) = limits.max_properties.filter(|max| count > *max) {
        errors.push(too_many(field, count, max));
    }
    for required in limits.required.iter().filter(|key| !map.contains_key(key.as_str())) {
        errors.push(FieldError::required(join(path, required), ""));
    }
}

fn too_many(field: &str, actual: u64, max: u64) -> FieldError {
    let unit = if max == 1 { "item" } else { "items" };
    let detail = format!("must have at most {max} {unit}");
    FieldError::with_value(FieldErrorKind::TooMany, field, &json!(actual), detail)
}

/// The server reports these without a field, which prints as `<nil>`.
fn check_composites(new: &Value, limits: &Limits, path: &str, errors: &mut Vec<FieldError>) {
    let findings = |node: &Node| {
        let mut found = Vec::new();
        value(new, None, node, path, &mut found);
        found
    };
    let composite = |what: &str| FieldError::invalid("<nil>", &json!(""), format!("{path:?} {what}"));
    if !limits.any_of.is_empty() {
        let mut attempts: Vec<Vec<FieldError>> = limits.any_of.iter().map(findings).collect();
        if attempts.iter().all(|found| !found.is_empty()) {
            errors.push(composite("must validate at least one schema (anyOf)"));
            attempts.sort_by_key(Vec::len);
            errors.extend(attempts.into_iter().next().unwrap_or_default());
        }
    }
    if !limits.one_of.is_empty() {
        let mut attempts: Vec<Vec<FieldError>> = limits.one_of.iter().map(findings).collect();
        match attempts.iter().filter(|found| found.is_empty()).count() {
            1 => {}
            0 => {
                errors.push(composite("must validate one and only one schema (oneOf). Found none valid"));
                attempts.sort_by_key(Vec::len);
                errors.extend(attempts.into_iter().next().unwrap_or_default());
            }
            n => errors.push(composite(&format!(
                "must validate one and only one schema (oneOf). Found {n} valid alternatives"
            ))),
        }
    }
    let failed_all: Vec<FieldError> = limits.all_of.iter().flat_map(findings).collect();
    if !failed_all.is_empty() {
        errors.push(composite("must validate all the schemas (allOf)"));
        errors.extend(failed_all);
    }
    if limits.not.as_deref().is_some_and(|node| findings(node).is_empty()) {
        errors.push(composite("must not validate the schema (not)"));
    }
}
