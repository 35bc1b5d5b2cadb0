//! A registry of images and artefacts on loopback, and crane, which serves it and speaks to it.
//!
//! It keeps all in memory and speaks plain HTTP, which clients accept of a registry on loopback (`127.0.0.1:PORT/NAME`).

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use real_control_plane::api_server::free_port;
use real_control_plane::process::Process;
use tokio::process::Command;

use super::Stage;

/// A registry that runs. It ends, with all it holds, when it is dropped.
pub struct Registry {
    process: Process,
    address: String,
    crane: PathBuf,
    home: PathBuf,
}

impl Stage {
    /// Starts a registry. `name` is that of its process and log.
    ///
    /// # Errors
    /// When it does not serve.
    pub async fn registry(&self, name: &str) -> anyhow::Result<Registry> {
        let crane = self.programs.file("crane")?.to_path_buf();
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(&crane);
        command.args(["registry", "serve", "--address", &address]);
        let mut process = Process::start(name, command, &self.log(name))?;
        process.until_it_listens(port).await?;
        Ok(Registry { process, address, crane, home: self.folder().join(format!("{name}-home")) })
    }
}

impl Registry {
    /// Host and port: what stands before the first `/` of a reference.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The reference of a name here, such as `capt:v0.8.0`.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Pushes the one image, index or artefact of an OCI layout under a name; returns its reference by digest.
    ///
    /// # Errors
    /// When the layout names none or several, is not whole, or is refused.
    pub async fn push(&self, layout: &Path, name: &str) -> anyhow::Result<String> {
        let layout = layout.display().to_string();
        let pushed = self.crane(&["push", &layout, &self.reference(name)]).await?;
        Ok(pushed.trim().to_owned())
    }

    /// Runs crane and returns what it prints.
    ///
    /// # Errors
    /// When it fails; the error carries what it said.
    pub async fn crane(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let said = || format!("crane {}", arguments.join(" "));
        let output = Command::new(&self.crane)
            .args(arguments)
            // No credentials of whoever runs this.
            .env("HOME", &self.home)
            .env("DOCKER_CONFIG", &self.home)
            .kill_on_drop(true)
            .output()
            .await
            .with_context(said)?;
        if !output.status.success() {
            bail!("`{}` fails: {}", said(), String::from_utf8_lossy(&output.stderr).trim());
        }
        String::from_utf8(output.stdout).with_context(said)
    }

    /// Fails when it has ended.
    ///
    /// # Errors
    /// When it has ended.
    pub fn must_run(&mut self) -> anyhow::Result<()> {
        self.process.must_run()
    }
}
