//! The race of CAPT's managers, in Rust and in Go, on one real API server.

mod audit;
mod course;
mod flags;
mod fleet;
mod floor;
mod idle;
mod objects;
mod output;
mod program;
mod race;
mod results;
mod run;
mod stage;
mod targets;
mod watch;

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
    let raced = runtime.block_on(async {
        tokio::select! {
            raced = race::race(&flags) => raced,
            // What was started ends when it is dropped.
            caught = interrupted() => Err(caught.err().unwrap_or_else(|| anyhow!("interrupted: stopping all that was started"))),
        }
    });
    match raced {
        Ok(race::Outcome::Done { missed: 0 } | race::Outcome::NoGo) => ExitCode::SUCCESS,
        Ok(race::Outcome::Done { .. }) if flags.strict => ExitCode::FAILURE,
        Ok(race::Outcome::Done { .. }) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
