//! Field sets of objects and of changes between objects, by the schema's list and map types.

use super::FieldSet;
use crate::schema::{ListType, META, Node};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What an update did.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Fields added or given another value.
    pub(crate) set: FieldSet,
    /// Fields (or whole subtrees) that are gone.
    pub(crate) removed: FieldSet,
}

/// Fields nobody owns: identity, and what the server itself keeps.
const UNOWNED: [&str; 8] =
    ["name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion"];

/// The schema of a member; `top` is the object itself, whose metadata has a schema of its own.
pub(crate) fn child_schema<'a>(node: Option<&'a Node>, key: &str, top: bool) -> Option<&'a Node> {
    if top && key == "metadata" { Some(&META) } else { node.and_then(|n| n.child(key)) }
}

/// The edge by which a list element is known, if its list tells elements apart.
pub(crate) fn identity(item: &Value, list: &ListType) -> Option<Box<str>> {
    match list {
        ListType::Atomic => None,
        ListType::Set => Some(format!("v:{item}").into()),
        ListType::Map(keys) => {
            let mut pairs: Vec<(&String, &Value)> =
                keys.iter().filter_map(|key| Some((&key.name, key.of(item)?))).collect();
            pairs.sort_by_key(|(name, _)| *name);
            let map: Map<String, Value> = pairs.into_iter().map(|(n, v)| (n.clone(), v.clone())).collect();
            Some(format!("k:{}", Value::Object(map)).into())
        }
    }
}

fn owned(key: &str, top: bool, meta: bool) -> bool {
    !(top && (key == "apiVersion" || key == "kind")) && !(meta && UNOWNED.contains(&key))
}

/// The fields an applied configuration speaks of: leaves, list elements and empty maps.
pub(crate) fn members_of(object: &Value, schema: &Node) -> FieldSet {
    let mut set = members(object, Some(schema), true, false);
    set.member = false;
    set
}

fn members(value: &Value, node: Option<&Node>, top: bool, meta: bool) -> FieldSet {
    let mut set = FieldSet::default();
    match value {
        Value::Object(map) if !map.is_empty() && !node.is_some_and(|n| n.atomic_map) => {
            for (key, child) in map.iter().filter(|(key, _)| owned(key, top, meta)) {
                let below = members(child, child_schema(node, key, top), false, top && key == "metadata");
                set.insert(format!("f:{key}"), below);
            }
        }
        // An empty list of elements owned one by one owns nothing.
        Value::Array(list) if node.is_some_and(|n| n.list != ListType::Atomic) => {
            let Some(node) = node else { return set };
            for item in list {
                if let Some(edge) = identity(item, &node.list) {
                    let mut below = members(item, node.items.as_deref(), false, false);
                    below.member = true;
                    set.insert(edge, below);
                }
            }
        }
        _ => set.member = true,
    }
    set
}

/// All paths of a value that was not there before, containers included.
fn everything(value: &Value, node: Option<&Node>) -> FieldSet {
    let mut set = FieldSet { member: !node.is_some_and(|n| n.structure), ..FieldSet::default() };
    match value {
        Value::Object(map) if !node.is_some_and(|n| n.atomic_map) => {
            for (key, child) in map {
                set.insert(format!("f:{key}"), everything(child, child_schema(node, key, false)));
            }
        }
        Value::Array(list) => {
            let Some(node) = node else { return set };
            for item in list {
                if let Some(edge) = identity(item, &node.list) {
                    set.insert(edge, everything(item, node.items.as_deref()));
                }
            }
        }
        _ => {}
    }
    set
}

/// What changed from `old` to `new`.
pub(crate) fn changes(old: &Value, new: &Value, schema: &Node) -> Changes {
    let mut changes = Changes::default();
    compare(old, new, Some(schema), true, false, &mut changes);
    changes
}

fn compare(old: &Value, new: &Value, node: Option<&Node>, top: bool, meta: bool, out: &mut Changes) {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) if !node.is_some_and(|n| n.atomic_map) => {
            for (key, value) in after.iter().filter(|(key, _)| owned(key, top, meta)) {
                let child = child_schema(node, key, top);
                match before.get(key) {
                    Some(was) => below(format!("f:{key}").into(), out, |below| {
                        if was != value {
                            compare(was, value, child, false, top && key == "metadata", below);
                        }
                    }),
                    None if top && key == "metadata" => below("f:metadata".into(), out, |below| {
                        compare(&Value::Object(Map::new()), value, child, false, true, below);
                    }),
                    None => out.set.insert(format!("f:{key}"), everything(value, child)),
                }
            }
            for key in before.keys().filter(|key| owned(key, top, meta) && !after.contains_key(*key)) {
                out.removed.insert(format!("f:{key}"), FieldSet::leaf());
            }
        }
        (Value::Array(before), Value::Array(after)) if node.is_some_and(|n| n.list != ListType::Atomic) => {
            let Some(node) = node else { return };
            let mut known: BTreeMap<Box<str>, &Value> =
                before.iter().filter_map(|item| Some((identity(item, &node.list)?, item))).collect();
            for item in after {
                let Some(edge) = identity(item, &node.list) else { continue };
                match known.remove(&edge) {
                    Some(was) if was == item => {}
                    Some(was) => below(edge, out, |below| {
                        compare(was, item, node.items.as_deref(), false, false, below);
                    }),
                    None => out.set.insert(edge, everything(item, node.items.as_deref())),
                }
            }
            for edge in known.into_keys() {
                out.removed.insert(edge, FieldSet::leaf());
            }
        }
        _ if old != new => {
            out.set.union(&everything(new, node));
        }
        _ => {}
    }
}

fn below(edge: Box<str>, out: &mut Changes, walk: impl FnOnce(&mut Changes)) {
    let mut inner = Changes::default();
    walk(&mut inner);
    out.set.insert(edge.clone(), inner.set);
    out.removed.insert(edge, inner.removed);
}
