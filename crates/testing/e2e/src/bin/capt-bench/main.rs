//! CAPT's managers, in Rust and in Go, measured beside each other on one real API server.

mod audit;
mod baseline;
mod comparison;
mod flags;
mod fleet;
mod idle;
mod objects;
mod output;
mod program;
mod results;
mod run;
mod stage;
mod targets;
mod watch;
mod workload;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser;
use real_control_plane::process::interrupted;

use flags::Flags;

/// The stand-ins of hundreds of servers must not slow down what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let flags = Flags::parse();
    // Two crypto providers could be compiled in by accident; the choice is made here, once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let compared = runtime.block_on(async {
        tokio::select! {
            compared = comparison::compare(&flags) => compared,
            // What was started ends when it is dropped.
            caught = interrupted() => Err(caught.err().unwrap_or_else(|| anyhow!("interrupted: stopping all that was started"))),
        }
    });
    match compared {
        Ok(comparison::Outcome::Done { missed: 0 } | comparison::Outcome::NoGo) => ExitCode::SUCCESS,
        Ok(comparison::Outcome::Done { .. }) if flags.strict => ExitCode::FAILURE,
        Ok(comparison::Outcome::Done { .. }) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
