//! Starting a manager.

use std::path::{Path, PathBuf};

use anyhow::Context;
use capt_e2e::managers;
use real_control_plane::api_server::free_port;
use real_control_plane::build::Programs;
use real_control_plane::control_plane::ControlPlane;
use real_control_plane::process::{Process, Usage, usage};

use crate::workload::Program;

/// Where the managers' files are.
pub struct Files {
    /// Ours.
    pub capt_manager: PathBuf,
    /// The Go programs.
    pub go: Programs,
}

/// A manager at work.
pub struct Manager {
    /// Its process.
    pub process: Process,
}

impl Manager {
    /// Starts a manager with ports of its own and a log in `folder`; returns when it listens.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(program: Program, files: &Files, plane: &ControlPlane, folder: &Path) -> anyhow::Result<Self> {
        let file = match program {
            Program::CaptManager => files.capt_manager.as_path(),
            Program::GoCapt => files.go.file(program.name())?,
        };
        // Nobody calls the webhooks here, but both programs serve them.
        let (health, webhooks) = (free_port()?, free_port()?);
        let pair = plane.authority().serving(&folder.join(managers::GO_CERTIFICATES))?;
        let kubeconfig = plane.kubeconfig(program.name());
        let command = match program {
            Program::CaptManager => managers::capt_manager(file, &kubeconfig, health, webhooks, &pair.folder)?,
            Program::GoCapt => {
                let mut command = managers::go_capt(file, &kubeconfig, health, folder)?;
                command.arg(format!("--webhook-port={webhooks}"));
                command
            }
        };
        let log = folder.join(format!("{}.log", program.name()));
        let mut manager = Self { process: Process::start(program.name(), command, &log)? };
        manager.process.until_it_listens(health).await?;
        Ok(manager)
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn usage(&mut self) -> anyhow::Result<Usage> {
        self.process.must_run()?;
        usage(self.process.id().context("it has ended")?)
    }
}
