//! Starts a program in an unpacked image, as a container runtime would. The process stays the same, so signals reach the program.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use std::os::unix::process::CommandExt as _;
    use std::path::PathBuf;

    use anyhow::Context as _;
    use capt_e2e::container::{Container, leave_mounts};
    use clap::Parser;

    /// Starts a program in an unpacked image
    #[derive(Parser)]
    struct Cli {
        /// The unpacked image; without one it is only tried whether containers can be made here
        #[arg(long)]
        root: Option<PathBuf>,
        /// As whom the program runs
        #[arg(long, default_value_t = 65532)]
        user: u32,
        /// What is mounted read-only: the path inside, `=`, the folder
        #[arg(long = "mount")]
        mounts: Vec<String>,
        /// The program and its arguments
        #[arg(last = true)]
        command: Vec<String>,
    }

    let cli = Cli::parse();
    let entered = leave_mounts().and_then(|()| {
        let Some(root) = cli.root else { return Ok(None) };
        let mounts = cli.mounts.iter().map(|mount| {
            let (inside, here) = mount.split_once('=').with_context(|| format!("{mount} has no ="))?;
            Ok((inside.into(), here.into()))
        });
        let mounts = mounts.collect::<anyhow::Result<Vec<_>>>()?;
        Container { root, user: cli.user, mounts }.enter()?;
        let (program, arguments) = cli.command.split_first().context("no program")?;
        Ok(Some(std::process::Command::new(program).args(arguments).exec()))
    });
    match entered {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(error)) => {
            eprintln!("error: it does not start: {error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: containers are Linux's");
    ExitCode::FAILURE
}
