//! Field ownership (`metadata.managedFields`): who last set which field, kept beside the object.

mod diff;
mod set;

pub(crate) use diff::{Changes, changes, child_schema, identity, members_of};
pub(crate) use set::{FieldSet, edge_text};

use crate::meta;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use std::sync::Arc;

/// How a manager came to own its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Apply,
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Who writes: the key of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
}

impl Manager {
    /// An applier is one manager whatever version it applies at.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.name == other.name
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }
}

/// One entry of `managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) manager: Manager,
    /// Empty for a manager that never changed anything.
    pub(crate) time: String,
    pub(crate) fields: FieldSet,
}

/// All entries of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Managers(pub(crate) Vec<Arc<Entry>>);

impl Managers {
    /// Reads `managedFields` as a client sent it; `None` if it is not well formed.
    pub(crate) fn from_json(list: &Value) -> Option<Self> {
        let entries = list.as_array()?.iter().filter(|e| e.as_object().is_some_and(|m| !m.is_empty()));
        entries.map(|entry| Entry::from_json(entry).map(Arc::new)).collect::<Option<Vec<_>>>().map(Self)
    }

    pub(crate) fn get(&self, manager: &Manager) -> Option<&FieldSet> {
        self.0.iter().find(|e| e.manager.is(manager)).map(|e| &e.fields)
    }

    /// Gives `manager` exactly these fields; its time moves only when they differ from what it had, and when there is a
    /// `time` to move it to.
    pub(crate) fn set(&mut self, manager: &Manager, fields: FieldSet, time: &str) {
        let position = self.0.iter().position(|e| e.manager.is(manager));
        match position {
            Some(at) if fields.is_empty() => {
                self.0.remove(at);
            }
            Some(at) => {
                if let Some(entry) = self.0.get_mut(at).filter(|e| e.fields != fields || e.manager != *manager) {
                    let time = if time.is_empty() { entry.time.clone() } else { time.to_owned() };
                    *entry = Arc::new(Entry { manager: manager.clone(), time, fields });
                }
            }
            None if fields.is_empty() => {}
            None => self.0.push(Arc::new(Entry { manager: manager.clone(), time: time.to_owned(), fields })),
        }
        self.sort();
    }

    /// Brings the entries into the order in which they are shown.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by(|a, b| a.order().cmp(&b.order()));
    }

    /// Takes `fields` away from every manager but `keeper`.
    pub(crate) fn take_from_others(&mut self, keeper: Option<&Manager>, fields: &FieldSet, subtrees: bool) {
        for entry in &mut self.0 {
            if keeper.is_some_and(|keeper| entry.manager.is(keeper)) || !entry.fields.intersects(fields) {
                continue;
            }
            Arc::make_mut(entry).fields.subtract(fields, subtrees);
        }
        self.0.retain(|e| !e.fields.is_empty());
    }

    /// Records an ordinary write by `manager` that led from `old` to `new`.
    pub(crate) fn record_update(&mut self, manager: &Manager, changes: &Changes, time: &str) {
        if changes.set.is_empty() && changes.removed.is_empty() {
            return;
        }
        self.take_from_others(Some(manager), &changes.set, false);
        self.take_from_others(None, &changes.removed, true);
        let mut own = self.get(manager).cloned().unwrap_or_default();
        own.union(&changes.set);
        self.set(manager, own, time);
    }

    /// Equality of ownership, whenever it was taken.
    pub(crate) fn same_fields(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|(a, b)| Arc::ptr_eq(a, b) || (a.manager == b.manager && a.fields == b.fields))
    }
}

impl Entry {
    /// Appliers first, then by age and name.
    fn order(&self) -> (bool, &str, &str, &str, &str) {
        let Manager { name, operation, api_version, subresource } = &self.manager;
        (*operation == Operation::Update, &self.time, name, api_version, subresource)
    }

    fn from_json(entry: &Value) -> Option<Self> {
        let operation = match meta::text(entry, "operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        Some(Self {
            manager: Manager {
                name: meta::text(entry, "manager").to_owned(),
                operation,
                api_version: meta::text(entry, "apiVersion").to_owned(),
                subresource: meta::text(entry, "subresource").to_owned(),
            },
            time: meta::text(entry, "time").to_owned(),
            fields: FieldSet::from_json(entry.get("fieldsV1")?)?,
        })
    }
}

impl Serialize for Managers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for entry in &self.0 {
            list.serialize_element(entry.as_ref())?;
        }
        list.end()
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("manager", &self.manager.name)?;
        map.serialize_entry("operation", self.manager.operation.name())?;
        map.serialize_entry("apiVersion", &self.manager.api_version)?;
        if !self.time.is_empty() {
            map.serialize_entry("time", &self.time)?;
        }
        map.serialize_entry("fieldsType", "FieldsV1")?;
        map.serialize_entry("fieldsV1", &self.fields)?;
        if !self.manager.subresource.is_empty() {
            map.serialize_entry("subresource", &self.manager.subresource)?;
        }
        map.end()
    }
}
