//! The server itself and how one is built.

use crate::access::{Access, Question};
use crate::api::admission::Services;
use crate::builtin;
use crate::clock::Clock;
use crate::control::{self, Pace, Work};
use crate::faults::{FaultTable, Faults};
use crate::http::Serving;
use crate::identity::Identities;
use crate::journal::{Journal, Log, RequestLog};
use crate::manifest::ManifestError;
use crate::service::Service;
use crate::store::{Registry, State};
use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a server is built with.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) garbage_collection: bool,
    pub(crate) managed_fields: bool,
    pub(crate) crd_delay: Duration,
    pub(crate) collector_delay: Duration,
    pub(crate) namespaces_delay: Duration,
}

/// All of a server.
pub(crate) struct Inner {
    pub(crate) clock: Clock,
    pub(crate) identities: Identities,
    pub(crate) config: Config,
    pub(crate) state: Mutex<State>,
    pub(crate) faults: FaultTable,
    pub(crate) pace: Pace,
    pub(crate) requests: RequestLog,
    pub(crate) access: Access,
    pub(crate) webhooks: Services,
    registry: RwLock<Arc<Registry>>,
    work: Mutex<Option<UnboundedReceiver<Work>>>,
    started: AtomicBool,
}

impl Inner {
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.registry.read().clone()
    }

    /// Lets the controllers be as late as the server was built with.
    pub(crate) fn keep_pace(&self) {
        self.pace.set_garbage_collector(self.config.collector_delay);
        self.pace.set_namespace_controller(self.config.namespaces_delay);
    }

    /// Must follow every change of the kinds, under the same lock.
    pub(crate) fn rebuild_registry(&self, state: &State) {
        *self.registry.write() = Arc::new(Registry::of(state));
    }

    /// Starts the controllers, once, if there is a runtime to run them.
    pub(crate) fn start_controllers(self: &Arc<Self>) {
        if self.started.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if let Some(work) = self.work.lock().take() {
            runtime.spawn(control::run(Arc::downgrade(self), work));
        }
        self.started.store(true, Ordering::Relaxed);
    }
}

/// Builds a [`MemoryApiServer`].
#[derive(Debug, Clone)]
pub struct Builder {
    config: Config,
    history: usize,
    journal: usize,
    start_time: Option<Timestamp>,
    seed: Option<u64>,
}

impl Builder {
    /// Whether objects whose owners are gone are deleted, and deletion in the foreground and orphaning work. On by
    /// default.
    pub fn garbage_collection(mut self, on: bool) -> Self {
        self.config.garbage_collection = on;
        self
    }

    /// Whether `metadata.managedFields` records every write. On by default, as on a real server. Off, it is kept only
    /// for objects somebody has used server-side apply on, which saves time and memory.
    pub fn managed_fields(mut self, on: bool) -> Self {
        self.config.managed_fields = on;
        self
    }

    /// How many changes are remembered for watches that resume; 10,000 by default.
    pub fn history(mut self, events: usize) -> Self {
        self.history = events;
        self
    }

    /// How many writes [`Journal::records`] keeps; 50,000 by default. Counts, callbacks and streams miss none.
    pub fn journal(mut self, records: usize) -> Self {
        self.journal = records;
        self
    }

    /// The server's time at its start; the wall clock's by default. It moves on with tokio's clock.
    pub fn start_time(mut self, time: Timestamp) -> Self {
        self.start_time = Some(time);
        self
    }

    /// UIDs and generated names follow from this number, and so are the same in every run; by chance without.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How long a new CRD's kind answers 404 before it is served. Zero by default; a real server needs about a second.
    pub fn crd_delay(mut self, delay: Duration) -> Self {
        self.config.crd_delay = delay;
        self
    }

    /// How long after a change the garbage collector takes it up; zero by default. A real one needs from less than a second
    /// to minutes, and until then owners are gone and what they owned is still there.
    pub fn garbage_collector_delay(mut self, delay: Duration) -> Self {
        self.config.collector_delay = delay;
        self
    }

    /// How long after a change the controllers that empty Namespaces and CRDs take it up; zero by default. The real one for
    /// Namespaces looks again only after seconds while something is left.
    pub fn namespace_controller_delay(mut self, delay: Duration) -> Self {
        self.config.namespaces_delay = delay;
        self
    }

    /// Builds the server.
    pub fn build(self) -> MemoryApiServer {
        let (sender, receiver) = unbounded_channel();
        let state = State::new(builtin::kinds(), self.history, Log::keeping(self.journal), sender);
        let inner = Arc::new(Inner {
            clock: Clock::starting_at(self.start_time.unwrap_or_else(Timestamp::now)),
            identities: Identities::seeded(self.seed),
            config: self.config,
            registry: RwLock::new(Arc::new(Registry::of(&state))),
            state: Mutex::new(state),
            faults: FaultTable::default(),
            pace: Pace::default(),
            requests: RequestLog::default(),
            access: Access::default(),
            webhooks: Services::default(),
            work: Mutex::new(Some(receiver)),
            started: AtomicBool::new(false),
        });
        inner.keep_pace();
        inner.start_controllers();
        for name in builtin::NAMESPACES {
            let yaml = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n");
            if let Err(error) = inner.apply_manifest(&yaml) {
                tracing::error!(%error, "could not create a namespace");
            }
        }
        MemoryApiServer { inner }
    }
}

