//! kubectl, and clusterctl, as an operator runs them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use real_control_plane::build::Programs;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// kubectl with a kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubectl: PathBuf,
    clusterctl: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

impl Kubectl {
    /// kubectl with this kubeconfig; `home` takes its caches.
    ///
    /// # Errors
    /// When it was not built.
    pub fn new(programs: &Programs, kubeconfig: PathBuf, home: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            kubectl: programs.file("kubectl")?.to_path_buf(),
            clusterctl: programs.file("clusterctl")?.to_path_buf(),
            kubeconfig,
            home: home.join("home"),
        })
    }

    /// Runs kubectl and returns what it prints.
    ///
    /// # Errors
    /// When it fails; the error carries what it said.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.execute(&self.kubectl, arguments, None).await
    }

    /// Runs clusterctl and returns what it prints.
    ///
    /// # Errors
    /// When it fails; the error carries what it said.
    pub async fn clusterctl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.execute(&self.clusterctl, arguments, None).await
    }

    /// Applies objects on the server's side.
    ///
    /// # Errors
    /// When one of them is refused.
    pub async fn apply(&self, objects: &[Value]) -> anyhow::Result<()> {
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        let arguments = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        self.execute(&self.kubectl, &arguments, Some(list)).await.map(drop)
    }

    /// Puts objects in the place of those of their names.
    ///
    /// # Errors
    /// When one of them is refused.
    pub async fn replace(&self, objects: &[Value]) -> anyhow::Result<()> {
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        self.execute(&self.kubectl, &["replace", "-f", "-"], Some(list)).await.map(drop)
    }

    async fn execute(&self, program: &Path, arguments: &[&str], input: Option<String>) -> anyhow::Result<String> {
        let said = || arguments.join(" ");
        let mut child = Command::new(program)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", &self.home)
            // clusterctl asks GitHub for newer versions of itself otherwise.
            .env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(said)?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            stdin.write_all(input.as_bytes()).await.with_context(said)?;
        }
        let output = child.wait_with_output().await.with_context(said)?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            bail!("`{}` fails: {}", said(), err.trim());
        }
        Ok(out.into_owned())
    }
}
