//! The index over Hardware: whose it is, and which of it is free.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Bound;
use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use capt_api::kube_core::{Expression, Selector};
use capt_api::meta::ObjectKey;
use capt_reconciler::observed::tinkerbell::Hardware;

use capt_reconciler::machine::ownership::{Obstacle, obstacle};

use super::Index;
use super::indexes::remove_member;

/// Hardware by owner and by MAC, and by label what is free and what is kept back.
#[derive(Default)]
pub struct HardwareIndex {
    by_owner: AHashMap<ObjectKey, BTreeSet<Arc<ObjectKey>>>,
    by_mac: ByMac,
    free: ByLabel,
    /// What is neither free nor labelled for a machine: lost labels, marks of persons.
    parked: ByLabel,
    /// What is labelled for a machine that does not exist.
    orphaned: BTreeSet<Arc<ObjectKey>>,
    held: AHashSet<ObjectKey>,
}

/// Hardware by MAC. Nearly every MAC has one Hardware: the map holds that one, by the MAC's number, and what shares
/// a MAC with it stands apart, so that the many cost little.
#[derive(Default)]
struct ByMac {
    first: AHashMap<u64, Arc<ObjectKey>>,
    others: AHashMap<u64, BTreeSet<Arc<ObjectKey>>>,
}

impl ByMac {
    /// The number of a MAC; of what is no MAC, one that is as good as its own.
    fn number(mac: &str) -> u64 {
        let digits: String = mac.chars().filter(|c| !matches!(c, ':' | '-')).collect();
        let number = if digits.len() == 12 { u64::from_str_radix(&digits, 16).ok() } else { None };
        number.unwrap_or_else(|| {
            let mut hasher = DefaultHasher::new();
            mac.hash(&mut hasher);
            hasher.finish()
        })
    }

    fn insert(&mut self, mac: &str, key: &Arc<ObjectKey>) {
        let number = Self::number(mac);
        match self.first.get(&number) {
            None => {
                self.first.insert(number, key.clone());
            }
            Some(first) if first == key => {}
            Some(_) => {
                self.others.entry(number).or_default().insert(key.clone());
            }
        }
    }

    fn remove(&mut self, mac: &str, key: &Arc<ObjectKey>) {
        let number = Self::number(mac);
        remove_member(&mut self.others, &number, key);
        if self.first.get(&number) == Some(key) {
            self.first.remove(&number);
            let next = self.others.get(&number).and_then(|others| others.first()).cloned();
            if let Some(next) = next {
                remove_member(&mut self.others, &number, &next);
                self.first.insert(number, next);
            }
        }
    }

    fn of(&self, mac: &str) -> Vec<Arc<ObjectKey>> {
        let number = Self::number(mac);
        let others = self.others.get(&number).into_iter().flatten();
        let all: BTreeSet<Arc<ObjectKey>> = self.first.get(&number).into_iter().chain(others).cloned().collect();
        all.into_iter().collect()
    }
}

/// A part of the Hardware, by label.
#[derive(Default)]
struct ByLabel {
    all: BTreeSet<Arc<ObjectKey>>,
    by_pair: AHashMap<Box<str>, BTreeSet<Arc<ObjectKey>>>,
}

impl ByLabel {
    fn insert(&mut self, key: &Arc<ObjectKey>, hardware: &Hardware) {
        self.all.insert(key.clone());
        for pair in labels(hardware) {
            self.by_pair.entry(pair).or_default().insert(key.clone());
        }
    }

    fn remove(&mut self, key: &Arc<ObjectKey>, hardware: &Hardware) {
        self.all.remove(key);
        for pair in labels(hardware) {
            remove_member(&mut self.by_pair, &pair, key);
        }
    }

