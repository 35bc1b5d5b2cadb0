//! Uniqueness in lists of type `set` and `map`.

use super::normalise::join;
use super::{ListKey, ListType, Node};
use crate::error::{FieldError, FieldErrorKind};
use serde_json::{Map, Value};

impl ListKey {
    /// The value of this key in an element, or its default.
    pub(crate) fn of<'a>(&'a self, element: &'a Value) -> Option<&'a Value> {
        element.get(&self.name).or(self.default.as_ref())
    }
}

/// Reports duplicates, unless the object had some before: those may stay.
pub(super) fn check(new: &Value, old: Option<&Value>, schema: &Node, errors: &mut Vec<FieldError>) {
    if !schema.unique_below {
        return;
    }
    let mut found = Vec::new();
    walk(new, schema, "", &mut found);
    if found.is_empty() {
        return;
    }
    if let Some(old) = old {
        let mut before = Vec::new();
        walk(old, schema, "", &mut before);
        if !before.is_empty() {
            return;
        }
    }
    errors.append(&mut found);
}

fn walk(value: &Value, node: &Node, path: &str, errors: &mut Vec<FieldError>) {
    if !node.unique_below {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, child_value) in map {
                if let Some(child) = node.child(key) {
                    walk(child_value, child, &join(path, key), errors);
                }
            }
        }
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                let here = || format!("{path}[{index}]");
                let before = || list.iter().take(index);
                let shown = match &node.list {
                    ListType::Atomic => None,
                    ListType::Set => before().any(|other| other == item).then(|| item.clone()),
                    ListType::Map(keys) => before()
                        .any(|other| keys.iter().all(|key| key.of(other) == key.of(item)))
                        .then(|| identity(item, keys)),
                };
                if let Some(shown) = shown {
                    errors.push(FieldError::with_value(FieldErrorKind::Duplicate, here(), &shown, ""));
                }
                if let Some(items) = &node.items {
                    walk(item, items, &here(), errors);
                }
            }
        }
        _ => {}
    }
}

fn identity(item: &Value, keys: &[ListKey]) -> Value {
    let pairs = keys.iter().filter_map(|key| Some((key.name.clone(), key.of(item)?.clone())));
    Value::Object(pairs.collect::<Map<String, Value>>())
}
