//! capt-manager as an operator runs it: the release binary, under the RBAC that is shipped, with its webhooks
//! registered by Go CAPT's manifests. And Go CAPT itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::managers;
use anyhow::Context;
use kube::Error;
use kube::api::PostParams;
use parking_lot::Mutex;
use real_control_plane::api_server::free_port;
use real_control_plane::manifests::Endpoint;
use real_control_plane::pins;
use real_control_plane::process::Process;
use serde_json::json;

use super::cluster_api::admission;
use super::installed::CAPT_PROVIDER;
use super::objects::until;
use super::{CAPT, GO_CAPT, Stage};
use capt_simulators::kinds::TINKERBELL_MACHINE_TEMPLATE;

/// What the names of CAPT's webhook configurations begin with, whosever they are: the next one replaces them.
const WEBHOOKS: &str = "capt-";
/// Go CAPT v0.7.0 takes the flags for the port and the certificates of its webhooks, and ignores both.
const GO_WEBHOOKS: u16 = 9443;
/// How long the API server may take to call webhooks that were just registered.
const IN_FORCE: Duration = Duration::from_secs(30);

/// Who serves CAPT's webhooks, and where.
#[derive(Default)]
pub(super) struct Webhooks(Mutex<Ports>);

#[derive(Default)]
struct Ports {
    /// The port of each program; one that is started again listens where it did before.
    own: HashMap<String, u16>,
    /// The port that the API server calls.
    registered: Option<u16>,
}

impl Stage {
    /// Starts capt-manager and sends the API server's calls to its webhooks. `name` is that of its process and log.
    ///
    /// # Errors
    /// When it does not start, or its webhooks are not called.
    pub async fn manager(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        self.manager_with(name, &self.plane.kubeconfig(CAPT), arguments).await
    }

    /// The same with another kubeconfig.
    ///
    /// # Errors
    /// When it does not start, or its webhooks are not called.
    pub async fn manager_with(&self, name: &str, kubeconfig: &Path, arguments: &[&str]) -> anyhow::Result<Process> {
        let port = self.webhook_port(name)?;
        let pair = self.plane.authority().serving(&self.folder().join(format!("{name}-webhooks")))?;
        let mut command = managers::capt_manager(&self.paths.manager, kubeconfig, free_port()?, port, &pair.folder)?;
        command.args(arguments);
        let mut process = Process::start(name, command, &self.log(name))?;
        process.until_it_listens(port).await?;
        self.register(port).await?;
        Ok(process)
    }

    /// Starts Go CAPT with its webhooks.
    ///
    /// # Errors
    /// When it does not serve.
    pub async fn go_manager(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let process = self.start_go(name, arguments).await?;
        self.register(GO_WEBHOOKS).await?;
        Ok(process)
    }

    /// Starts Go CAPT where it was installed by its own manifests.
    ///
    /// # Errors
    /// When it does not serve, or is not installed.
    pub async fn installed_go(&self, name: &str) -> anyhow::Result<Process> {
        let process = self.start_go(name, &[]).await?;
        let endpoint = Endpoint { port: GO_WEBHOOKS, authority: self.plane.authority().certificate() };
        self.wire(CAPT_PROVIDER, &endpoint).await?;
        Ok(process)
    }

    async fn start_go(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let temporary: PathBuf = self.folder().join(format!("{name}-tmp"));
        self.plane.authority().serving(&temporary.join(managers::GO_CERTIFICATES))?;
        let mut command = managers::go_capt(
            self.programs.file("go-capt")?,
            &self.plane.kubeconfig(GO_CAPT),
            free_port()?,
            &temporary,
        )?;
        command.args(arguments);
        let mut process = Process::start(name, command, &self.log(name))?;
        process.until_it_listens(GO_WEBHOOKS).await?;
        Ok(process)
    }

    fn webhook_port(&self, name: &str) -> anyhow::Result<u16> {
        let mut ports = self.webhooks.0.lock();
        if let Some(port) = ports.own.get(name) {
            return Ok(*port);
        }
        let port = free_port()?;
        ports.own.insert(name.to_owned(), port);
        Ok(port)
    }

    /// Registers the webhooks at this port as Go CAPT's manifests do, and waits until they are called.
    async fn register(&self, port: u16) -> anyhow::Result<()> {
        if self.webhooks.0.lock().registered == Some(port) {
            return Ok(());
        }
        let endpoint = Endpoint { port, authority: self.plane.authority().certificate() };
        let webhooks = admission(&self.programs.source(&pins::GO_CAPT).await?, &endpoint, WEBHOOKS)?;
        self.kubectl()?.apply(&webhooks).await.context("CAPT's webhooks")?;
        // Something that only a webhook refuses.
        let refused = json!({
            "apiVersion": TINKERBELL_MACHINE_TEMPLATE.api_version(), "kind": TINKERBELL_MACHINE_TEMPLATE.kind,
            "metadata": { "name": "is-it-refused" },
            "spec": { "template": { "spec": { "hardwareName": "any" } } },
        });
        let refused = serde_json::from_value(refused)?;
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        until("CAPT's webhooks are called", IN_FORCE, async || {
            Ok(match self.objects.api(TINKERBELL_MACHINE_TEMPLATE).create(&dry_run, &refused).await {
                Err(Error::Api(status)) if status.code == 422 => Ok(()),
                Err(error) => Err(error.to_string()),
                Ok(_) => Err("they are not".to_owned()),
            })
        })
        .await?;
        self.webhooks.0.lock().registered = Some(port);
        Ok(())
    }
}
