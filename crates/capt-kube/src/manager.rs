//! The manager: watches, queues and reconcilers, wired.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, anyhow};
use capt_reconciler::cluster::ClusterReconciler;
use capt_reconciler::machine::MachineReconciler;
use capt_reconciler::observed::cluster_api::Pool;
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Template, Workflow};
use capt_reconciler::ports::Presence;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use crate::api::KubeWriter;
use crate::cache::{Cache, Cached, Home, KindCache, Need, PoolKind, Selected, Version, Visitor, WatchFilter};
use crate::client::Clients;
use crate::clock::TokioClock;
use crate::controller;
use crate::decode::Guarded;
use crate::events::{self, Events, Outbox};
use crate::external::namespaces::{Namespaces, Start};
use crate::external::watches;
use crate::lease::{Candidate, Election, LeaderState};
use crate::metrics::{self, Metrics, Registry};
use crate::ports::Ports;
use crate::resync::resync;
use crate::snapshot::{self, Snapshot, Source};
use crate::watch::{Found, Lookup, Name, watch_kind};

/// How long the work under way may go on after the manager was told to stop. With [`RELEASE`], [`FLUSH`] and the second
/// that the webhook server takes, the process is gone within 10 s.
pub const DRAIN: Duration = Duration::from_secs(6);
/// How long the lead may take to be handed back. If it takes longer, the Lease expires.
pub const RELEASE: Duration = Duration::from_secs(2);
/// How long events may take that still wait to be sent when all work has ended.
pub const FLUSH: Duration = Duration::from_secs(1);
/// How long the start waits to learn whether optional kinds are served.
const OPTIONAL_KINDS: Duration = Duration::from_secs(10);

/// How often every machine and cluster is worked on even if nothing changed, unless the settings say otherwise.
pub const SYNC_PERIOD: Duration = Duration::from_secs(600);

/// Settings of the manager.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Look at this namespace only; at all without.
    pub namespace: Option<String>,
    /// Work only on Cluster API objects whose label `cluster.x-k8s.io/watch-filter` has this value; on all without.
    pub watch_filter: WatchFilter,
    /// How often every machine and cluster is worked on even if nothing changed; never if zero.
    pub sync_period: Duration,
    /// How many machines are worked on at once.
    pub machine_workers: usize,
    /// How many clusters are worked on at once.
    pub cluster_workers: usize,
    /// Work only while leading, so that one of several replicas works; at once without.
    pub election: Option<Election>,
    /// What time it is; the wall clock tells without.
    pub clock: Option<TokioClock>,
    /// What the reconcilers want to know.
    pub reconciler: capt_reconciler::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: None,
            watch_filter: WatchFilter::default(),
            sync_period: SYNC_PERIOD,
            machine_workers: 10,
            cluster_workers: 10,
            election: None,
            clock: None,
            reconciler: capt_reconciler::Settings::default(),
        }
    }
}

/// The manager.
pub struct Manager {
    clients: Clients,
    /// The namespaces watched in another cluster, if Tinkerbell is there.
    namespaces: Option<Arc<Namespaces>>,
    settings: Settings,
    cache: Arc<Cache>,
    ports: Ports,
    events: Events,
    outbox: Mutex<Option<Outbox>>,
    clock: TokioClock,
    standing: Arc<OnceLock<watch::Receiver<LeaderState>>>,
    metrics: Metrics,
}

impl Manager {
    /// A manager that has not begun. Needs a tokio runtime.
    pub fn new(clients: impl Into<Clients>, mut settings: Settings) -> Self {
        let clients = clients.into();
        let metrics = Metrics { requests: clients.requests.clone(), ..Metrics::default() };
        let cache = Arc::new(Cache::counted(&metrics).filtered(settings.watch_filter.clone()));
        let (events, outbox) = Events::new();
        let clock = settings.clock.unwrap_or_default();
        let tinkerbell = clients.of_tinkerbell();
        let writer = KubeWriter::new(clients.writes.clone(), cache.clone()).with_tinkerbell(tinkerbell.writes.clone());
        let mut ports = Ports::new(cache.clone(), writer, events.clone(), clock);
        let namespaces = clients.external.as_ref().map(|external| namespaces(&external.watches, &cache));
        if let Some(namespaces) = &namespaces {
            ports = ports.with_external(namespaces.clone());
            settings.reconciler.external_tinkerbell = true;
        }
        let (outbox, standing) = (Mutex::new(Some(outbox)), Arc::new(OnceLock::new()));
        Self { clients, namespaces, settings, cache, ports, events, outbox, clock, standing, metrics }
    }