    /// The smallest set that holds all Hardware of the selector, or nothing if there is none.
    fn smallest(&self, selector: &Selector) -> Option<&BTreeSet<Arc<ObjectKey>>> {
        let mut smallest = &self.all;
        for requirement in selector.clone() {
            let pair = match &requirement {
                Expression::Equal(name, value) => label_pair(name, value),
                Expression::In(name, values) if values.len() == 1 => {
                    label_pair(name, values.first().map_or("", String::as_str))
                }
                _ => continue,
            };
            let set = self.by_pair.get(&pair)?;
            if set.len() < smallest.len() {
                smallest = set;
            }
        }
        Some(smallest)
    }
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
        self.free.all.contains(key) && !self.held.contains(key)
    }

    /// The Hardware with this MAC, in lower case.
    pub fn of_mac(&self, mac: &str) -> Vec<Arc<ObjectKey>> {
        self.by_mac.of(mac)
    }

    /// Up to `limit` available Hardware after `last`, by namespace and name, among them all that match the selector
    /// (and perhaps others: only its narrowest requirement of one value is looked at).
    pub fn candidates(&self, selector: &Selector, last: Option<&ObjectKey>, limit: usize) -> Vec<Arc<ObjectKey>> {
        let Some(smallest) = self.free.smallest(selector) else {
            return Vec::new();
        };
        let start = last.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = smallest.range::<ObjectKey, _>((start, Bound::Unbounded));
        rest.filter(|key| !self.held.contains(&***key)).take(limit).cloned().collect()
    }

    /// Up to `limit` Hardware that is kept back or orphaned, among which those of the selector are looked for.
    pub fn parked(&self, selector: &Selector, limit: usize) -> Vec<Arc<ObjectKey>> {
        let parked = self.parked.smallest(selector).into_iter().flatten();
        self.orphaned.iter().take(limit / 2).chain(parked).take(limit).cloned().collect()
    }

    /// Takes down whether the machine exists whose labels the Hardware carries.
    pub fn note_orphan(&mut self, key: &Arc<ObjectKey>, is_orphan: bool) {
        if is_orphan {
            self.orphaned.insert(key.clone());
        } else {
            self.orphaned.remove(key);
        }
    }

    /// Takes the Hardware for one writer; false if another has it already.
    pub fn hold(&mut self, key: &ObjectKey) -> bool {
        self.held.insert(key.clone())
    }

    /// Ends [`hold`](Self::hold).
    pub fn release(&mut self, key: &ObjectKey) {
        self.held.remove(key);
    }

    fn replace_macs(&mut self, key: &Arc<ObjectKey>, old: &[String], new: &[String]) {
        for mac in old {
            self.by_mac.remove(mac, key);
        }
        for mac in new {
            self.by_mac.insert(mac, key);
        }
    }
}

/// How a Hardware can be had.
#[derive(Clone, Copy, PartialEq)]
enum LeaderState {
    Free,
    Parked,
    /// Labelled for a machine, or on its way out.
    Held,
}

fn standing(hardware: &Hardware) -> LeaderState {
    match obstacle(hardware) {
        None => LeaderState::Free,
        Some(Obstacle::Labelled(_) | Obstacle::Terminating) => LeaderState::Held,
        Some(_) => LeaderState::Parked,
    }
}

/// How a Hardware can be had, and the labels by which it is found.
fn place(hardware: &Hardware) -> (LeaderState, Option<&BTreeMap<String, String>>) {
    match standing(hardware) {
        LeaderState::Held => (LeaderState::Held, None),
        standing => (standing, hardware.metadata.labels.as_ref()),
    }
}

impl Index<Hardware> for HardwareIndex {
    fn update(&mut self, key: &Arc<ObjectKey>, old: Option<&Hardware>, new: Option<&Hardware>) {
        let owner = |hardware: Option<&Hardware>| hardware.and_then(Hardware::reserved_for);
        let (old_owner, new_owner) = (owner(old), owner(new));
        if old_owner != new_owner {
            // Whether its machine exists is noted anew by who knows the machines.
            self.orphaned.remove(key);
            if let Some(old) = old_owner {
                remove_member(&mut self.by_owner, &old, key);
            }
            if let Some(new) = new_owner {
                self.by_owner.entry(new).or_default().insert(key.clone());
            }
        }
        let macs = |hardware: Option<&Hardware>| hardware.into_iter().flat_map(Hardware::macs).collect::<Vec<_>>();
        let (old_macs, new_macs) = (macs(old), macs(new));
        if old_macs != new_macs {
            self.replace_macs(key, &old_macs, &new_macs);
        }
        if old.map(place) == new.map(place) {
            return;
        }
        if let Some(old) = old {
            match standing(old) {
                LeaderState::Free => self.free.remove(key, old),
                LeaderState::Parked => self.parked.remove(key, old),
                LeaderState::Held => {}
            }
        }
        if let Some(new) = new {
            match standing(new) {
                LeaderState::Free => self.free.insert(key, new),
                LeaderState::Parked => self.parked.insert(key, new),
                LeaderState::Held => {}
            }
        }
    }
}
