//! The embedded control plane: the API server in memory with every CRD, the simulators, and the manager, each started
//! and stopped on its own.

use anyhow::Context;
use capt_kube::{Manager, Settings};
use capt_simulators::bmc::{self, PowerStates};
use capt_simulators::ipam::{self, Family};
use capt_simulators::{Running, Simulators};
use kube::Client;
use memory_apiserver::MemoryApiServer;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::install::crds;
use capt_invariants::Observer;

/// Who the manager is to the server, and its field manager.
pub const MANAGER: &str = "capt-manager";

/// The webhooks of an installation.
const WEBHOOKS: &str = include_str!("../../../deploy/webhook/configurations.yaml");

/// The embedded control plane.
pub struct ControlPlane {
    server: MemoryApiServer,
    power: PowerStates,
    simulators: Option<Running>,
    manager: Option<Working>,
}

/// A manager at work.
struct Working {
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl ControlPlane {
    /// A server that knows every kind, and nothing else that runs.
    ///
    /// # Errors
    /// When the server refuses a CRD.
    pub fn new() -> anyhow::Result<Self> {
        let server = MemoryApiServer::builder().managed_fields(false).journal(0).build();
        for crd in crds()? {
            let text = serde_json::to_string(&crd.object).with_context(|| crd.describe())?;
            server.apply_manifest(&text).with_context(|| crd.describe())?;
        }
        // The product's own webhooks, as `deploy` registers them.
        server.serve_webhooks("capt-system", "capt-webhook-service", |path, body| {
            let answer = capt_reconciler::admission::answer(path, body);
            (answer.http, answer.body)
        });
        server.apply_manifest(WEBHOOKS).context("the configurations of the webhooks")?;
        Ok(Self::on(server))
    }

    /// That server, as it is.
    pub fn on(server: MemoryApiServer) -> Self {
        Self { server, power: PowerStates::default(), simulators: None, manager: None }
    }

    /// The server.
    pub fn server(&self) -> &MemoryApiServer {
        &self.server
    }

    /// The power of the servers.
    pub fn power(&self) -> &PowerStates {
        &self.power
    }

    /// A client that is this user.
    pub fn client(&self, user: &str) -> Client {
        self.server.client(user)
    }

    /// An observer of the manager that sees everything from now on.
    pub fn observe(&self) -> Observer {
        let observer = Observer::new(MANAGER);
        observer.attach(&self.server.journal(), &self.power);
        observer
    }

    /// Starts the simulators, with such a rufio. Must be called inside a tokio runtime.
    pub fn start_simulators(&mut self, rufio: bmc::Options) {
        let server = self.server.clone();
        self.simulators = Some(start_simulators(move |user| server.client(user), &self.power, rufio));
    }

    /// The simulators, while they run.
    pub fn simulators(&self) -> Option<&Running> {
        self.simulators.as_ref()
    }

    /// Starts the manager. Must be called inside a tokio runtime.
    pub fn start_manager(&mut self, settings: Settings) {
        let cancel = CancellationToken::new();
        let manager = Manager::new(self.server.client(MANAGER), settings);
        let task = tokio::spawn({
            let cancel = cancel.clone();
            async move { manager.run(cancel).await }
        });
        self.manager = Some(Working { cancel, task });
    }

    /// Whether the manager was started and has ended by itself.
    pub fn manager_has_ended(&self) -> bool {
        self.manager.as_ref().is_some_and(|manager| manager.task.is_finished())
    }

    /// Stops the manager, and lets its work under way come to its end.
    ///
    /// # Errors
    /// What the manager ended with.
    pub async fn stop_manager(&mut self) -> anyhow::Result<()> {
        let Some(manager) = self.manager.take() else {
            return Ok(());
        };
        manager.cancel.cancel();
        manager.task.await.context("the manager")?
    }

    /// Stops everything.
    ///
    /// # Errors
    /// What the manager ended with.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let ended = self.stop_manager().await;
        if let Some(simulators) = self.simulators.take() {
            simulators.stop().await;
        }
        ended
    }
}

/// Starts the simulators on clients of any server, with IPAM providers of both families.
pub fn start_simulators(clients: impl Fn(&str) -> Client, power: &PowerStates, rufio: bmc::Options) -> Running {
    let providers = [Family::InCluster, Family::Metal3].map(ipam::Options::of);
    Simulators::builder(clients).ipam(providers).bmc(rufio).power(power.clone()).start()
}
