//! The Cluster API infrastructure provider for Tinkerbell: flags, wiring, signals, nothing else.

mod flags;
mod log;
mod telling;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use capt_kube::certificates::Certificates;
use capt_kube::external::kubeconfig;
use capt_kube::http;
use capt_kube::serve::health;
use capt_kube::webhook::Server;
use capt_kube::{Clients, Manager};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use flags::Flags;
use telling::Listeners;

/// Memory that a burst of work took goes back to the system; how soon is set in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let flags = Flags::read();
    let log = log::start(flags.klog.level());
    // Two crypto providers could be compiled in by accident; the choice is made here, once.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        error!("unable to start manager: a TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "unable to start manager");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(flags, log)) {
        Ok(()) => {
            info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!(error = format!("{error:#}"), "problem running manager");
            ExitCode::FAILURE
        }
    }
}

/// Clients of the cluster we work on, and of the one where Tinkerbell is.
async fn clients(flags: &Flags) -> anyhow::Result<Clients> {
    let max_writes = flags.kube_api_max_inflight;
    let external = kubeconfig::read(&flags.external_kubeconfig).await.context("--external-kubeconfig")?;
    let clients = Clients::infer(max_writes).await?;
    match external {
        // The error may quote the file.
        Some(config) => clients
            .with_external_config(config, max_writes)
            .map_err(|_| anyhow!("--external-kubeconfig: its certificates or credentials cannot be used")),
        None => Ok(clients),
    }
}

async fn run(flags: Flags, log: log::Filter) -> anyhow::Result<()> {
    info!(version = env!("CARGO_PKG_VERSION"), "starting manager");
    for variable in Flags::placeholders() {
        warn!(variable, "environment variable holds an unsubstituted placeholder, treated as unset");
    }
    for gate in flags.feature_gates.unknown() {
        info!(gate, "unknown feature gate, ignored");
    }
    let settings = flags.settings()?;
    let health = http::bind(&flags.health_addr).await.context("--health-addr")?;
    let listeners = Listeners::bind(&flags.addresses).await?;
    let webhooks = listen_for_webhooks(&flags).await?;
    let clients = clients(&flags).await?;
    let manager = Arc::new(Manager::new(clients, settings));
    let cancel = CancellationToken::new();
    stop_on_signals(cancel.clone())?;
    let checks = checks(manager.clone(), webhooks.as_ref());
    let (serves_webhooks, certificates) = (webhooks.is_some(), webhooks.as_ref().map(Server::certificates));
    // The work under way writes objects that the webhooks are asked about, so they end after it.
    let stop_webhooks = CancellationToken::new();
    let webhooks = async {
        match webhooks {
            Some(server) => server.run(stop_webhooks.clone(), manager.metrics().webhook.clone()).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(webhooks);
    let health = async {
        match health {
            Some(listener) => health::serve(listener, checks).await,
            None => std::future::pending().await,
        }
    };
    let telling = listeners.serve(&manager, Arc::new(log), certificates);
    let ended = tokio::select! {
        ended = manager.run(cancel) => ended,
        ended = &mut webhooks => Err(ended.err().unwrap_or_else(|| anyhow!("the webhook server ended"))),
        ended = telling => Err(ended.err().unwrap_or_else(|| anyhow!("the metrics or diagnostics endpoint ended"))),
        () = health => Err(anyhow!("the health endpoint ended")),
    };
    stop_webhooks.cancel();
    if serves_webhooks && ended.is_ok() {
        webhooks.await?;
    }
    ended
}

async fn listen_for_webhooks(flags: &Flags) -> anyhow::Result<Option<Server>> {
    let certificates = Certificates::new(&flags.webhook_cert_dir);
    Server::bind(&flags.webhook_address(), certificates).await.context("--webhook-port")
}

/// Ready with all stores filled and webhooks answered; healthy with webhooks answered, as the Go manager.
fn checks(manager: Arc<Manager>, webhooks: Option<&Server>) -> health::Checks {
    let stores = health::Check::new("stores", move || manager.stores_are_filled());
    let webhook = || webhooks.map(Server::check);
    health::Checks {
        ready: std::iter::once(stores).chain(webhook()).collect(),
        health: webhook().into_iter().collect(),
    }
}

/// The first signal asks for a stop, the second one stops.
fn stop_on_signals(cancel: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} };
        next().await;
        info!("received a signal, stopping; a second one stops at once");
        cancel.cancel();
        next().await;
        std::process::exit(1);
    });
    Ok(())
}
