//! The sandbox's program: flags in, exit status out.

use std::process::ExitCode;
use std::time::Duration;

use capt_kube::quiet::is_enabled;
use capt_sandbox::flags::Flags;
use capt_sandbox::manifests::BadInput;
use clap::Parser;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A server, its clients and all their copies of objects in one process: a third of the time went into malloc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let flags = Flags::parse();
    start_log();
    // Two crypto providers could be compiled in by accident; the choice is made here, once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let played = runtime.block_on(async {
        // A busy machine delays signs of life by a few seconds at most.
        capt_sandbox::watchdog::watch(Duration::from_secs(1), Duration::from_secs(60), || {
            eprintln!("error: the program itself hangs; please report this");
            std::process::exit(1);
        });
        capt_sandbox::run::run(flags).await
    });
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<BadInput>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// On standard error, and only where somebody asked for it.
fn start_log() {
    if std::env::var_os("RUST_LOG").is_none() {
        return;
    }
    // Whatever is asked for: with --kubeconfig there are real Secrets about.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let filter = EnvFilter::from_default_env().and(filter_fn(is_enabled));
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
}
