//! Indexes: questions about many objects, answered without a look at each.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;

use ahash::AHashMap;
use capt_api::meta::ObjectKey;

/// Follows the objects of a store. Called under the store's lock, so that the two never disagree.
pub trait Index<K>: Send + Sync {
    /// An object came, changed or went. At least one of `old` and `new` is there.
    fn update(&mut self, key: &Arc<ObjectKey>, old: Option<&K>, new: Option<&K>);
}

/// No index.
impl<K> Index<K> for () {
    fn update(&mut self, _: &Arc<ObjectKey>, _: Option<&K>, _: Option<&K>) {}
}

/// Two indexes over the same objects.
impl<K, A: Index<K>, B: Index<K>> Index<K> for (A, B) {
    fn update(&mut self, key: &Arc<ObjectKey>, old: Option<&K>, new: Option<&K>) {
        self.0.update(key, old, new);
        self.1.update(key, old, new);
    }
}

/// Objects by something that each of them belongs to.
pub struct Grouped<K, G> {
    group_of: fn(&K) -> Option<G>,
    groups: AHashMap<G, BTreeSet<Arc<ObjectKey>>>,
}

impl<K, G: Eq + Hash> Grouped<K, G> {
    /// An empty index; `group_of` says what an object belongs to.
    pub fn by(group_of: fn(&K) -> Option<G>) -> Self {
        Self { group_of, groups: AHashMap::new() }
    }

    /// The members of a group, by namespace and name.
    pub fn members<Q>(&self, group: &Q) -> Vec<Arc<ObjectKey>>
    where
        G: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.groups.get(group).map(|members| members.iter().cloned().collect()).unwrap_or_default()
    }
}

impl<K, G: Eq + Hash + Send + Sync> Index<K> for Grouped<K, G> {
    fn update(&mut self, key: &Arc<ObjectKey>, old: Option<&K>, new: Option<&K>) {
        let (old, new) = (old.and_then(self.group_of), new.and_then(self.group_of));
        if old == new {
            return;
        }
        if let Some(old) = old {
            remove_member(&mut self.groups, &old, key);
        }
        if let Some(new) = new {
            self.groups.entry(new).or_default().insert(key.clone());
        }
    }
}

/// Takes a member out of its group, and the group out of the index when it is empty.
pub(super) fn remove_member<G, Q>(
    groups: &mut AHashMap<G, BTreeSet<Arc<ObjectKey>>>,
    group: &Q,
    member: &Arc<ObjectKey>,
) where
    G: Eq + Hash + std::borrow::Borrow<Q>,
    Q: Eq + Hash + ?Sized,
{
    if let Some(members) = groups.get_mut(group) {
        members.remove(member);
        if members.is_empty() {
            groups.remove(group);
        }
    }
}
