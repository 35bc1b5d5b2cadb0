//! What happened to a resource, kept for a while so that watches can resume and lists can look back.

use super::{Object, Resource};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One change of one object.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) rv: u64,
    pub(crate) key: Arc<str>,
    pub(crate) change: Change,
    /// The state after the change; of a deletion, the last state under the deletion's own version.
    pub(crate) object: Arc<Object>,
    pub(crate) old: Option<Arc<Object>>,
}

impl Resource {
    /// The changes after `rv`, oldest first.
    pub(crate) fn events_after(&self, rv: u64) -> impl Iterator<Item = &Arc<Event>> {
        let start = self.log.partition_point(|event| event.rv <= rv);
        self.log.iter().skip(start)
    }

    /// The objects whose key starts with `prefix`, as they were at `rv`, which must lie within the history.
    pub(crate) fn objects_at(&self, prefix: &str, rv: u64) -> BTreeMap<Arc<str>, Arc<Object>> {
        let now = self.objects_under(prefix).map(|(key, object)| (key.clone(), object.clone()));
        let mut objects: BTreeMap<Arc<str>, Arc<Object>> = now.collect();
        for event in self.log.iter().rev().take_while(|event| event.rv > rv) {
            if !event.key.starts_with(prefix) {
                continue;
            }
            match &event.old {
                Some(old) => objects.insert(event.key.clone(), old.clone()),
                None => objects.remove(&event.key),
            };
        }
        objects
    }

    /// The objects whose key starts with `prefix`, in key order.
    pub(crate) fn objects_under<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<Object>)> + 'a {
        let range = self.objects.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        range.take_while(move |(key, _)| key.starts_with(prefix))
    }
}
