//! Sets of field paths, shaped as `fieldsV1` is: a tree whose edges are `f:name`, `k:{…}` and `v:…`.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// A set of paths below some point.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FieldSet {
    /// The path that leads here is itself in the set.
    pub(crate) member: bool,
    pub(crate) children: BTreeMap<Box<str>, FieldSet>,
}

struct Empty;

impl Serialize for Empty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_map(Some(0))?.end()
    }
}

impl FieldSet {
    pub(crate) fn leaf() -> Self {
        Self { member: true, children: BTreeMap::new() }
    }

    /// The set of the one path along these edges.
    pub(crate) fn path(edges: impl DoubleEndedIterator<Item = Box<str>>) -> Self {
        edges
            .rev()
            .fold(Self::leaf(), |below, edge| Self { member: false, children: BTreeMap::from_iter([(edge, below)]) })
    }

    /// Whether every member of `other` is a member.
    pub(crate) fn contains(&self, other: &FieldSet) -> bool {
        (self.member || !other.member)
            && other.children.iter().all(|(edge, theirs)| self.child(edge).is_some_and(|ours| ours.contains(theirs)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    /// Adds what is under `edge`; nothing is kept for an empty set.
    pub(crate) fn insert(&mut self, edge: impl Into<Box<str>>, child: FieldSet) {
        if !child.is_empty() {
            self.children.insert(edge.into(), child);
        }
    }

    pub(crate) fn child(&self, edge: &str) -> Option<&FieldSet> {
        self.children.get(edge)
    }

    pub(crate) fn union(&mut self, other: &FieldSet) {
        self.member |= other.member;
        for (edge, theirs) in &other.children {
            match self.children.get_mut(edge) {
                Some(ours) => ours.union(theirs),
                None => {
                    self.children.insert(edge.clone(), theirs.clone());
                }
            }
        }
    }

    /// Removes the members of `other`; with `subtrees`, also everything below them.
    pub(crate) fn subtract(&mut self, other: &FieldSet, subtrees: bool) {
        if other.member {
            self.member = false;
            if subtrees {
                self.children.clear();
            }
        }
        for (edge, theirs) in &other.children {
            if let Some(ours) = self.children.get_mut(edge) {
                ours.subtract(theirs, subtrees);
                if ours.is_empty() {
                    self.children.remove(edge);
                }
            }
        }
    }

    /// Whether subtracting `other`, subtrees included, could change anything.
    pub(crate) fn intersects(&self, other: &FieldSet) -> bool {
        if other.member && !self.is_empty() {
            return true;
        }
        let (few, many) = if self.children.len() < other.children.len() { (self, other) } else { (other, self) };
        few.children.iter().any(|(edge, child)| {
            many.children
                .get(edge)
                .is_some_and(|c| if std::ptr::eq(few, self) { child.intersects(c) } else { c.intersects(child) })
        })
    }

    /// The paths that are members of both, as `.spec.list[name="x"].field`.
    pub(crate) fn common_paths(&self, other: &FieldSet) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_common(other, &mut String::new(), &mut paths);
        paths
    }

    fn collect_common(&self, other: &FieldSet, path: &mut String, paths: &mut Vec<String>) {
        let both = || self.children.iter().filter_map(|(edge, ours)| Some((edge, ours, other.children.get(edge)?)));
        // All members of this level come before what is below them.
        for (edge, ..) in both().filter(|(_, ours, theirs)| ours.member && theirs.member) {
            paths.push(format!("{path}{}", edge_text(edge)));
        }
        for (edge, ours, theirs) in both() {
            let length = path.len();
            path.push_str(&edge_text(edge));
            ours.collect_common(theirs, path, paths);
            path.truncate(length);
        }
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (edge, child) in value.as_object()? {
            if edge == "." {
                set.member = true;
                continue;
            }
            let mut below = Self::from_json(child)?;
            if below.is_empty() {
                below.member = true;
            }
            set.children.insert(edge.as_str().into(), below);
        }
        Some(set)
    }
}

impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.children.is_empty() {
            if self.member {
                map.serialize_entry(".", &Empty)?;
            }
            for (edge, child) in &self.children {
                map.serialize_entry(edge, child)?;
            }
        }
        map.end()
    }
}

/// One step of a path as conflict messages print it.
pub(crate) fn edge_text(edge: &str) -> String {
    match edge.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("v", value)) => format!("[={value}]"),
        Some(("k", keys)) => {
            let pairs: Vec<String> = serde_json::from_str::<Value>(keys)
                .ok()
                .and_then(|keys| keys.as_object().map(|m| m.iter().map(|(k, v)| format!("{k}={v}")).collect()))
                .unwrap_or_default();
            format!("[{}]", pairs.join(","))
        }
        _ => edge.to_owned(),
    }
}
