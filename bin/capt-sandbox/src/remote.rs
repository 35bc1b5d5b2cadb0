//! Somebody's own control plane: its kubeconfig, our CRDs on it, and its writes as far as watches tell them.
//!
//! A watch tells what became of an object, not who wrote it. That is read off `metadata.managedFields`, where each
//! program's field manager stands with the time of its last write. Events of different kinds are put back into the
//! order of their resourceVersions.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::install::{Installer, crds};
use crate::manifests::BadInput;
use capt_invariants::{Key, Write, text, writer};

/// What the observer and the board look at: group and kind.
const KINDS: [(&str, &str); 6] = [
    ("infrastructure.cluster.x-k8s.io", "TinkerbellMachine"),
    ("tinkerbell.org", "Hardware"),
    ("tinkerbell.org", "Template"),
    ("tinkerbell.org", "Workflow"),
    ("ipam.cluster.x-k8s.io", "IPAddressClaim"),
    ("ipam.cluster.x-k8s.io", "IPAddress"),
];
/// How long an event waits for earlier ones of other kinds, where the server is at hand.
pub const PATIENCE: Duration = Duration::from_millis(500);
/// How long the watches may take until they have listed what there is.
const LISTED: Duration = Duration::from_secs(30);
/// How long new CRDs may take until they are served.
const SERVED: Duration = Duration::from_secs(30);

/// A kubeconfig.
pub(crate) struct Config(kube::Config);

impl Config {
    pub(crate) async fn read(file: &Path) -> Result<Self, BadInput> {
        let bad = |error| BadInput::Kubeconfig { file: file.display().to_string(), error };
        let kubeconfig = Kubeconfig::read_from(file).map_err(bad)?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        config.map(Self).map_err(bad)
    }

    /// A client whose field manager, if a request names none, is `name`.
    pub(crate) fn client(&self, name: &str) -> anyhow::Result<Client> {
        let mut config = self.0.clone();
        config.headers.push((http::header::USER_AGENT, name.parse().context("user agent")?));
        Client::try_from(config).context("the kubeconfig cannot be used")
    }

