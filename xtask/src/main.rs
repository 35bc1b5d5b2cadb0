//! Chores of this workspace: `cargo xtask --help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::dist::Platform;
use xtask::generated::{Files, Folder};
use xtask::image::containerfile;
use xtask::{
    arrows, bench, check_model, crds, dist, e2e, fuzz, image, manifests, public_api, references, release, simulate,
    workspace,
};

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
    /// Write everything that installs the manager to deploy
    Manifests {
        /// Write nothing; fail and name each file that is stale, missing or too many
        #[arg(long)]
        check: bool,
    },
    /// Write the public surface of the crates that others import to public-api.txt beside each of them
    PublicApi {
        /// Write nothing; fail and show each line that changed
        #[arg(long)]
        check: bool,
    },
    /// Write everything that a release publishes to out/release, and what the Cluster API operator fetches to out/capt-manifests
    Release,
    /// Write the manager's image as an OCI layout; no container engine is needed
    Image(Image),
    /// Fail when a crate depends on something that its place forbids, modules use each other in a circle, or a comment or
    /// document cites what is not there
    CheckArrows,
    /// Fail when any generated file differs from what would be generated now
    CheckGenerated,
    /// Build capt-manager as one static program (needs the musl toolchain) and check its size
    Dist,
    /// Play scenarios on a real control plane (needs Go; without it they are skipped)
    #[command(disable_help_flag = true)]
    E2e {
        /// What capt-e2e takes: names of scenarios, --set 1.12; --help tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Play whole worlds from seeds, with faults, crashes and persons, and check the rules at every write
    #[command(disable_help_flag = true)]
    Simulate {
        /// What capt-simulate takes, such as --seeds 10000; --help tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Fuzz what reads bytes of others (needs cargo-fuzz; without it, it is skipped)
    Fuzz {
        /// Which targets; all if none is named
        names: Vec<String>,
        /// How long each of them, in seconds
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Try every order of events in small worlds and check the rules of the manager in each state
    #[command(disable_help_flag = true)]
    CheckModel {
        /// What capt-model takes, such as --depth N or --faults; --help tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure the manager beside Go CAPT on a real control plane (needs Go; without it, it is skipped)
    #[command(disable_help_flag = true)]
    Bench {
        /// What capt-bench takes, such as --quick; --help tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(clap::Args)]
struct Image {
    /// The folder of the layout
    #[arg(long, default_value = image::FOLDER)]
    out: PathBuf,
    /// For which platforms, such as linux/amd64,linux/arm64; all that can be built here if none is named
    #[arg(long, value_delimiter = ',')]
    platform: Vec<Platform>,
    /// The profile that the program is built with; only `dist` is published
    #[arg(long, default_value = dist::PROFILE)]
    profile: String,
    /// The commit, where the folder does not tell
    #[arg(long)]
    revision: Option<String>,
    /// Make it a second time and fail when a byte differs
    #[arg(long)]
    check: bool,
    /// Write the files of this machine's image to a folder, and no layout: for deploy/Containerfile
    #[arg(long)]
    tree: Option<PathBuf>,
}

impl Image {
    fn make(self, root: &Path) -> anyhow::Result<()> {
        let here = self.tree.is_some().then(Platform::here).flatten();
        let platforms = here.map_or(self.platform, |here| vec![here]);
        let order = image::Order { platforms, profile: self.profile, revision: self.revision };
        let parts = image::parts(root, &order, |line| eprintln!("image: {line}"))?;
        if let Some(tree) = self.tree {
            return parts.tree(&tree);
        }
        let out = root.join(self.out);
        let layout = image::write(&parts, &out)?;
        if self.check {
            image::again(&parts, &out)?;
        }
        for (platform, content) in &parts.contents {
            println!("{platform}: the program has {} bytes", content.program.len());
        }
        println!("{}: {}", out.display(), layout.digest);
        Ok(())
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let chore = Cli::parse().chore;
    let root = workspace::root()?;
    let complaints: Vec<String> = match chore {
        Chore::Crds { check } => generate(&root, crds::FOLDER, &crds::render()?, check)?,
        Chore::Manifests { check } => generate_all(&root, check)?,
        Chore::CheckGenerated => generate_all(&root, true)?,
        Chore::PublicApi { check } => public_api::listings(&root, check)?,
        Chore::Release => {
            for folder in release::write(&root)? {
                println!("{}", folder.display());
            }
            Vec::new()
        }
        Chore::Dist => {
            println!("{}", dist::program(&root)?);
            Vec::new()
        }
        Chore::Image(image) => {
            image.make(&root)?;
            Vec::new()
        }
        Chore::E2e { arguments } => {
            e2e::hand_over(&root, &arguments)?;
            Vec::new()
        }
        Chore::CheckModel { arguments } => {
            check_model::hand_over(&root, &arguments)?;
            Vec::new()
        }
        Chore::Bench { arguments } => {
            bench::hand_over(&root, &arguments)?;
            Vec::new()
        }
        Chore::Simulate { arguments } => {
            simulate::hand_over(&root, &arguments)?;
            Vec::new()
        }
        Chore::Fuzz { names, seconds } => {
            fuzz::run(&root, &names, seconds)?;
            Vec::new()
        }
        Chore::CheckArrows => {
            let crates = arrows::check(arrows::RULES, &arrows::Graph::read(&root, arrows::RULES)?);
            [crates, arrows::modules::check(&root)?, references::check(&root)?].concat()
        }
    };
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Brings all of `deploy` up to date, or only complains of what is not.
fn generate_all(root: &Path, check: bool) -> anyhow::Result<Vec<String>> {
    Ok([
        generate(root, crds::FOLDER, &crds::render()?, check)?,
        generate(root, manifests::FOLDER, &manifests::render()?, check)?,
        containerfile::FOLDER.bring(root, containerfile::FILE, &containerfile::render(), check)?,
    ]
    .concat())
}

/// Brings a folder up to date, or only complains of what is not.
fn generate(root: &Path, folder: Folder, wanted: &Files, check: bool) -> anyhow::Result<Vec<String>> {
    if check {
        return folder.complaints(root, wanted);
    }
    for change in folder.write(&root.join(folder.path), wanted)? {
        println!("{change}");
    }
    Ok(Vec::new())
}