    /// A client of the cluster we work on, for questions that are no part of the work.
    pub fn client(&self) -> Client {
        self.clients.writes.clone()
    }

    /// The ports that the reconcilers work through.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// What goes on, for diagnostics.
    pub fn snapshot(&self) -> Snapshot {
        self.source().read()
    }

    fn source(&self) -> Source {
        Source {
            cache: self.cache.clone(),
            events: self.events.clone(),
            standing: self.standing.clone(),
            lease: self.settings.election.as_ref().map(|election| election.name.clone()),
        }
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// All metrics of the manager and its process, to be served.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        self.metrics.register(&mut registry);
        registry.register_collector(Box::new(snapshot::State::new(self.source())));
        registry.register_collector(Box::new(metrics::Process));
        registry
    }

    /// Whether all objects of the kinds that we cannot do without are in memory.
    pub fn stores_are_filled(&self) -> bool {
        let mut filled = Filled(true);
        self.cache.kinds.visit(&mut filled);
        filled.0
    }

    /// Waits until all objects of the kinds that we cannot do without are in memory, and until it is known of the
    /// others whether they are served.
    pub async fn synced(&self) {
        let mut waits = Waits::default();
        self.cache.kinds.visit(&mut waits);
        join_all(waits.required).await;
        // They may be slow or forbidden; the reconcilers know how to do without an answer.
        let _ = tokio::time::timeout(OPTIONAL_KINDS, join_all(waits.optional)).await;
    }

    /// Runs until cancelled, then lets the work under way come to its end and hands the lead back. Can be run once.
    ///
    /// # Errors
    /// When a part of it dies, the lead is lost, or the work under way does not end within [`DRAIN`].
    pub async fn run(&self, cancel: CancellationToken) -> anyhow::Result<()> {
        let outbox = self.outbox.lock().take().context("the manager ran already")?;
        let publish = events::publish(self.clients.writes.clone(), outbox, self.clock);
        let mut publisher = AbortOnDropHandle::new(tokio::spawn(publish));
        let ended = tokio::select! {
            biased;
            ended = self.watch_and_work(&cancel) => ended,
            _ = &mut publisher => return Err(anyhow!("the events' task ended")),
        };
        // The work that was just done has its events still waiting.
        self.events.close();
        let _ = tokio::time::timeout(FLUSH, publisher).await;
        ended
    }

    async fn watch_and_work(&self, cancel: &CancellationToken) -> anyhow::Result<()> {
        let mut watches = JoinSet::new();
        self.start_watches(&mut watches)?;
        info!("waiting for caches to sync");
        tokio::select! {
            biased;
            () = self.synced() => {}
            () = cancel.cancelled() => return Ok(()),
            _ = watches.join_next() => return Err(anyhow!("a watch ended")),
        }
        info!("caches synced, ready");
        match self.settings.election.clone() {
            None => self.work(&mut watches, cancel).await.0,
            Some(election) => self.work_while_leading(election, &mut watches, cancel).await,
        }
    }

