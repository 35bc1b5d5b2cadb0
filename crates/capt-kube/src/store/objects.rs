//! The store of one kind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ahash::AHashMap;
use capt_api::meta::{Meta, ObjectKey};
use kube::Resource;
use parking_lot::RwLock;
use tokio::time::Instant;

use super::indexes::Index;
use super::relist::Relist;
use crate::decode::Guarded;

/// How long a tombstone stands. No answer and no event of ours is under way for longer.
const TOMBSTONE_AGE: Duration = Duration::from_secs(300);

/// What became of one object.
#[derive(Debug)]
pub struct Change<K> {
    /// The object.
    pub key: Arc<ObjectKey>,
    /// As it was; absent also if it could not be decoded.
    pub old: Option<Arc<K>>,
    /// As it is; absent also if it cannot be decoded.
    pub new: Option<Arc<K>>,
}

/// Sizes, for diagnostics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects.
    pub objects: usize,
    /// Objects among them that do not decode.
    pub invalid: usize,
}

/// All objects of one kind.
pub struct Store<K, I> {
    inner: RwLock<Inner<K, I>>,
}

struct Inner<K, I> {
    objects: AHashMap<Arc<ObjectKey>, Entry<K>>,
    tombstones: AHashMap<Arc<ObjectKey>, Tombstone>,
    buried: VecDeque<(Instant, Arc<ObjectKey>)>,
    index: I,
    /// The relists under way, by namespace: of one, or of all together.
    relists: AHashMap<Option<Box<str>>, Relist>,
}

struct Entry<K> {
    version: u64,
    /// The object, or the UID of one that does not decode.
    object: Result<Arc<K>, Box<str>>,
}

impl<K: Resource> Entry<K> {
    fn uid(&self) -> &str {
        match &self.object {
            Ok(object) => object.uid(),
            Err(uid) => uid,
        }
    }

    fn object(&self) -> Option<Arc<K>> {
        self.object.as_ref().ok().cloned()
    }
}

/// Where an object comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// From an answer or an event, which may be late.
    Told,
    /// From a list that began after all that is known of the object.
    Listed,
}

struct Tombstone {
    uid: Box<str>,
    version: u64,
    since: Instant,
}

/// A resourceVersion as a number. One that is none counts as the oldest: such an object never replaces another.
fn version(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}

impl<K: Resource, I: Index<K>> Store<K, I> {
    /// An empty store.
    pub fn new(index: I) -> Self {
        Self {
            inner: RwLock::new(Inner {
                objects: AHashMap::new(),
                tombstones: AHashMap::new(),
                buried: VecDeque::new(),
                index,
                relists: AHashMap::new(),
            }),
        }
    }

