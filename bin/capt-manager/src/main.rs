//! The Cluster API infrastructure provider for Tinkerbell: flags, wiring, signals, nothing else.

use std::process::ExitCode;

use anyhow::Context;
use capt_kube::{Clients, Manager, Settings};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

/// The Cluster API infrastructure provider for Tinkerbell.
///
/// It works on the cluster that KUBECONFIG names, else on the one it runs in, else on the one of ~/.kube/config.
/// RUST_LOG sets the log's filter in detail.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    /// Look at this namespace only.
    #[arg(long, env = "NAMESPACE")]
    namespace: Option<String>,

    /// How many TinkerbellMachines are worked on at once.
    #[arg(long, env = "TINKERBELLMACHINE_CONCURRENCY", default_value_t = Settings::default().machine_workers)]
    tinkerbellmachine_concurrency: usize,

    /// How many TinkerbellClusters are worked on at once.
    #[arg(long, env = "TINKERBELLCLUSTER_CONCURRENCY", default_value_t = Settings::default().cluster_workers)]
    tinkerbellcluster_concurrency: usize,

    /// How many writes are under way at once.
    #[arg(long, default_value_t = capt_kube::client::MAX_WRITES)]
    kube_api_max_inflight: usize,

    /// Address at which machines reach Tinkerbell's metadata service.
    #[arg(long, env = "TINKERBELL_IP", default_value = "")]
    tinkerbell_ip: String,

    /// Verbosity of the log: 0 tells what is done, 4 and more also why.
    #[arg(short, long, env = "V", default_value_t = 0)]
    v: u8,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
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
    let clients = Clients::infer(flags.kube_api_max_inflight.max(1)).await?;
    let mut settings = Settings {
        namespace: flags.namespace.filter(|namespace| !namespace.is_empty()),
        machine_workers: flags.tinkerbellmachine_concurrency,
        cluster_workers: flags.tinkerbellcluster_concurrency,
        ..Settings::default()
    };
    settings.reconciler.tinkerbell_ip = flags.tinkerbell_ip;
    let cancel = CancellationToken::new();
    stop_on_signals(cancel.clone())?;
    Manager::new(clients, settings).run(cancel).await
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