    pub(crate) fn clients(&self, names: &[&'static str]) -> anyhow::Result<HashMap<&'static str, Client>> {
        names.iter().map(|name| Ok((*name, self.client(name)?))).collect()
    }
}

/// Installs the CRDs that are missing, and waits until all are served.
pub(crate) async fn install_crds(client: &Client) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut installer = Installer::new(client.clone());
    let documents = crds()?;
    for crd in &documents {
        if api.get_opt(&crd.key().name).await.with_context(|| crd.describe())?.is_none() {
            installer.create(crd).await?;
        }
    }
    let begin = Instant::now();
    for crd in &documents {
        let there = api.get(&crd.key().name).await.with_context(|| crd.describe())?;
        for version in there.spec.versions.iter().filter(|version| version.served) {
            let group_version = format!("{}/{}", there.spec.group, version.name);
            // A server needs about a second until it serves a new kind.
            while !is_served(client, &group_version, &there.spec.names.plural).await? {
                if begin.elapsed() > SERVED {
                    bail!("{} is not served after {} s", crd.describe(), SERVED.as_secs());
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    Ok(())
}

async fn is_served(client: &Client, group_version: &str, plural: &str) -> anyhow::Result<bool> {
    match client.list_api_group_resources(group_version).await {
        Ok(listed) => Ok(listed.resources.iter().any(|resource| resource.name == plural)),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 429 | 503) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot find out what {group_version} holds")),
    }
}

/// Watches at work.
pub struct Following(CancellationToken);

impl Following {
    /// Stops them.
    pub fn stop(&self) {
        self.0.cancel();
    }
}

/// What a watch tells.
struct Event {
    at: u64,
    group: &'static str,
    plural: String,
    key: Key,
    /// None once it is gone.
    object: Option<Value>,
}

/// Calls `see` with every write that watches tell, in order; first with every object there is, as if it were created.
/// Returns when that is done. An event waits as long as `patience` for earlier ones of other kinds.
///
/// # Errors
/// When one of the kinds is not served, or not listed in time.
pub async fn follow(
    client: &Client,
    patience: Duration,
    see: impl Fn(&Write<'_>) + Send + 'static,
) -> anyhow::Result<Following> {
    let token = CancellationToken::new();
    let (sender, receiver) = unbounded_channel();
    let (listed, mut unlisted) = tokio::sync::mpsc::channel::<()>(1);
    for (group, kind) in KINDS {
        let served = kube::discovery::group(client, group).await.with_context(|| format!("group {group}"))?;
        let (resource, _) =
            served.recommended_kind(kind).with_context(|| format!("{kind} of {group} is not served"))?;
        let watch = watch(client.clone(), resource, group, sender.clone(), listed.clone());
        tokio::spawn(token.clone().run_until_cancelled_owned(watch));
    }
    let order = tell_in_order(receiver, patience, see);
    tokio::spawn(token.clone().run_until_cancelled_owned(order));
    // Closed when every watch has listed what there is; that has to be told, too.
    drop(listed);
    if tokio::time::timeout(LISTED, unlisted.recv()).await.is_err() {
        token.cancel();
        bail!("the control plane does not list what we want to watch");
    }
    tokio::time::sleep(patience * 2).await;
    Ok(Following(token))
}

async fn watch(
    client: Client,
    resource: ApiResource,
    group: &'static str,
    sender: UnboundedSender<Event>,
    listed_once: Sender<()>,
) {
    let mut listed_once = Some(listed_once);
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let mut known: HashSet<Key> = HashSet::new();
    let mut listed: HashSet<Key> = HashSet::new();
    let mut newest = 0;
    let mut send = |object: &DynamicObject, gone: bool| {
        let key = Key::new(
            object.metadata.namespace.clone().unwrap_or_default(),
            object.metadata.name.clone().unwrap_or_default(),
        );
        let at = object.metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(newest);
        newest = newest.max(at);
        let object = if gone { None } else { serde_json::to_value(object).ok() };
        // Nobody listens any more once everything stops.
        let _ = sender.send(Event { at, group, plural: resource.plural.clone(), key: key.clone(), object });
        (key, newest)
    };
    let events = watcher(api, watcher::Config::default());
    futures::pin_mut!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(object)) => {
                let (key, _) = send(&object, false);
                listed.insert(key);
            }
            Ok(watcher::Event::InitDone) => {
                for key in known.difference(&listed) {
                    let mut gone = DynamicObject::new(&key.name, &resource);
                    gone.metadata.namespace = Some(key.namespace.clone());
                    send(&gone, true);
                }
                known = std::mem::take(&mut listed);
                drop(listed_once.take());
            }
            Ok(watcher::Event::Apply(object)) => {
                let (key, _) = send(&object, false);
                known.insert(key);
            }
            Ok(watcher::Event::Delete(object)) => {
                let (key, _) = send(&object, true);
                known.remove(&key);
            }
            // The watcher tries again by itself.
            Err(error) => {
                tracing::warn!(%error, kind = resource.kind, "watch");
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

async fn tell_in_order(mut receiver: UnboundedReceiver<Event>, patience: Duration, see: impl Fn(&Write<'_>)) {
    let mut waiting: BTreeMap<(u64, u64), (Instant, Event)> = BTreeMap::new();
    let mut seen: HashMap<(&'static str, String, Key), Value> = HashMap::new();
    let mut number = 0;
    loop {
        let oldest = waiting.values().next().map(|(arrived, _)| *arrived + patience);
        tokio::select! {
            event = receiver.recv() => {
                let Some(event) = event else { return };
                number += 1;
                waiting.insert((event.at, number), (Instant::now(), event));
            }
            () = sleep_until(oldest) => {
                if let Some((_, (_, event))) = waiting.pop_first() {
                    tell(event, &mut seen, &see);
                }
            }
        }
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

fn tell(event: Event, seen: &mut HashMap<(&'static str, String, Key), Value>, see: &impl Fn(&Write<'_>)) {
    let Event { at, group, plural, key, object } = event;
    let place = (group, plural.clone(), key.clone());
    let old = seen.remove(&place);
    let version = |object: &Value| text(object, "/metadata/resourceVersion").to_owned();
    if old.as_ref().map(version).is_some_and(|before| object.as_ref().map(version) == Some(before)) {
        // A list tells again what is known.
        seen.extend(old.map(|old| (place, old)));
        return;
    }
    if old.is_none() && object.is_none() {
        return;
    }
    let user = object.as_ref().map(|new| writer(old.as_ref(), new)).unwrap_or_default();
    let verb = match (&old, &object) {
        (None, _) => "create",
        (_, None) => "delete",
        _ => "update",
    };
    see(&Write {
        sequence: at,
        user: &user,
        verb,
        group,
        resource: &plural,
        namespace: &key.namespace,
        name: &key.name,
        old: old.as_ref(),
        new: object.as_ref(),
    });
    seen.extend(object.map(|object| (place, object)));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn events_of_different_kinds_are_told_in_the_order_of_their_versions() {
        let (sender, receiver) = unbounded_channel();
        let told = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
        let sink = told.clone();
        tokio::spawn(tell_in_order(receiver, PATIENCE, move |write| {
            sink.lock().push((write.sequence, write.verb.to_owned()))
        }));
        let event = |at: u64, name: &str, there: bool| Event {
            at,
            group: "g",
            plural: "p".to_owned(),
            key: Key::new("", name),
            object: there.then(|| json!({"metadata": {"resourceVersion": at.to_string()}})),
        };
        for e in [event(3, "a", true), event(2, "b", true), event(2, "b", true), event(5, "a", false)] {
            sender.send(e).map_err(|_| ()).unwrap();
        }
        tokio::time::sleep(PATIENCE * 3).await;
        let expected = [(2, "create"), (3, "create"), (5, "delete")].map(|(at, verb)| (at, verb.to_owned()));
        assert_eq!(*told.lock(), expected);
    }
}
