use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ahash::{AHashMap, AHashSet};
use futures::{StreamExt, pin_mut};
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ApiResource;
use kube::runtime::watcher;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::watch;

use super::{Error, Key, Kind, Object, Tasks, answer};

/// How often we ask whether an absent kind is served by now.
const ABSENT_KIND_RETRY: Duration = Duration::from_secs(1);
/// Delay after the first failure of a watch; doubles with each further one.
const FIRST_WATCH_RETRY: Duration = Duration::from_millis(50);
const LONGEST_WATCH_RETRY: Duration = Duration::from_secs(5);

/// One object appeared, changed or vanished.
pub(crate) struct Change<'a> {
    pub(crate) key: &'a Key,
    pub(crate) before: Option<&'a Arc<Object>>,
    pub(crate) after: Option<&'a Arc<Object>>,
}

impl Change<'_> {
    /// Whether the object appeared, vanished, or differs in what `part` picks.
    pub(crate) fn differs_in<T: PartialEq>(&self, part: impl Fn(&Object) -> T) -> bool {
        match (self.before, self.after) {
            (Some(before), Some(after)) => part(before) != part(after),
            _ => true,
        }
    }
}

type OnChange = Box<dyn Fn(&Change<'_>) + Send + Sync>;

/// Deletes every object of a kind in a namespace with this label, in one request. Where the kind is not served, or
/// nothing has the label, there is nothing to do.
pub(crate) async fn delete_labelled(
    client: &Client,
    kind: &Kind,
    namespace: &str,
    (label, value): (&str, &str),
) -> Result<(), Error> {
    let Some(version) = kind.versions.first() else {
        return Ok(());
    };
    let api: Api<Object> = Api::namespaced_with(client.clone(), namespace, &kind.resource_in(version));
    let labelled = ListParams::default().labels(&format!("{label}={value}"));
    match answer(api.delete_collection(&DeleteParams::background(), &labelled)).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// All objects of a kind, fed by one watch, and the way to write them.
///
/// Write-through: the answer to our own write is in the store before the write returns, and an older watch event never
/// replaces it. So nothing is written twice because a watch is slow.
pub(crate) struct Store {
    kind: &'static Kind,
    client: Client,
    resource: OnceLock<ApiResource>,
    objects: RwLock<AHashMap<Key, Arc<Object>>>,
    /// Held while a change is applied and told, so that listeners hear changes in their order.
    /// Holds the keys we wrote while a list was under way: the list may not know them yet.
    applying: Mutex<Option<AHashSet<Key>>>,
    on_change: OnChange,
    synced: watch::Sender<bool>,
}

impl Store {
    /// A store that starts to fill at once. `on_change` runs inside the store's task: it may read stores and add to
    /// queues, but must not write.
    pub(crate) fn start(
        tasks: &Tasks,
        client: &Client,
        kind: &'static Kind,
        on_change: impl Fn(&Change<'_>) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let store = Arc::new(Self {
            kind,
            client: client.clone(),
            resource: OnceLock::new(),
            objects: RwLock::default(),
            applying: Mutex::new(None),
            on_change: Box::new(on_change),
            synced: watch::Sender::new(false),
        });
        tasks.spawn(Arc::clone(&store).run());
        store
    }

    /// Returns once the store holds all objects, or the server said that it does not serve the kind.
    pub(crate) async fn wait_synced(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.objects.read().get(key).cloned()
    }

    /// Every object that `wanted` picks, sorted by key.
    pub(crate) fn select(&self, wanted: impl Fn(&Object) -> bool) -> Vec<Arc<Object>> {
        let mut picked: Vec<_> = self.objects.read().values().filter(|o| wanted(o)).cloned().collect();
        picked.sort_unstable_by(|a, b| (a.namespace(), a.name()).cmp(&(b.namespace(), b.name())));
        picked
    }

    /// The kind in the version the server serves.
    pub(crate) fn resource(&self) -> Result<&ApiResource, Error> {
        self.resource.get().ok_or(Error::NotServed(self.kind))
    }

    /// Whether this version of the kind is the one in use.
    pub(crate) fn is_version(&self, version: &str) -> bool {
        self.resource.get().is_some_and(|resource| resource.version == version)
    }

    fn api(&self, namespace: &str) -> Result<Api<Object>, Error> {
        let resource = self.resource()?;
        Ok(if self.kind.namespaced {
            Api::namespaced_with(self.client.clone(), namespace, resource)
        } else {
            Api::all_with(self.client.clone(), resource)
        })
    }

    /// Creates an object; `apiVersion` and `kind` are filled in.
    pub(crate) async fn create(&self, mut body: Value) -> Result<Arc<Object>, Error> {
        let resource = self.resource()?;
        if let Some(map) = body.as_object_mut() {
            map.insert("apiVersion".to_owned(), resource.api_version.clone().into());
            map.insert("kind".to_owned(), resource.kind.clone().into());
        }
        let object: Object = serde_json::from_value(body).map_err(|e| Error::Other(e.to_string()))?;
        let api = self.api(object.namespace())?;
        let created = answer(api.create(&PostParams::default(), &object)).await?;
        Ok(self.learn(created, true))
    }

    /// Sends a merge patch.
    pub(crate) async fn patch(&self, key: &Key, patch: &Value) -> Result<Arc<Object>, Error> {
        let (api, patch) = (self.api(&key.namespace)?, Patch::Merge(patch));
        let patched = answer(api.patch(&key.name, &PatchParams::default(), &patch)).await?;
        Ok(self.learn(patched, false))
    }

    /// Sends a merge patch of the status subresource.
    pub(crate) async fn patch_status(&self, key: &Key, patch: &Value) -> Result<Arc<Object>, Error> {
        let (api, patch) = (self.api(&key.namespace)?, Patch::Merge(patch));
        let patched = answer(api.patch_status(&key.name, &PatchParams::default(), &patch)).await?;
        Ok(self.learn(patched, false))
    }

    /// Replaces the whole object, under its resourceVersion.
    pub(crate) async fn replace(&self, object: &Object) -> Result<Arc<Object>, Error> {
        let resource = self.resource()?;
        let object = Object {
            api_version: Some(resource.api_version.clone()),
            kind: Some(resource.kind.clone()),
            ..object.clone()
        };
        let api = self.api(object.namespace())?;
        let replaced = answer(api.replace(object.name(), &PostParams::default(), &object)).await?;
        Ok(self.learn(replaced, false))
    }

    /// Reads the object from the server, where the store may be behind.
    pub(crate) async fn read(&self, key: &Key) -> Result<Arc<Object>, Error> {
        let api = self.api(&key.namespace)?;
        let read = answer(api.get(&key.name)).await?;
        Ok(self.learn(read, false))
    }

    /// Deletes exactly this object; one that is gone already is fine.
    pub(crate) async fn delete(&self, object: &Object) -> Result<(), Error> {
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: object.metadata.uid.clone(), resource_version: None }),
            ..DeleteParams::background()
        };
        let api = self.api(object.namespace())?;
        match answer(api.delete(object.name(), &params)).await {
            // An object that stays (finalizers) comes back as itself, one that went as a Status or as itself.
            Ok(either) => {
                match either.left() {
                    Some(rest) if rest.is_terminating() && !rest.is_gone() => {
                        self.learn(rest, false);
                    }
                    _ => self.forget(&object.key(), object.uid()),
                }
                Ok(())
            }
            Err(error) if error.is_not_found() => {
                self.forget(&object.key(), object.uid());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes in the answer to a write of ours.
    fn learn(&self, object: Object, created: bool) -> Arc<Object> {
        let object = Arc::new(object);
        let key = object.key();
        if object.is_gone() {
            self.forget(&key, object.uid());
            return object;
        }
        let mut applying = self.applying.lock();
        if let Some(written) = applying.as_mut() {
            written.insert(key.clone());
        }
        // An answer about an object that the watch saw go must not bring it back.
        let known = self.get(&key).is_some_and(|old| old.uid() == object.uid());
        if created || known {
            self.apply(key, Arc::clone(&object));
        }
        object
    }

    /// Puts the object in, unless the store holds it at least as new. The caller holds `applying`.
    fn apply(&self, key: Key, object: Arc<Object>) {
        let before = {
            let mut objects = self.objects.write();
            if objects.get(&key).is_some_and(|old| old.revision() >= object.revision()) {
                return;
            }
            objects.insert(key.clone(), Arc::clone(&object))
        };
        (self.on_change)(&Change { key: &key, before: before.as_ref(), after: Some(&object) });
    }

    fn forget(&self, key: &Key, uid: &str) {
        let _applying = self.applying.lock();
        self.remove(key, uid);
    }

    /// Takes the object out, if it is this very one. The caller holds `applying`.
    fn remove(&self, key: &Key, uid: &str) {
        let before = {
            let mut objects = self.objects.write();
            if objects.get(key).is_none_or(|old| old.uid() != uid) {
                return;
            }
            objects.remove(key)
        };
        (self.on_change)(&Change { key, before: before.as_ref(), after: None });
    }

    async fn run(self: Arc<Self>) {
        let resource = self.discover().await;
        let api: Api<Object> = Api::all_with(self.client.clone(), &resource);
        let stream = watcher(api, watcher::Config::default());
        pin_mut!(stream);
        let mut listed: Vec<Object> = Vec::new();
        let mut retry = FIRST_WATCH_RETRY;
        while let Some(event) = stream.next().await {
            match event {
                Ok(event) => {
                    retry = FIRST_WATCH_RETRY;
                    self.take_in(event, &mut listed);
                }
                Err(error) => {
                    tracing::debug!(kind = self.kind.kind, %error, "watch failed, will try again");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(LONGEST_WATCH_RETRY);
                }
            }
        }
    }

    fn take_in(&self, event: watcher::Event<Object>, listed: &mut Vec<Object>) {
        match event {
            watcher::Event::Apply(object) => {
                let _applying = self.applying.lock();
                self.apply(object.key(), Arc::new(object));
            }
            watcher::Event::Delete(object) => self.forget(&object.key(), object.uid()),
            watcher::Event::Init => {
                listed.clear();
                *self.applying.lock() = Some(AHashSet::new());
            }
            watcher::Event::InitApply(object) => listed.push(object),
            watcher::Event::InitDone => {
                self.replace_all(std::mem::take(listed));
                self.synced.send_replace(true);
            }
        }
    }

    fn replace_all(&self, listed: Vec<Object>) {
        let mut applying = self.applying.lock();
        let written = applying.take().unwrap_or_default();
        let present: AHashMap<Key, String> = listed.iter().map(|o| (o.key(), o.uid().to_owned())).collect();
        let mut vanished: Vec<_> = self
            .objects
            .read()
            .iter()
            .filter(|(key, object)| present.get(*key).is_none_or(|uid| uid != object.uid()) && !written.contains(*key))
            .map(|(key, object)| (key.clone(), object.uid().to_owned()))
            .collect();
        vanished.sort_unstable();
        for (key, uid) in vanished {
            self.remove(&key, &uid);
        }
        for object in listed {
            self.apply(object.key(), Arc::new(object));
        }
    }

    /// The best version that the server serves; waits until there is one.
    async fn discover(&self) -> ApiResource {
        loop {
            let mut absent = true;
            for version in self.kind.versions {
                let group_version = format!("{}/{version}", self.kind.group);
                match self.client.list_api_group_resources(&group_version).await {
                    Ok(list) if list.resources.iter().any(|r| r.name == self.kind.plural) => {
                        return self.resource.get_or_init(|| self.kind.resource_in(version)).clone();
                    }
                    Ok(_) => {}
                    Err(kube::Error::Api(status)) if status.code == 404 => {}
                    Err(error) => {
                        absent = false;
                        tracing::debug!(group_version, %error, "discovery failed, will try again");
                    }
                }
            }
            // Only a server that said so has none of them: an empty store must not stand for an unread one.
            if absent {
                self.synced.send_replace(true);
            }
            tokio::time::sleep(ABSENT_KIND_RETRY).await;
        }
    }
}
