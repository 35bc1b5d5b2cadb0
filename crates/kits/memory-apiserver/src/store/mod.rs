//! The store: all objects under one lock, one increasing resourceVersion, and the one place where writes happen.

mod history;
mod object;
mod registry;

pub(crate) use history::{Change, Event};
pub(crate) use object::Object;
pub(crate) use registry::{Registry, Route};

use crate::control::Work;
use crate::faults::{Stopped, Stops};
use crate::fields::Managers;
use crate::journal::{Log, WriteRecord};
use crate::kind::{Behaviour, Kind};
use crate::meta;
use ahash::AHashMap;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// What etcd takes in one request unless it is told otherwise (`--max-request-bytes`).
const MAX_STORED: usize = 1536 * 1024;

/// Names a resource's storage; never used again after the resource is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ResourceId(u32);

/// Where an object is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    pub(crate) resource: ResourceId,
    pub(crate) key: Arc<str>,
}

/// The key of an object within its resource: `namespace/name`, or the name alone.
pub(crate) fn key_of(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// One resource: its objects, its recent history, its watchers.
pub(crate) struct Resource {
    pub(crate) kind: Arc<Kind>,
    pub(crate) objects: BTreeMap<Arc<str>, Arc<Object>>,
    log: VecDeque<Arc<Event>>,
    /// History of this resource up to and including this version is gone.
    floor: u64,
    watchers: Vec<Watcher>,
    /// Group and plural name, shared by all journal records.
    names: (Arc<str>, Arc<str>),
    versions: Vec<Arc<str>>,
}

/// A watch that is open.
pub(crate) struct Watcher {
    pub(crate) user: Arc<str>,
    /// Keys it is interested in start with this.
    pub(crate) prefix: String,
    pub(crate) sender: UnboundedSender<Arc<Event>>,
    /// The user was stopped: the watch stays open and says nothing.
    pub(crate) muted: bool,
}

/// Everything under the lock.
pub(crate) struct State {
    pub(crate) rv: u64,
    /// History up to and including this version is gone.
    compacted: u64,
    pub(crate) resources: BTreeMap<ResourceId, Resource>,
    pub(crate) journal: Log,
    pub(crate) stops: Stops,
    next_resource: u32,
    history_order: VecDeque<ResourceId>,
    history_limit: usize,
    uids: AHashMap<String, ObjectKey>,
    dependents: AHashMap<String, BTreeSet<ObjectKey>>,
    namespaces: ResourceId,
    work: UnboundedSender<Work>,
}

/// A write ready to take effect.
pub(crate) struct Write<'a> {
    pub(crate) user: &'a Arc<str>,
    pub(crate) verb: &'static str,
    pub(crate) resource: ResourceId,
    /// Index of the version the request came in at.
    pub(crate) version: usize,
    pub(crate) subresource: &'a str,
    pub(crate) key: &'a str,
    /// The state the write was computed from; `None` for a creation.
    pub(crate) expected: Option<&'a Arc<Object>>,
    /// `None` deletes.
    pub(crate) new: Option<(Value, Managers)>,
    pub(crate) code: u16,
    pub(crate) now: jiff::Timestamp,
}

/// A write that took effect.
pub(crate) struct Committed {
    pub(crate) object: Arc<Object>,
    /// The client must not learn of it (a fault).
    pub(crate) answer_lost: Option<Stopped>,
}

/// Why a write did not take effect.
pub(crate) enum Refused {
    /// The object is not in the expected state any more.
    Raced,
    ResourceGone,
    NamespaceMissing,
    NamespaceTerminating,
    /// More than etcd takes, in bytes.
    TooLarge(usize),
    /// The user may write no more (a fault).
    Stopped(Stopped),
}

impl State {
    pub(crate) fn new(kinds: Vec<Kind>, history_limit: usize, journal: Log, work: UnboundedSender<Work>) -> Self {
        let mut state = Self {
            rv: 0,
            compacted: 0,
            resources: BTreeMap::new(),
            journal,
            stops: Stops::default(),
            next_resource: 0,
            history_order: VecDeque::new(),
            history_limit: history_limit.max(1),
            uids: AHashMap::new(),
            dependents: AHashMap::new(),
            namespaces: ResourceId(0),
            work,
        };
        for kind in kinds {
            let is_namespace = kind.behaviour == Behaviour::Namespace;
            let id = state.add_resource(kind);
            if is_namespace {
                state.namespaces = id;
            }
        }
        state
    }

    pub(crate) fn add_resource(&mut self, kind: Kind) -> ResourceId {
        let id = ResourceId(self.next_resource);
        self.next_resource += 1;
        self.resources.insert(id, Resource::new(Arc::new(kind)));
        id
    }

