//! Server-side apply: merge by schema, field ownership, conflicts, and removal of what the manager no longer applies.

use crate::error::{ApiError, Cause};
use crate::fields::{self, Entry, FieldSet, Manager, Managers, Operation};
use crate::schema::{ListType, Node};
use serde_json::Value;
use std::collections::VecDeque;

/// An object after apply, and who owns what in it.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) object: Value,
    pub(crate) managers: Managers,
}

/// Applies `config` to `live`.
///
/// # Errors
/// 409 with one cause per field when other managers own, with another value, what `config` sets, unless `force`.
pub(crate) fn apply(
    live: &Value,
    managers: &Managers,
    config: &Value,
    manager: &Manager,
    schema: &Node,
    force: bool,
    now: &str,
) -> Result<Applied, ApiError> {
    let mut managers = managers.clone();
    let wanted = fields::members_of(config, schema);
    let mut object = live.clone();
    merge(&mut object, config, Some(schema), true);

    let changed = fields::changes(live, &object, schema).set;
    let conflicts: Vec<(&Entry, Vec<String>)> = managers
        .0
        .iter()
        .filter(|entry| !entry.manager.is(manager))
        .map(|entry| (entry.as_ref(), entry.fields.common_paths(&changed)))
        .filter(|(_, paths)| !paths.is_empty())
        .collect();
    if !conflicts.is_empty() && !force {
        return Err(conflict(&conflicts));
    }
    managers.take_from_others(Some(manager), &changed, false);

    let before = managers.get(manager).cloned().unwrap_or_default();
    let mut kept = wanted.clone();
    for entry in managers.0.iter().filter(|entry| !entry.manager.is(manager)) {
        kept.union(&entry.fields);
    }
    remove(&mut object, &before, Some(&kept), Some(schema), true);
    // Who only says what is so anyway has changed nothing.
    managers.set(manager, wanted, if object == *live { "" } else { now });
    Ok(Applied { object, managers })
}

fn merge(target: &mut Value, config: &Value, node: Option<&Node>, top: bool) {
    match (target, config) {
        (Value::Object(target), Value::Object(config)) if !node.is_some_and(|n| n.atomic_map) => {
            for (key, value) in config {
                let child = fields::child_schema(node, key, top);
                match target.get_mut(key) {
                    Some(existing) => merge(existing, value, child, false),
                    None => {
                        target.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(target), Value::Array(config)) if node.is_some_and(|n| n.list != ListType::Atomic) => {
            if let Some(node) = node {
                merge_list(target, config, node);
            }
        }
        (target, config) => *target = config.clone(),
    }
}

/// Elements known by the same key merge, new ones join. Elements of both lists stand in the configuration's order, those
/// of one list only stay before the common one they preceded.
fn merge_list(target: &mut Vec<Value>, config: &[Value], node: &Node) {
    let edge = |item: &Value| fields::identity(item, &node.list);
    let live: Vec<Value> = std::mem::take(target);
    let mut ours: VecDeque<&Value> = live.iter().collect();
    let mut wanted: VecDeque<&Value> = config.iter().collect();
    let mut merged: Vec<Option<Box<str>>> = Vec::new();
    loop {
        if let Some(item) = ours.front() {
            let e = edge(item);
            let only_ours = !config.iter().any(|c| edge(c) == e);
            if only_ours || merged.contains(&e) {
                if only_ours {
                    target.push((*item).clone());
                }
                ours.pop_front();
                continue;
            }
        }
        let Some(item) = wanted.pop_front() else { break };
        let e = edge(item);
        let mut element = live.iter().find(|l| edge(l) == e).unwrap_or(item).clone();
        merge(&mut element, item, node.items.as_deref(), false);
        target.push(element);
        merged.push(e);
    }
}

/// Removes what is in `before` and owned by nobody any more (`kept` is what somebody owns). Containers emptied by that
/// go too. Returns whether `value` itself is left empty.
fn remove(value: &mut Value, before: &FieldSet, kept: Option<&FieldSet>, node: Option<&Node>, top: bool) -> bool {
    let mut removed = false;
    match value {
        Value::Object(map) => {
            for (edge, gone) in &before.children {
                let Some(key) = edge.strip_prefix("f:") else { continue };
                let still = kept.and_then(|k| k.child(edge));
                let child = fields::child_schema(node, key, top);
                let drops = match map.get_mut(key) {
                    None => false,
                    Some(_) if gone.member && still.is_none() => true,
                    Some(below) => remove(below, gone, still, child, false) && still.is_none_or(|s| !s.member),
                };
                if drops {
                    map.shift_remove(key);
                    removed = true;
                }
            }
            removed && map.is_empty()
        }
        Value::Array(list) => {
            let Some(node) = node else { return false };
            list.retain_mut(|item| {
                let Some(edge) = fields::identity(item, &node.list) else { return true };
                let Some(gone) = before.child(&edge) else { return true };
                let still = kept.and_then(|k| k.child(&edge));
                if gone.member && still.is_none() {
                    removed = true;
                    return false;
                }
                remove(item, gone, still, node.items.as_deref(), false);
                true
            });
            removed && list.is_empty()
        }
        _ => false,
    }
}

fn conflict(conflicts: &[(&Entry, Vec<String>)]) -> ApiError {
    let count: usize = conflicts.iter().map(|(_, paths)| paths.len()).sum();
    let message = match conflicts {
        [(entry, paths)] if count == 1 => {
            let path = paths.first().map(String::as_str).unwrap_or_default();
            format!("Apply failed with 1 conflict: conflict with {}: {path}", describe(entry))
        }
        many => {
            let mut texts: Vec<String> = many
                .iter()
                .map(|(entry, paths)| format!("conflicts with {}:\n- {}", describe(entry), paths.join("\n- ")))
                .collect();
            texts.sort();
            format!("Apply failed with {count} conflicts: {}", texts.join("\n"))
        }
    };
    let mut error = ApiError::new(409, "Conflict", message);
    error.details.causes = conflicts
        .iter()
        .flat_map(|(entry, paths)| {
            paths.iter().map(|path| Cause {
                reason: "FieldManagerConflict",
                message: format!("conflict with {}", describe(entry)),
                field: path.clone(),
            })
        })
        .collect();
    error
}

fn describe(entry: &Entry) -> String {
    let mut text = format!("{:?}", entry.manager.name);
    if !entry.manager.subresource.is_empty() {
        text.push_str(&format!(" with subresource {:?}", entry.manager.subresource));
    }
    if entry.manager.operation == Operation::Update {
        text.push_str(&format!(" using {}", entry.manager.api_version));
    }
    text
}