/// A Kubernetes API server in this process. Cheap to clone: clones are the same server.
#[derive(Clone)]
pub struct MemoryApiServer {
    inner: Arc<Inner>,
}

impl Default for MemoryApiServer {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryApiServer {
    /// A server to be configured.
    pub fn builder() -> Builder {
        Builder {
            config: Config {
                garbage_collection: true,
                managed_fields: true,
                crd_delay: Duration::ZERO,
                collector_delay: Duration::ZERO,
                namespaces_delay: Duration::ZERO,
            },
            history: 10_000,
            journal: 50_000,
            start_time: None,
            seed: None,
        }
    }

    /// A server with all defaults. Its controllers (garbage collection, namespaces) start at once inside a tokio runtime,
    /// else with the first request.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A client without a socket, whose requests are those of `user`, in namespace `default`. Must be called inside a
    /// tokio runtime.
    pub fn client(&self, user: &str) -> kube::Client {
        kube::Client::new(self.service(user), "default")
    }

    /// The `tower` service behind [`client`](Self::client), for stacks with layers of their own.
    pub fn service(&self, user: &str) -> Service {
        Service { inner: self.inner.clone(), user: user.into() }
    }

    /// Serves HTTP/1.1 on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn serve(&self) -> std::io::Result<Serving> {
        Serving::start(self.inner.clone()).await
    }

    /// Creates the objects of a YAML manifest of one or more documents, CRDs included; what exists is merged into.
    /// Recorded as the user `manifest`.
    ///
    /// # Errors
    /// At the first document that is no object, is of an unknown kind, or is refused. What came before it stays.
    pub fn apply_manifest(&self, yaml: &str) -> Result<(), ManifestError> {
        self.inner.apply_manifest(yaml)
    }

    /// Creates an object of any kind, CRDs included, or merges it into the one that exists, as
    /// [`apply_manifest`](Self::apply_manifest) does for a YAML text.
    ///
    /// # Errors
    /// When it is no object, is of an unknown kind, or is refused.
    pub fn apply_object(&self, object: serde_json::Value) -> Result<(), ManifestError> {
        self.inner.apply_object(object)
    }

    /// Lets SubjectAccessReviews be answered by this function; by default they all say yes. Requests to the server itself are
    /// always allowed.
    pub fn answer_access_reviews(&self, allows: impl Fn(&Question<'_>) -> bool + Send + Sync + 'static) {
        self.inner.access.answer_by(allows);
    }

    /// Plays the Service `name` in `namespace` for admission webhooks: whoever is named there by a
    /// `ValidatingWebhookConfiguration` or `MutatingWebhookConfiguration` is called with the path of the webhook and an
    /// `AdmissionReview` as JSON, and answers with a status code and a review. It is called in the middle of a write, outside of
    /// any lock.
    pub fn serve_webhooks(
        &self,
        namespace: &str,
        name: &str,
        handler: impl Fn(&str, &[u8]) -> (u16, Vec<u8>) + Send + Sync + 'static,
    ) {
        self.inner.webhooks.play((namespace, name), handler);
    }

    /// Makes things go wrong.
    pub fn faults(&self) -> Faults {
        Faults { inner: self.inner.clone() }
    }

    /// Tells what was asked and written.
    pub fn journal(&self) -> Journal {
        Journal { inner: self.inner.clone() }
    }

    /// An object straight from the store, at its storage version and without managedFields. Not counted as a request.
    pub fn get(&self, group: &str, resource: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Value>> {
        let id = self.inner.registry().find_any(group, resource)?.id;
        let state = self.inner.state.lock();
        state.get(id, &crate::store::key_of(namespace, name)).map(|object| object.value.clone())
    }

    /// All objects of a resource, in all namespaces, straight from the store.
    pub fn list(&self, group: &str, resource: &str) -> Vec<Arc<Value>> {
        let Some(id) = self.inner.registry().find_any(group, resource).map(|route| route.id) else { return Vec::new() };
        let state = self.inner.state.lock();
        let objects = state.resources.get(&id).map(|r| r.objects.values().map(|o| o.value.clone()).collect());
        objects.unwrap_or_default()
    }

    /// The newest resourceVersion.
    pub fn resource_version(&self) -> u64 {
        self.inner.state.lock().rv
    }

    /// Number of watches that are open.
    pub fn open_watches(&self) -> usize {
        self.inner.state.lock().open_watches()
    }

    /// The server's time.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }
}