    /// The object, if it is there and decodes.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.inner.read().objects.get(key)?.object()
    }

    /// The objects of these keys.
    pub fn get_all<'a>(&self, keys: impl IntoIterator<Item = &'a Arc<ObjectKey>>) -> Vec<Arc<K>> {
        let inner = self.inner.read();
        keys.into_iter().filter_map(|key| inner.objects.get(key)?.object()).collect()
    }

    /// The keys of all objects that decode, sorted.
    pub fn keys(&self) -> Vec<Arc<ObjectKey>> {
        let inner = self.inner.read();
        let decoded = inner.objects.iter().filter(|(_, entry)| entry.object.is_ok());
        let mut keys: Vec<_> = decoded.map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        keys
    }

    /// Whether any object is like this.
    pub fn any(&self, like: impl Fn(&K) -> bool) -> bool {
        self.inner.read().objects.values().filter_map(|entry| entry.object.as_ref().ok()).any(|object| like(object))
    }

    /// Asks the index.
    pub fn index<R>(&self, ask: impl FnOnce(&I) -> R) -> R {
        ask(&self.inner.read().index)
    }

    /// Asks the index and the objects behind its answer, at one moment.
    pub fn lookup(&self, ask: impl FnOnce(&I) -> Vec<Arc<ObjectKey>>) -> Vec<Arc<K>> {
        let inner = self.inner.read();
        let keys = ask(&inner.index);
        keys.iter().filter_map(|key| inner.objects.get(key)?.object()).collect()
    }

    /// Changes what the index knows beside the objects.
    pub fn index_mut<R>(&self, change: impl FnOnce(&mut I) -> R) -> R {
        change(&mut self.inner.write().index)
    }

    /// Shows every object, in no order. Nothing else happens to the store meanwhile, so be quick.
    pub fn visit(&self, mut visit: impl FnMut(&K)) {
        self.inner.read().objects.values().filter_map(|entry| entry.object.as_deref().ok()).for_each(&mut visit);
    }

    /// How many objects there are.
    pub fn counts(&self) -> Counts {
        let inner = self.inner.read();
        let invalid = inner.objects.values().filter(|entry| entry.object.is_err()).count();
        Counts { objects: inner.objects.len(), invalid }
    }

    /// The UID of the object that is there now, whether it decodes or not.
    pub fn uid(&self, key: &ObjectKey) -> Option<String> {
        self.inner.read().objects.get(key).map(|entry| entry.uid().to_owned())
    }

    /// Takes in an object from the watch.
    pub fn observed(&self, object: Guarded<K>) -> Option<Change<K>> {
        self.inner.write().put(object, Source::Told)
    }

    /// Takes in an object that the server returned to a request of ours.
    pub fn answered(&self, object: Guarded<K>) -> Option<Change<K>> {
        let mut inner = self.inner.write();
        let key = ObjectKey::of(object.meta());
        for relist in inner.relists_of(&key) {
            relist.answered(key.clone());
        }
        inner.put(object, Source::Told)
    }

    /// Takes in that an object was deleted, from the watch: `last` is its last state.
    pub fn deleted(&self, last: &Guarded<K>) -> Option<Change<K>> {
        let key = Arc::new(ObjectKey::of(last.meta()));
        self.inner.write().learn_burial(&key, last.uid(), version(last.resource_version()))
    }

    /// Takes in that the object with this UID is gone, from an answer.
    pub fn gone(&self, key: &ObjectKey, uid: &str) -> Option<Change<K>> {
        self.inner.write().learn_burial(&Arc::new(key.clone()), uid, 0)
    }

    /// A relist begins.
    pub fn relist_begins(&self) {
        self.relist_begins_in(None);
    }

    /// A relist of one namespace begins.
    pub fn relist_begins_in(&self, namespace: Option<&str>) {
        self.inner.write().relists.insert(namespace.map(Into::into), Relist::default());
    }

    /// Takes in one object of a relist.
    pub fn relisted(&self, object: Guarded<K>) -> Option<Change<K>> {
        let mut inner = self.inner.write();
        let key = ObjectKey::of(object.meta());
        let mut source = Source::Listed;
        for relist in inner.relists_of(&key) {
            relist.listed(key.clone());
            if !relist.knows_better(&key) {
                source = Source::Told;
            }
        }
        inner.put(object, source)
    }

    /// A relist is complete: what it did not hold has vanished. Objects that an answer brought during the relist may
    /// be newer than the list: they stay, and are returned as well, for the caller to ask the server about.
    pub fn relist_ends(&self) -> (Vec<Change<K>>, Vec<ObjectKey>) {
        self.relist_ends_in(None)
    }

    /// A relist of one namespace is complete: it says nothing about objects elsewhere.
    pub fn relist_ends_in(&self, namespace: Option<&str>) -> (Vec<Change<K>>, Vec<ObjectKey>) {
        let mut inner = self.inner.write();
        let Some(relist) = inner.relists.remove(&namespace.map(Into::into)) else {
            return (Vec::new(), Vec::new());
        };
        if relist.count_returned() > 0 {
            tracing::warn!(
                kind = std::any::type_name::<K>(),
                objects = relist.count_returned(),
                "API server returned objects older than seen before, as after a restore of etcd"
            );
        }
        let concerned = |key: &ObjectKey| namespace.is_none_or(|namespace| namespace == key.namespace);
        let missing = inner.objects.keys().filter(|key| concerned(key) && !relist.lists(key));
        let mut missing: Vec<_> = missing.cloned().collect();
        // Who waits for them is woken in an order that does not depend on chance.
        missing.sort_unstable();
        let (doubtful, vanished): (Vec<_>, Vec<_>) = missing.into_iter().partition(|key| relist.has_answer(key));
        let changes = vanished.iter().filter_map(|key| inner.vanish(key)).collect();
        (changes, doubtful.iter().map(|key| (**key).clone()).collect())
    }

    /// Forgets everything: the server serves the kind no longer. If it does so again, the objects may be the same ones:
    /// a definition that is not served for a while keeps what is stored under it.
    pub fn clear(&self) -> Vec<Change<K>> {
        let mut inner = self.inner.write();
        inner.relists.clear();
        inner.tombstones.clear();
        inner.buried.clear();
        let mut objects: Vec<_> = inner.objects.drain().collect();
        objects.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        objects.into_iter().filter_map(|(key, entry)| inner.changed(key, entry.object.ok(), None)).collect()
    }
}

