//! Starting a manager.

use std::path::{Path, PathBuf};

use anyhow::Context;
use real_control_plane::api_server::free_port;
use real_control_plane::build::Programs;
use real_control_plane::control_plane::ControlPlane;
use real_control_plane::process::{Process, Usage, usage};
use tokio::process::Command;

use crate::course::Program;

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
        let health = free_port()?;
        let mut command = Command::new(file);
        command
            .env("KUBECONFIG", plane.kubeconfig(program.name()))
            .env("TMPDIR", folder)
            .env_remove("RUST_LOG")
            .arg(format!("--health-addr=127.0.0.1:{health}"))
            .arg(format!("--metrics-bind-addr=127.0.0.1:{}", free_port()?));
        // Nobody calls the webhooks here, but both programs serve them. The Go one takes the flags and heeds TMPDIR only.
        let pair = plane.authority().serving(&folder.join("k8s-webhook-server/serving-certs"))?;
        command.arg(format!("--webhook-port={}", free_port()?)).arg("--webhook-cert-dir").arg(&pair.folder);
        if program == Program::CaptManager {
            command.args(["--diagnostics-address=0", "--local-diagnostics-address=0"]);
        }
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
