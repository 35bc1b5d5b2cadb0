//! From the `openAPIV3Schema` of a CRD to a compiled [`Node`], refusing what cannot be compiled.

use super::{Additional, Limits, ListKey, ListType, Node, Type, cel};
use crate::error::{FieldError, FieldErrorKind};
use regex::Regex;
use serde_json::{Map, Value, json};

/// Deeper schemas are refused: the walks over them are recursive.
const MAX_DEPTH: usize = 100;

impl Node {
    /// Compiles a schema; `path` is where it stands in the CRD, for messages.
    pub(crate) fn compile(schema: &Value, path: &str) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut node = compile(schema, path, &mut errors, 0);
        if node.types.is_empty() && !node.preserve_unknown {
            errors.push(FieldError::required(format!("{path}.type"), "must not be empty at the root"));
        }
        // Every object carries these, whatever its schema says; metadata has its own rules.
        node.embedded = true;
        if errors.is_empty() { Ok(node) } else { Err(errors) }
    }
}

fn compile(schema: &Value, path: &str, errors: &mut Vec<FieldError>, depth: usize) -> Node {
    let Some(map) = schema.as_object() else {
        errors.push(FieldError::invalid(path, schema, "must be a schema"));
        return Node::default();
    };
    if depth > MAX_DEPTH {
        errors.push(FieldError::forbidden(path, "schema is nested too deeply"));
        return Node::default();
    }
    let is = |key: &str| map.get(key).and_then(Value::as_bool) == Some(true);
    let mut node = Node {
        types: types(map, path, errors),
        nullable: is("nullable"),
        preserve_unknown: is("x-kubernetes-preserve-unknown-fields"),
        embedded: is("x-kubernetes-embedded-resource"),
        default: map.get("default").filter(|v| !v.is_null()).cloned(),
        atomic_map: map.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic"),
        ..Node::default()
    };
    if let Some(properties) = map.get("properties").and_then(Value::as_object) {
        for (key, child) in properties {
            let child = compile(child, &format!("{path}.properties[{key}]"), errors, depth + 1);
            node.properties.insert(key.clone(), child);
        }
    }
    node.additional = match map.get("additionalProperties") {
        None | Some(Value::Bool(false) | Value::Null) => Additional::No,
        Some(Value::Bool(true)) => Additional::Any,
        Some(schema) => {
            let path = format!("{path}.additionalProperties");
            Additional::Schema(Box::new(compile(schema, &path, errors, depth + 1)))
        }
    };
    if let Some(items) = map.get("items") {
        node.items = Some(Box::new(compile(items, &format!("{path}.items"), errors, depth + 1)));
    }
    node.list = list_type(map, &node);
    node.limits = limits(map, path, errors, depth);
    node.rules = cel::compile_rules(map.get("x-kubernetes-validations"), path, errors);

    let additional = match &node.additional {
        Additional::Schema(child) => Some(child.as_ref()),
        _ => None,
    };
    let all_of = node.limits.as_deref().map(|l| l.all_of.as_slice()).unwrap_or_default();
    let below = || node.properties.values().chain(additional).chain(node.items.as_deref()).chain(all_of);
    let (rules_below, unique_below) = (
        !node.rules.is_empty() || below().any(|child| child.rules_below),
        node.list != ListType::Atomic || below().any(|child| child.unique_below),
    );
    node.rules_below = rules_below;
    node.unique_below = unique_below;
    node
}

fn types(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>) -> Vec<Type> {
    if map.get("x-kubernetes-int-or-string").and_then(Value::as_bool) == Some(true) {
        return vec![Type::Integer, Type::String];
    }
    match map.get("type").and_then(Value::as_str) {
        None | Some("") => Vec::new(),
        Some("object") => vec![Type::Object],
        Some("array") => vec![Type::Array],
        Some("string") => vec![Type::String],
        Some("integer") => vec![Type::Integer],
        Some("number") => vec![Type::Number],
        Some("boolean") => vec![Type::Boolean],
        Some(other) => {
            let detail = r#"supported values: "array", "boolean", "integer", "number", "object", "string""#;
            let field = format!("{path}.type");
            errors.push(FieldError::with_value(FieldErrorKind::NotSupported, field, &json!(other), detail));
            Vec::new()
        }
    }
}

fn list_type(map: &Map<String, Value>, node: &Node) -> ListType {
    match map.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => ListType::Set,
        Some("map") => {
            let names = map.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let keys = names.into_iter().flatten().filter_map(Value::as_str).map(|name| ListKey {
                name: name.to_owned(),
                default: node.items.as_deref().and_then(|i| i.properties.get(name)).and_then(|p| p.default.clone()),
            });
            ListType::Map(keys.collect())
        }
        _ => ListType::Atomic,
    }
}

fn limits(map: &Map<String, Value>, path: &str, errors: &mut Vec<FieldError>, depth: usize) -> Option<Box<Limits>> {
    const KEYS: [&str; 20] = [
        "required",
        "enum",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "format",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "exclusiveMinimum",
        "exclusiveMaximum",
    ];
    if !KEYS.iter().any(|key| map.contains_key(*key)) {
        return None;
    }
    let is = |key: &str| map.get(key).and_then(Value::as_bool) == Some(true);
    let int = |key: &str| map.get(key).and_then(Value::as_u64);
    let float = |key: &str| map.get(key).and_then(Value::as_f64);
    let array = |key: &str| map.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut nodes = |key: &str| -> Vec<Node> {
        let each = array(key).enumerate();
        each.map(|(i, schema)| compile(schema, &format!("{path}.{key}[{i}]"), errors, depth + 1)).collect()
    };
    let (all_of, any_of, one_of) = (nodes("allOf"), nodes("anyOf"), nodes("oneOf"));
    let not = map.get("not").map(|s| Box::new(compile(s, &format!("{path}.not"), errors, depth + 1)));
    let pattern =
        map.get("pattern").and_then(Value::as_str).filter(|p| !p.is_empty()).and_then(|text| match Regex::new(text) {
            Ok(regex) => Some((text.to_owned(), regex)),
            Err(error) => {
                let detail = format!("must be a valid regular expression, but isn't: {error}");
                errors.push(FieldError::invalid(format!("{path}.pattern"), &json!(text), detail));
                None
            }
        });
    Some(Box::new(Limits {
        required: array("required").filter_map(Value::as_str).map(str::to_owned).collect(),
        enumeration: array("enum").cloned().collect(),
        pattern,
        min_length: int("minLength"),
        max_length: int("maxLength"),
        minimum: float("minimum"),
        maximum: float("maximum"),
        exclusive_minimum: is("exclusiveMinimum"),
        exclusive_maximum: is("exclusiveMaximum"),
        multiple_of: float("multipleOf"),
        min_items: int("minItems"),
        max_items: int("maxItems"),
        unique_items: is("uniqueItems"),
        min_properties: int("minProperties"),
        max_properties: int("maxProperties"),
        format: map.get("format").and_then(Value::as_str).map(str::to_owned),
        all_of,
        any_of,
        one_of,
        not,
    }))
}