impl<K: Resource, I: Index<K>> Inner<K, I> {
    /// The relists under way that tell about this object.
    fn relists_of(&mut self, key: &ObjectKey) -> impl Iterator<Item = &mut Relist> {
        let concerned = |namespace: Option<&str>| namespace.is_none_or(|namespace| namespace == key.namespace);
        self.relists.iter_mut().filter(move |(namespace, _)| concerned(namespace.as_deref())).map(|(_, relist)| relist)
    }

    /// The one rule: nothing older replaces anything newer, and nothing deleted comes back; but a list of what is there
    /// now knows better than everything that was known when it began.
    fn put(&mut self, object: Guarded<K>, source: Source) -> Option<Change<K>> {
        let key = ObjectKey::of(object.meta());
        let new_version = version(object.resource_version());
        let known = self.objects.get(&key).map(|entry| entry.version);
        if known == Some(new_version) {
            return None;
        }
        let is_newer = known.is_some_and(|known| known > new_version);
        let is_buried = self
            .tombstones
            .get(&key)
            .is_some_and(|tombstone| tombstone.version >= new_version || *tombstone.uid == *object.uid());
        if is_newer || is_buried {
            if source == Source::Told {
                return None;
            }
            self.tombstones.remove(&key);
            self.relists_of(&key).for_each(Relist::returned);
        }
        let entry = match object {
            Guarded::Valid(object) => Entry { version: new_version, object: Ok(Arc::new(object)) },
            Guarded::Invalid(invalid) => {
                tracing::warn!(kind = std::any::type_name::<K>(), object = %key, error = %invalid.error,
                    "object cannot be decoded, ignored");
                let uid = invalid.metadata.uid.unwrap_or_default().into();
                Entry { version: new_version, object: Err(uid) }
            }
        };
        let key = self.objects.get_key_value(&key).map_or_else(|| Arc::new(key), |(known, _)| known.clone());
        let new = entry.object();
        let old = self.objects.insert(key.clone(), entry).and_then(|entry| entry.object.ok());
        self.changed(key, old, new)
    }

    /// Somebody told that the object is gone; a list under way may not know it yet.
    fn learn_burial(&mut self, key: &Arc<ObjectKey>, uid: &str, deleted_at: u64) -> Option<Change<K>> {
        for relist in self.relists_of(key) {
            relist.buried((**key).clone());
        }
        self.bury(key, uid, deleted_at)
    }

    fn bury(&mut self, key: &Arc<ObjectKey>, uid: &str, deleted_at: u64) -> Option<Change<K>> {
        match self.objects.get(key) {
            // A successor of the deleted object.
            Some(entry) if entry.uid() != uid && (deleted_at == 0 || entry.version > deleted_at) => None,
            Some(entry) => {
                let version = entry.version.max(deleted_at);
                let removed = self.objects.remove(key);
                self.entomb(key.clone(), uid, version);
                self.changed(key.clone(), removed.and_then(|entry| entry.object.ok()), None)
            }
            None => {
                self.entomb(key.clone(), uid, deleted_at);
                None
            }
        }
    }

    fn vanish(&mut self, key: &Arc<ObjectKey>) -> Option<Change<K>> {
        let uid = self.objects.get(key)?.uid().to_owned();
        self.bury(key, &uid, 0)
    }

    fn entomb(&mut self, key: Arc<ObjectKey>, uid: &str, version: u64) {
        let now = Instant::now();
        while let Some((since, _)) = self.buried.front()
            && now.duration_since(*since) > TOMBSTONE_AGE
        {
            let Some((since, old)) = self.buried.pop_front() else { break };
            if self.tombstones.get(&old).is_some_and(|tombstone| tombstone.since == since) {
                self.tombstones.remove(&old);
            }
        }
        let version = self.tombstones.get(&key).map_or(version, |former| former.version.max(version));
        self.buried.push_back((now, key.clone()));
        self.tombstones.insert(key, Tombstone { uid: uid.into(), version, since: now });
    }

    fn changed(&mut self, key: Arc<ObjectKey>, old: Option<Arc<K>>, new: Option<Arc<K>>) -> Option<Change<K>> {
        if old.is_none() && new.is_none() {
            return None;
        }
        self.index.update(&key, old.as_deref(), new.as_deref());
        Some(Change { key, old, new })
    }
}