    /// Stands by until we lead, with the stores kept up to date and nothing written; then works.
    async fn work_while_leading(
        &self,
        election: Election,
        watches: &mut JoinSet<()>,
        cancel: &CancellationToken,
    ) -> anyhow::Result<()> {
        // The watches' client has no limit: a renewal waits behind no write.
        let mut candidate = Candidate::start(self.clients.watches.clone(), election, self.clock)?;
        let mut standing = candidate.standing();
        self.standing.get_or_init(|| standing.clone());
        let stand_by_and_work = async {
            tokio::select! {
                biased;
                _ = standing.wait_for(|standing| standing.leading) => {}
                () = cancel.cancelled() => return (Ok(()), Drained(true)),
                _ = watches.join_next() => return (Err(anyhow!("a watch ended")), Drained(true)),
            }
            self.work(watches, cancel).await
        };
        let (ended, drained) = tokio::select! {
            biased;
            // The work is dropped where it stands: there is no time to end it before another replica may begin.
            lost = candidate.lost() => return Err(lost.into()),
            ended = stand_by_and_work => ended,
        };
        if drained.0 {
            let _ = tokio::time::timeout(RELEASE, candidate.release()).await;
        }
        ended
    }

    async fn work(&self, watches: &mut JoinSet<()>, cancel: &CancellationToken) -> (anyhow::Result<()>, Drained) {
        let wake = self.cache.wake.clone();
        let machines = MachineReconciler::new(self.ports.clone(), self.settings.reconciler.clone());
        let machines = Arc::new(Selected::<_, TinkerbellMachine>::new(machines, self.cache.clone()));
        let clusters = ClusterReconciler::new(self.ports.clone());
        let clusters = Arc::new(Selected::<_, TinkerbellCluster>::new(clusters, self.cache.clone()));
        let mut workers = JoinSet::new();
        let Settings { machine_workers, cluster_workers, .. } = self.settings;
        workers.spawn(controller::run(|wake| &wake.machines, wake.clone(), machines, machine_workers));
        workers.spawn(controller::run(|wake| &wake.clusters, wake.clone(), clusters, cluster_workers));

        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => Ok(()),
            () = resync(&self.cache, self.settings.sync_period) => Err(anyhow!("the resync ended")),
            _ = watches.join_next() => Err(anyhow!("a watch ended")),
            Some(ended) = workers.join_next() => {
                Err(ended.map_err(anyhow::Error::from).and_then(|ended| ended).err()
                    .unwrap_or_else(|| anyhow!("a controller ended")))
            }
        };
        wake.machines.queue.close();
        wake.clusters.queue.close();
        let drained = tokio::time::timeout(DRAIN, async { while workers.join_next().await.is_some() {} }).await;
        if let Some(namespaces) = &self.namespaces {
            namespaces.stop_all();
        }
        match drained {
            Ok(()) => (ended, Drained(true)),
            Err(_) => {
                let late = || Err(anyhow!("work was still under way after {} s", DRAIN.as_secs()));
                (ended.and_then(|()| late()), Drained(false))
            }
        }
    }

    fn start_watches(&self, tasks: &mut JoinSet<()>) -> anyhow::Result<()> {
        self.cache.kinds.visit(&mut Watches { manager: self, tasks });
        if let Some(namespaces) = &self.namespaces {
            self.watch_external(tasks, namespaces.clone());
        }
        let pools = self.cache.pools.to_watch().context("the manager ran already")?;
        tasks.spawn(watch_pools(self.clients.watches.clone(), pools, self.settings.namespace.clone()));
        Ok(())
    }

    /// Hardware is watched everywhere, Workflows and Jobs in the namespaces that matter, Templates not at all.
    fn watch_external(&self, tasks: &mut JoinSet<()>, namespaces: Arc<Namespaces>) {
        let (client, cache) = (self.clients.of_tinkerbell().watches.clone(), self.cache.clone());
        // What is not read in advance need not be waited for.
        cache.mark_ready::<Template>();
        cache.mark_ready::<Workflow>();
        tasks.spawn(watches::watch_hardware(client.clone(), cache.clone()));
        // From when on there are Jobs, they are watched along with the Workflows.
        tasks.spawn(watches::watch_for_jobs(client, cache, move || namespaces.stop_all()));
    }

    fn watch<K: Cached>(&self, tasks: &mut JoinSet<()>) {
        let any = K::DynamicType::default();
        let versions = K::DynamicType::all::<K>();
        let lookup = Lookup {
            group: K::group(&any).into_owned(),
            name: Name::Plural(K::plural(&any).into_owned()),
            versions: versions.iter().map(|(name, _)| name.clone()).collect(),
        };
        let (client, namespace) = (self.clients.watches.clone(), self.settings.namespace.clone());
        let api = {
            let client = client.clone();
            move |found: &Found| {
                let (_, version) = versions.iter().find(|(name, _)| *name == found.resource.version)?;
                let api: Api<Guarded<K>> = match &namespace {
                    Some(namespace) => Api::namespaced_with(client.clone(), namespace, version),
                    None => Api::all_with(client.clone(), version),
                };
                Some((*version, api))
            }
        };
        tasks.spawn(watch_kind::<K, Cache>(client, lookup, self.cache.clone(), None, api));
    }
}

