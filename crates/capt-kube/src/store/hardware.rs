//! The index over Hardware: whose it is, and which of it is free.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use capt_api::kube_core::{Expression, Selector};
use capt_api::meta::{Meta, ObjectKey};
use capt_api::tinkerbell::Hardware;

use super::Index;
use super::indexes::remove_member;

/// Hardware by owner, and free Hardware by label.
#[derive(Default)]
pub struct HardwareIndex {
    by_owner: AHashMap<ObjectKey, BTreeSet<Arc<ObjectKey>>>,
    free: BTreeSet<Arc<ObjectKey>>,
    free_by_label: AHashMap<Box<str>, BTreeSet<Arc<ObjectKey>>>,
    held: AHashSet<ObjectKey>,
}

/// Whether nobody's name stands on the Hardware and it is not on its way out.
pub fn is_free(hardware: &Hardware) -> bool {
    !hardware.is_reserved() && !hardware.is_terminating()
}

fn label_pair(name: &str, value: &str) -> Box<str> {
    format!("{name}={value}").into()
}

fn labels(hardware: &Hardware) -> impl Iterator<Item = Box<str>> {
    hardware.metadata.labels.iter().flatten().map(|(name, value)| label_pair(name, value))
}

impl HardwareIndex {
    /// The Hardware that carries a machine's owner labels, by namespace and name.
    pub fn of_owner(&self, machine: &ObjectKey) -> Vec<Arc<ObjectKey>> {
        self.by_owner.get(machine).map(|all| all.iter().cloned().collect()).unwrap_or_default()
    }

    /// Whether the Hardware can be had: free, and nobody is about to reserve it.
    pub fn is_available(&self, key: &ObjectKey) -> bool {
        self.free.contains(key) && !self.held.contains(key)
    }

    /// Up to `limit` available Hardware after `last`, by namespace and name, among them all that match the selector
    /// (and perhaps others: only its narrowest requirement of one value is looked at).
    pub fn candidates(&self, selector: &Selector, last: Option<&ObjectKey>, limit: usize) -> Vec<Arc<ObjectKey>> {
        let Some(smallest) = self.smallest(selector) else {
            return Vec::new();
        };
        let start = last.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = smallest.range::<ObjectKey, _>((start, Bound::Unbounded));
        rest.filter(|key| !self.held.contains(&***key)).take(limit).cloned().collect()
    }

    /// The smallest set that holds all free Hardware of the selector, or nothing if there is none.
    fn smallest(&self, selector: &Selector) -> Option<&BTreeSet<Arc<ObjectKey>>> {
        let mut smallest = &self.free;
        for requirement in selector.clone() {
            let pair = match &requirement {
                Expression::Equal(name, value) => label_pair(name, value),
                Expression::In(name, values) if values.len() == 1 => {
                    label_pair(name, values.first().map_or("", String::as_str))
                }
                _ => continue,
            };
            let set = self.free_by_label.get(&pair)?;
            if set.len() < smallest.len() {
                smallest = set;
            }
        }
        Some(smallest)
    }

    /// Takes the Hardware for one writer; false if another has it already.
    pub fn hold(&mut self, key: &ObjectKey) -> bool {
        self.held.insert(key.clone())
    }

    /// Ends [`hold`](Self::hold).
    pub fn release(&mut self, key: &ObjectKey) {
        self.held.remove(key);
    }

    fn remove_free(&mut self, key: &Arc<ObjectKey>, hardware: &Hardware) {
        self.free.remove(key);
        for pair in labels(hardware) {
            remove_member(&mut self.free_by_label, &pair, key);
        }
    }

    fn insert_free(&mut self, key: &Arc<ObjectKey>, hardware: &Hardware) {
        self.free.insert(key.clone());
        for pair in labels(hardware) {
            self.free_by_label.entry(pair).or_default().insert(key.clone());
        }
    }
}

/// The labels that free Hardware is found by.
fn free_labels(hardware: &Hardware) -> Option<Option<&BTreeMap<String, String>>> {
    is_free(hardware).then_some(hardware.metadata.labels.as_ref())
}

impl Index<Hardware> for HardwareIndex {
    fn update(&mut self, key: &Arc<ObjectKey>, old: Option<&Hardware>, new: Option<&Hardware>) {
        let owner = |hardware: Option<&Hardware>| hardware.and_then(Hardware::reserved_for);
        let (old_owner, new_owner) = (owner(old), owner(new));
        if old_owner != new_owner {
            if let Some(old) = old_owner {
                remove_member(&mut self.by_owner, &old, key);
            }
            if let Some(new) = new_owner {
                self.by_owner.entry(new).or_default().insert(key.clone());
            }
        }
        if old.and_then(free_labels) == new.and_then(free_labels) {
            return;
        }
        if let Some(old) = old.filter(|hardware| is_free(hardware)) {
            self.remove_free(key, old);
        }
        if let Some(new) = new.filter(|hardware| is_free(hardware)) {
            self.insert_free(key, new);
        }
    }
}
