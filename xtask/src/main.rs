//! Chores of this workspace: `cargo xtask --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{arrows, crds, workspace};

/// Chores of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Write the CustomResourceDefinitions to deploy/crds
    Crds {
        /// Write nothing; fail and name each file that is stale, missing or too many
        #[arg(long)]
        check: bool,
    },
    /// Fail when a crate depends on something that its place in the house forbids
    CheckArrows,
    /// Fail when any generated file differs from what would be generated now
    CheckGenerated,
}

fn main() -> anyhow::Result<ExitCode> {
    let chore = Cli::parse().chore;
    let root = workspace::root()?;
    let crds_folder = root.join(crds::FOLDER);
    let complaints: Vec<String> = match chore {
        Chore::Crds { check: false } => {
            for change in crds::write(&crds_folder, &crds::render()?)? {
                println!("{change}");
            }
            Vec::new()
        }
        Chore::Crds { check: true } | Chore::CheckGenerated => crds::differences(&crds_folder, &crds::render()?)?
            .iter()
            .map(|difference| format!("{}/{difference}; run `cargo xtask crds`", crds::FOLDER))
            .collect(),
        Chore::CheckArrows => arrows::check(arrows::RULES, &arrows::Graph::read(&root, arrows::RULES)?),
    };
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
