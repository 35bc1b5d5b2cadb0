//! The watches on the other cluster: Hardware everywhere, Workflows and Jobs in namespaces that matter.

use std::sync::Arc;

use capt_api::conditions::{HARDWARE_RESERVED, Reason};
use capt_api::meta::ObjectKey;
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::infra::TinkerbellMachine;
use capt_reconciler::observed::tinkerbell::{Hardware, Workflow};
use capt_reconciler::ports::Presence;
use kube::runtime::watcher::Event;
use kube::{Api, Client};
use tokio::sync::{oneshot, watch};

use crate::cache::{Cache, Cached};
use crate::decode::Guarded;
use crate::watch::{Found, Lookup, Name, Pauses, Relisting, Sink, await_served, pump, watch_kind};

/// Watches the Workflows and Jobs of one namespace; see [`Start`](super::namespaces::Start).
pub async fn watch_namespace(
    client: Client,
    cache: Arc<Cache>,
    namespace: String,
    ready: oneshot::Sender<()>,
) -> String {
    cache.kinds.jobs.until(|presence| presence != Presence::Syncing).await;
    let has_jobs = cache.kinds.jobs.state().presence == Presence::Ready;
    let workflows = Namespaced::<Workflow>::new(&client, &cache, &namespace);
    let jobs = Namespaced::<Job>::new(&client, &cache, &namespace);
    let (mut of_workflows, mut of_jobs) = (workflows.state.subscribe(), jobs.state.subscribe());
    let told = async {
        let read = |state: &Reading| *state == Reading::Complete;
        // The senders live as long as we do.
        let _ = of_workflows.wait_for(read).await;
        if has_jobs {
            let _ = of_jobs.wait_for(read).await;
        }
        let _ = ready.send(());
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        why = workflows.follow() => why,
        why = jobs.follow(), if has_jobs => why,
        () = told => String::new(),
    }
}

/// Watches all Hardware of the other cluster. Without the right to watch it, it is listed while a machine waits for some.
pub async fn watch_hardware(client: Client, cache: Arc<Cache>) {
    let waits = {
        let cache = cache.clone();
        move || cache.kinds.tinkerbell_machines.store.any(waits_for_hardware)
    };
    let api = {
        let client = client.clone();
        move |_: &Found| Some(((), Api::all(client.clone())))
    };
    watch_kind::<Hardware, Cache>(client, lookup::<Hardware>(), cache, Some(Relisting::new(waits)), api).await;
}

/// Whether a machine says that it waits for Hardware, or for an address that Hardware has.
fn waits_for_hardware(machine: &TinkerbellMachine) -> bool {
    let conditions = machine.status.iter().flat_map(|status| &status.conditions);
    conditions.filter(|condition| condition.status == "False").any(|condition| {
        condition.type_ == HARDWARE_RESERVED || Reason::parse(&condition.reason) == Some(Reason::AddressDuplicate)
    })
}

fn lookup<K: Cached<DynamicType = ()>>() -> Lookup {
    Lookup {
        group: K::group(&()).into_owned(),
        name: Name::Plural(K::plural(&()).into_owned()),
        versions: vec![K::version(&()).into_owned()],
    }
}

/// Finds out for ever whether the other cluster serves Jobs. Without them servers are released without a look at their
/// power, so that this must be known even where no namespace can be watched. `appeared` is called when they are served
/// after they were not.
pub async fn watch_for_jobs(client: Client, cache: Arc<Cache>, appeared: impl Fn()) {
    let lookup = lookup::<Job>();
    let mut served_before = false;
    loop {
        await_served(&client, &lookup, served_before, || Sink::<Job>::absent(&*cache)).await;
        served_before = true;
        let was_absent = cache.kinds.jobs.state().presence == Presence::Absent;
        cache.mark_ready::<Job>();
        if was_absent {
            appeared();
        }
        cache.kinds.jobs.verify.notified().await;
    }
}

/// How far the first reading of a namespace has got.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reading {
    UnderWay,
    Failed(String),
    Complete,
}

/// The objects of one kind in one namespace.
struct Namespaced<K: Cached> {
    api: Api<Guarded<K>>,
    cache: Arc<Cache>,
    namespace: String,
    state: watch::Sender<Reading>,
}

impl<K: Cached> Namespaced<K> {
    fn new(client: &Client, cache: &Arc<Cache>, namespace: &str) -> Self {
        let api = Api::namespaced_with(client.clone(), namespace, &K::DynamicType::default());
        let (cache, namespace) = (cache.clone(), namespace.to_owned());
        Self { api, cache, namespace, state: watch::Sender::new(Reading::UnderWay) }
    }

    /// Feeds the store for ever. Ends with the first failure before all objects were read, or when the kind is served no
    /// longer.
    async fn follow(&self) -> String {
        let kind = format!("{} in namespace {}", K::plural(&K::DynamicType::default()), self.namespace);
        let mut state = self.state.subscribe();
        let mut backoff = Pauses::default();
        tokio::select! {
            biased;
            () = pump(self.api.clone(), &kind, self, &mut backoff, None) => {
                K::kind_cache(&self.cache).verify.notify_one();
                format!("{kind}: the server does not serve them any more")
            }
            state = state.wait_for(|state| matches!(state, Reading::Failed(_))) => match state.as_deref() {
                Ok(Reading::Failed(why)) => why.clone(),
                _ => String::new(),
            },
        }
    }
}

impl<K: Cached> Sink<K> for Namespaced<K> {
    fn event(&self, event: Event<Guarded<K>>) -> Vec<ObjectKey> {
        let complete = matches!(event, Event::InitDone);
        let doubtful = self.cache.take_in(event, Some(&self.namespace));
        if complete {
            self.state.send_replace(Reading::Complete);
        }
        doubtful
    }

    fn failed(&self, why: &str) {
        self.state.send_if_modified(|state| {
            let first = *state == Reading::UnderWay;
            if first {
                *state = Reading::Failed(why.to_owned());
            }
            first
        });
    }

    fn resolved(&self, key: &ObjectKey, uid: &str, now: Option<Guarded<K>>) {
        self.cache.resolved(key, uid, now);
    }

    fn uid(&self, key: &ObjectKey) -> Option<String> {
        K::kind_cache(&self.cache).store.uid(key)
    }

    fn served(&self, _: K::DynamicType) {}

    fn absent(&self) {}
}
