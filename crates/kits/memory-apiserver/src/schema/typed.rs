//! What server-side apply asks of a configuration before it merges it: every field declared, every type right, every
//! list element identified once.

use super::{Additional, ListType, Node, Type};
use crate::fields::{edge_text, identity};
use serde_json::Value;

/// Complaints about `config`, each with its path.
pub(crate) fn check(config: &Value, schema: &Node, complaints: &mut Vec<String>) {
    walk(config, schema, "", complaints);
}

fn walk(value: &Value, node: &Node, path: &str, complaints: &mut Vec<String>) {
    if value.is_null() {
        return;
    }
    if let Some(why) = wrong_type(value, node) {
        complaints.push(format!("{path}: {why}"));
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if node.embedded && matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
                    continue;
                }
                let here = format!("{path}.{key}");
                match node.child(key) {
                    Some(child) => walk(value, child, &here, complaints),
                    None if node.preserve_unknown || matches!(node.additional, Additional::Any) => {}
                    None => complaints.push(format!("{here}: field not declared in schema")),
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                elements(list, node, items, path, complaints);
            }
        }
        _ => {}
    }
}

fn elements(list: &[Value], node: &Node, items: &Node, path: &str, complaints: &mut Vec<String>) {
    let mut seen: Vec<Box<str>> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        if let ListType::Map(keys) = &node.list
            && item.is_object()
            && keys.iter().all(|key| key.of(item).is_none())
        {
            let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            complaints.push(format!(
                "{path}: element {index}: associative list with keys has an element that omits all key fields {names:?} \
                 (and doesn't have default values for any key fields)"
            ));
            return;
        }
        let here = match identity(item, &node.list) {
            None => format!("{path}[{index}]"),
            Some(edge) => {
                let shown = edge_text(&edge);
                if seen.contains(&edge) {
                    let what = if node.list == ListType::Set { "set entry" } else { "key" };
                    complaints.push(format!("{path}: duplicate entries for {what} {shown}"));
                    return;
                }
                seen.push(edge);
                format!("{path}{shown}")
            }
        };
        walk(item, items, &here, complaints);
    }
}

fn wrong_type(value: &Value, node: &Node) -> Option<String> {
    let actual = Type::of(value);
    let numeric = |t: &Type| matches!(t, Type::Integer | Type::Number);
    // An int-or-string takes any scalar here.
    let [wanted] = node.types.as_slice() else { return None };
    if *wanted == actual || (numeric(wanted) && numeric(&actual)) {
        return None;
    }
    let wanted = match wanted {
        Type::Integer | Type::Number => "numeric (int or float)",
        Type::Object => "map",
        Type::Array => "list",
        other => other.name(),
    };
    let actual = match actual {
        Type::Integer => "int",
        Type::Number => "float",
        Type::Object => "map",
        Type::Array => "list",
        other => other.name(),
    };
    Some(format!("expected {wanted}, got {actual}"))
}
