//! The program behind `cargo xtask e2e`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use capt_e2e::run;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// CAPT among the real programs around it.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play scenarios and check what becomes of them
    E2e {
        /// Scenarios; all if none is named
        names: Vec<String>,
        #[command(flatten)]
        places: Places,
    },
}

#[derive(clap::Args)]
struct Places {
    /// The workspace
    #[arg(long)]
    root: PathBuf,
    /// The program capt-manager
    #[arg(long)]
    manager: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Two crypto providers could be compiled in by accident; the choice is made here, once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        // What was started is stopped when the play is dropped, so a signal only has to end the waiting for it.
        tokio::select! {
            ended = execute(cli.command) => ended,
            caught = interrupted() => caught,
        }
    });
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::E2e { names, places } => {
            let passed = run::run(&names, &places.root, &places.manager).await?;
            Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

async fn interrupted() -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    eprintln!("interrupted: stopping all that was started");
    Ok(ExitCode::from(130))
}
