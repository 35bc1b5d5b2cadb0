//! The program behind `cargo xtask e2e`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use capt_e2e::{run, versions};
use clap::Parser;
use real_control_plane::process::interrupted;
use real_control_plane::sets::{NEWEST, SETS, Set};

/// CAPT among the real programs around it: plays scenarios and checks what becomes of them.
#[derive(Parser)]
struct Cli {
    /// Scenarios; all that belong to the set if none is named
    names: Vec<String>,
    /// Which versions of the neighbours, by the minor version of Cluster API: 1.14, 1.13 or 1.12
    #[arg(long, default_value = NEWEST.name, value_parser = set_of)]
    set: &'static Set,
    /// Play nothing; write the tested versions into docs/compatibility.md
    #[arg(long)]
    write_versions: bool,
    /// The workspace
    #[arg(long)]
    root: PathBuf,
    /// The program capt-manager
    #[arg(long)]
    manager: PathBuf,
    /// The OCI layout of its image, if it was built
    #[arg(long)]
    image: Option<PathBuf>,
}

fn set_of(name: &str) -> anyhow::Result<&'static Set> {
    let set = SETS.into_iter().find(|set| set.name == name);
    set.with_context(|| format!("there are {}", SETS.map(|set| set.name).join(", ")))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.write_versions {
        return match versions::write(&cli.root) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
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
            passed = run::run(&cli.names, cli.set, &cli.root, &cli.manager, cli.image.as_deref()) => {
                passed.map(|passed| if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            caught = interrupted() => caught.map(|()| {
                eprintln!("interrupted: stopping all that was started");
                ExitCode::from(130)
            }),
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