    /// Another definition of the same resource; its objects stay.
    pub(crate) fn replace_kind(&mut self, id: ResourceId, kind: Kind) {
        let Some(resource) = self.resources.get_mut(&id) else { return };
        let fresh = Resource::new(Arc::new(kind));
        resource.kind = fresh.kind;
        resource.versions = fresh.versions;
        // Encoded forms are by version index, which may mean another version now.
        for object in resource.objects.values_mut() {
            *object = Object::new(object.value.clone(), object.rv, object.managers.clone());
        }
        resource.log.clear();
        resource.watchers.clear();
        resource.floor = self.rv;
    }

    pub(crate) fn remove_resource(&mut self, id: ResourceId) {
        self.resources.remove(&id);
    }

    pub(crate) fn get(&self, id: ResourceId, key: &str) -> Option<&Arc<Object>> {
        self.resources.get(&id)?.objects.get(key)
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<&Arc<Object>> {
        self.get(self.namespaces, name)
    }

    pub(crate) fn namespaces(&self) -> ResourceId {
        self.namespaces
    }

    pub(crate) fn by_uid(&self, uid: &str) -> Option<(&ObjectKey, &Arc<Object>)> {
        let key = self.uids.get(uid)?;
        Some((key, self.get(key.resource, &key.key)?))
    }

    /// The objects that name `uid` as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<ObjectKey> {
        self.dependents.get(uid).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// Every object that names an owner.
    pub(crate) fn all_dependents(&self) -> BTreeSet<ObjectKey> {
        self.dependents.values().flatten().cloned().collect()
    }

    /// Tells the controllers that a kind is served that was not.
    pub(crate) fn kind_served(&self) {
        let _ = self.work.send(Work::KindServed);
    }

    /// The one place where anything changes.
    pub(crate) fn commit(&mut self, write: Write<'_>) -> Result<Committed, Refused> {
        if let Some(stopped) = self.stops.of(write.user) {
            return Err(Refused::Stopped(stopped));
        }
        let resource = self.resources.get(&write.resource).ok_or(Refused::ResourceGone)?;
        let current = resource.objects.get_key_value(write.key);
        match (write.expected, current) {
            (None, None) => {}
            (Some(expected), Some((_, current))) if Arc::ptr_eq(expected, current) => {}
            _ => return Err(Refused::Raced),
        }
        let kind = resource.kind.clone();
        if write.expected.is_none() && kind.namespaced {
            let namespace = write.key.split('/').next().unwrap_or_default();
            let object = self.namespace(namespace).ok_or(Refused::NamespaceMissing)?;
            if meta::is_terminating(&object.value) {
                return Err(Refused::NamespaceTerminating);
            }
        }
        if let Some((value, _)) = &write.new {
            let bytes = weight(value);
            if bytes > MAX_STORED {
                return Err(Refused::TooLarge(bytes));
            }
        }
        let key: Arc<str> = current.map_or_else(|| write.key.into(), |(key, _)| key.clone());
        self.rv += 1;
        let old = write.expected.cloned();
        let (object, change, new) = match write.new {
            Some((mut value, managers)) => {
                meta::meta_mut(&mut value).insert("resourceVersion".to_owned(), Value::from(self.rv.to_string()));
                let object = Object::new(Arc::new(value), self.rv, managers);
                let change = if old.is_some() { Change::Modified } else { Change::Added };
                (object.clone(), change, Some(object.value.clone()))
            }
            None => {
                let Some(old) = &old else { return Err(Refused::Raced) };
                (Object::new(old.value.clone(), self.rv, old.managers.clone()), Change::Deleted, None)
            }
        };
        let event = Arc::new(Event { rv: self.rv, key: key.clone(), change, object: object.clone(), old: old.clone() });
        self.index(&ObjectKey { resource: write.resource, key }, &kind, old.as_deref(), new.as_deref());
        let record = |sequence, resource: &Resource| WriteRecord {
            sequence,
            time: write.now,
            user: write.user.clone(),
            verb: write.verb,
            group: resource.names.0.clone(),
            version: resource.versions.get(write.version).cloned().unwrap_or_default(),
            resource: resource.names.1.clone(),
            subresource: write.subresource.to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            old: old.map(|o| o.value.clone()),
            new,
            code: write.code,
            resource_version: object.rv,
        };
        let Some(resource) = self.resources.get_mut(&write.resource) else { return Err(Refused::ResourceGone) };
        resource.publish(&event);
        let sequence = self.journal.next_sequence();
        let record = record(sequence, resource);
        self.remember(write.resource);
        self.journal.push(record);
        let answer_lost = self.stops.count(write.user);
        if let Some(stopped) = self.stops.of(write.user) {
            self.silence(write.user, stopped);
        }
        Ok(Committed { object, answer_lost })
    }

    /// Bounds the history over all resources.
    fn remember(&mut self, id: ResourceId) {
        self.history_order.push_back(id);
        while self.history_order.len() > self.history_limit {
            let Some(oldest) = self.history_order.pop_front() else { return };
            if let Some(event) = self.resources.get_mut(&oldest).and_then(|r| r.log.pop_front()) {
                self.compacted = self.compacted.max(event.rv);
            }
        }
    }

    /// The newest version of a resource that its history does not reach back to.
    pub(crate) fn history_floor(&self, id: ResourceId) -> u64 {
        self.resources.get(&id).map_or(self.compacted, |r| r.floor.max(self.compacted))
    }

    /// Forgets all history: watches and lists that start in the past get 410.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.rv;
        self.history_order.clear();
        for resource in self.resources.values_mut() {
            resource.log.clear();
        }
    }

