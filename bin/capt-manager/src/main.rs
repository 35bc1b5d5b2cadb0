//! The Cluster API infrastructure provider for Tinkerbell: flags, wiring, signals, nothing else.

mod flags;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use capt_kube::serve::{self, health};
use capt_kube::{Clients, Manager};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

use flags::Flags;

fn main() -> ExitCode {
    let flags = Flags::read();
    start_log(flags.v);
    // Two crypto providers could be compiled in by accident; the choice is made here, once.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        error!("TLS was set up twice");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(flags)) {
        Ok(()) => {
            info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!(error = format!("{error:#}"), "failed");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> anyhow::Result<()> {
    info!(version = env!("CARGO_PKG_VERSION"), "starting manager");
    let settings = flags.settings()?;
    let health = serve::bind(&flags.health_addr).await.context("--health-addr")?;
    let clients = Clients::infer(flags.kube_api_max_inflight.max(1)).await?;
    let manager = Arc::new(Manager::new(clients, settings));
    let cancel = CancellationToken::new();
    stop_on_signals(cancel.clone())?;
    let health = async {
        match health {
            Some(listener) => health::serve(listener, checks(manager.clone())).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = manager.run(cancel) => ended,
        () = health => Err(anyhow!("the health endpoint ended")),
    }
}

fn checks(manager: Arc<Manager>) -> health::Checks {
    let stores = health::Check::new("stores", move || manager.stores_are_filled());
    health::Checks { ready: vec![stores], ..health::Checks::default() }
}

/// The first signal asks for a stop, the second one stops.
fn stop_on_signals(cancel: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} };
        next().await;
        info!("stopping; once more to stop at once");
        cancel.cancel();
        next().await;
        std::process::exit(1);
    });
    Ok(())
}

/// JSON lines on standard output.
fn start_log(verbosity: u8) {
    let level = match verbosity {
        0..=3 => "info",
        4..=6 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // The client and what it stands on log bodies of requests and answers at finer levels, and secrets are among them.
    let quiet = ["kube_client=error", "hyper=info", "hyper_util=info", "rustls=info", "tower=info", "h2=info"];
    let filter = quiet.iter().filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive);
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).init();
}
