//! capt-manager as an operator runs it: the release binary, under the RBAC that is shipped.

use anyhow::Context;
use real_control_plane::api_server::free_port;
use real_control_plane::manifests::Endpoint;
use real_control_plane::pins::{self, Pin};
use real_control_plane::process::Process;
use tokio::process::Command;

use super::cluster_api::admission;
use super::{CAPT, GO_CAPT, Stage};

/// What the names of CAPT's webhook configurations begin with, whosever they are: the next one replaces them.
const WEBHOOKS: &str = "capt-";
/// Go CAPT v0.7.0 takes the flags for the port and the certificates of its webhooks, and ignores both.
const GO_WEBHOOKS: u16 = 9443;

impl Stage {
    /// Starts capt-manager. `name` is that of its process and log.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn manager(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let mut command = Command::new(&self.paths.manager);
        command
            .env("KUBECONFIG", self.plane.kubeconfig(CAPT))
            .env_remove("RUST_LOG")
            .arg(format!("--health-addr=127.0.0.1:{}", free_port()?))
            .arg(format!("--metrics-bind-addr=127.0.0.1:{}", free_port()?))
            .arg("--webhook-port=0")
            .arg("--diagnostics-address=0")
            .args(arguments);
        Process::start(name, command, &self.log(name))
    }

    /// Starts capt-manager with its webhooks, and registers them as the manifests of `module` do.
    ///
    /// # Errors
    /// When it does not serve.
    pub async fn manager_with_webhooks(&self, name: &str, arguments: &[&str], module: &Pin) -> anyhow::Result<Process> {
        let endpoint = self.endpoint()?;
        let pair = self.plane.authority().serving(&self.folder().join(format!("{name}-webhooks")))?;
        let port = format!("--webhook-port={}", endpoint.port);
        let certificates = format!("--webhook-cert-dir={}", pair.folder.display());
        let all: Vec<&str> =
            [port.as_str(), certificates.as_str()].into_iter().chain(arguments.iter().copied()).collect();
        let mut process = self.manager(name, &all).await?;
        process.until_it_listens(endpoint.port).await?;
        let webhooks = admission(&self.programs.source(module).await?, &endpoint, WEBHOOKS)?;
        self.kubectl()?.apply(&webhooks).await.context("CAPT's webhooks")?;
        Ok(process)
    }

    /// Starts Go CAPT with its webhooks.
    ///
    /// # Errors
    /// When it does not serve.
    pub async fn go_manager(&self, name: &str) -> anyhow::Result<Process> {
        let endpoint = Endpoint { port: GO_WEBHOOKS, ..self.endpoint()? };
        let temporary = self.folder().join(format!("{name}-tmp"));
        self.plane.authority().serving(&temporary.join("k8s-webhook-server/serving-certs"))?;
        let mut command = Command::new(self.programs.file("go-capt")?);
        command
            .env("KUBECONFIG", self.plane.kubeconfig(GO_CAPT))
            .env("TMPDIR", &temporary)
            .arg(format!("--health-addr=127.0.0.1:{}", free_port()?))
            .arg(format!("--metrics-bind-addr=127.0.0.1:{}", free_port()?));
        let mut process = Process::start(name, command, &self.log(name))?;
        process.until_it_listens(endpoint.port).await?;
        let webhooks = admission(&self.programs.source(&pins::GO_CAPT).await?, &endpoint, WEBHOOKS)?;
        self.kubectl()?.apply(&webhooks).await.context("Go CAPT's webhooks")?;
        Ok(process)
    }
}