    fn silence(&mut self, user: &Arc<str>, stopped: Stopped) {
        for resource in self.resources.values_mut() {
            match stopped {
                Stopped::Hang => resource.watchers.iter_mut().filter(|w| w.user == *user).for_each(|w| w.muted = true),
                Stopped::Error => resource.watchers.retain(|w| w.user != *user),
            }
        }
    }

    /// Ends the open watches of a resource (of all, if `None`) and user (of all, if `None`).
    pub(crate) fn drop_watches(&mut self, plural: Option<&str>, user: Option<&str>) -> usize {
        let mut dropped = 0;
        for resource in self.resources.values_mut() {
            if plural.is_none_or(|p| p == resource.kind.plural) {
                let before = resource.watchers.len();
                resource.watchers.retain(|w| user.is_some_and(|u| u != &*w.user));
                dropped += before - resource.watchers.len();
            }
        }
        dropped
    }

    pub(crate) fn watch(&mut self, id: ResourceId, watcher: Watcher) {
        if let Some(resource) = self.resources.get_mut(&id) {
            resource.watchers.push(watcher);
        }
    }

    pub(crate) fn open_watches(&self) -> usize {
        let open = |r: &Resource| r.watchers.iter().filter(|w| !w.sender.is_closed()).count();
        self.resources.values().map(open).sum()
    }

    /// Keeps the owner index and tells the controllers what may concern them.
    fn index(&mut self, key: &ObjectKey, kind: &Kind, old: Option<&Object>, new: Option<&Value>) {
        let old_value = old.map(|o| o.value.as_ref());
        let owners = |value: Option<&Value>| -> BTreeSet<String> {
            let references = value.map(meta::owner_references).unwrap_or_default();
            references.iter().map(|r| meta::text(r, "uid").to_owned()).collect()
        };
        let (before, after) = (owners(old_value), owners(new));
        for owner in before.difference(&after) {
            if let Some(set) = self.dependents.get_mut(owner) {
                set.remove(key);
                if set.is_empty() {
                    self.dependents.remove(owner);
                }
            }
            let _ = self.work.send(Work::LostDependent { owner: owner.clone() });
        }
        for owner in after.difference(&before) {
            self.dependents.entry(owner.clone()).or_default().insert(key.clone());
        }
        match (old_value, new) {
            (None, Some(value)) => {
                self.uids.insert(meta::uid(value).to_owned(), key.clone());
            }
            (Some(value), None) => {
                self.uids.remove(meta::uid(value));
                let namespace = kind.namespaced.then(|| meta::namespace(value).to_owned());
                let _ = self.work.send(Work::Removed { uid: meta::uid(value).to_owned(), namespace, key: key.clone() });
            }
            _ => {}
        }
        if let Some(value) = new {
            if !after.is_empty() && before != after {
                let _ = self.work.send(Work::Owned(key.clone()));
            }
            if meta::is_terminating(value) {
                let _ = self.work.send(Work::Terminating(key.clone()));
            }
        }
    }
}

/// About how many bytes of JSON a value is. Escapes are not counted: this is asked at every write.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(|item| weight(item) + 1).sum::<usize>() + 2,
        Value::Object(map) => map.iter().map(|(key, item)| key.len() + 4 + weight(item)).sum::<usize>() + 2,
    }
}

impl Resource {
    fn new(kind: Arc<Kind>) -> Self {
        Self {
            names: (kind.group.as_str().into(), kind.plural.as_str().into()),
            versions: kind.served.iter().map(|s| s.version.as_str().into()).collect(),
            kind,
            objects: BTreeMap::new(),
            log: VecDeque::new(),
            floor: 0,
            watchers: Vec::new(),
        }
    }

    fn publish(&mut self, event: &Arc<Event>) {
        if event.change == Change::Deleted {
            self.objects.remove(&event.key);
        } else {
            self.objects.insert(event.key.clone(), event.object.clone());
        }
        self.log.push_back(event.clone());
        self.watchers.retain(|watcher| {
            watcher.muted || !event.key.starts_with(&watcher.prefix) || watcher.sender.send(event.clone()).is_ok()
        });
    }
}