/// The namespaces of another cluster; those that wait for something in one are woken when its watch ends.
fn namespaces(client: &Client, cache: &Arc<Cache>) -> Arc<Namespaces> {
    let start: Start = {
        let (client, cache) = (client.clone(), cache.clone());
        Box::new(move |namespace, ready| {
            watches::watch_namespace(client.clone(), cache.clone(), namespace, ready).boxed()
        })
    };
    let cache = cache.clone();
    Namespaces::new(start, move || {
        cache.kinds.tinkerbell_machines.store.keys().iter().for_each(|key| cache.wake.machines.wake(key));
    })
}

/// Whether no work is under way any more. If it is not known, nobody may begin before the Lease expires.
struct Drained(bool);

/// Whether all objects of the kinds that we cannot do without are in memory.
struct Filled(bool);

impl<'a> Visitor<'a> for Filled {
    fn kind<K: Cached>(&mut self, kind_cache: &'a KindCache<K>) {
        self.0 &= K::NEED == Need::Optional || kind_cache.state().presence == Presence::Ready;
    }
}

/// What the start waits for.
#[derive(Default)]
struct Waits<'a> {
    required: Vec<BoxFuture<'a, ()>>,
    optional: Vec<BoxFuture<'a, ()>>,
}

impl<'a> Visitor<'a> for Waits<'a> {
    fn kind<K: Cached>(&mut self, kind_cache: &'a KindCache<K>) {
        match K::NEED {
            Need::Required => self.required.push(kind_cache.until(|presence| presence == Presence::Ready).boxed()),
            Need::Optional => self.optional.push(kind_cache.until(|presence| presence != Presence::Syncing).boxed()),
        }
    }
}

/// Starts the watch of each kind that is watched from the start on.
struct Watches<'m> {
    manager: &'m Manager,
    tasks: &'m mut JoinSet<()>,
}

impl<'a> Visitor<'a> for Watches<'_> {
    fn kind<K: Cached>(&mut self, _: &'a KindCache<K>) {
        if K::HOME == Home::Management || self.manager.namespaces.is_none() {
            self.manager.watch::<K>(self.tasks);
        }
    }
}

/// Watches every kind of pool that somebody names.
async fn watch_pools(
    client: Client,
    mut named: tokio::sync::mpsc::UnboundedReceiver<Arc<PoolKind>>,
    namespace: Option<String>,
) {
    let mut tasks = JoinSet::new();
    loop {
        let kind = tokio::select! {
            biased;
            Some(kind) = named.recv() => kind,
            // None of them ends by itself.
            Some(_) = tasks.join_next() => return,
            else => return,
        };
        let lookup =
            Lookup { group: kind.group.to_string(), name: Name::Kind(kind.kind.to_string()), versions: Vec::new() };
        let api = {
            let (client, namespace) = (client.clone(), namespace.clone());
            move |found: &Found| {
                let api: Api<Guarded<Pool>> = match &namespace {
                    Some(namespace) if found.namespaced => {
                        Api::namespaced_with(client.clone(), namespace, &found.resource)
                    }
                    _ => Api::all_with(client.clone(), &found.resource),
                };
                Some((found.resource.clone(), api))
            }
        };
        tasks.spawn(watch_kind::<Pool, _>(client.clone(), lookup, kind, None, api));
    }
}
