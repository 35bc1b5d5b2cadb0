//! Cluster API's managers and the in-cluster IPAM provider, with the manifests of their own modules.

use std::path::Path;

use anyhow::Context;
use real_control_plane::api_server::free_port;
use real_control_plane::manifests::{Endpoint, convert_by, label, prefix_name, read_file, read_folder, serve_by};
use real_control_plane::process::Process;
use real_control_plane::sets::Set;
use serde_json::Value;
use tokio::process::Command;

use super::{CLUSTER_API, IPAM_PROVIDER, Stage, contract};

/// A manager of Cluster API.
pub(super) struct Manager {
    /// Its program.
    pub program: &'static str,
    /// Its folder in the module.
    pub folder: &'static str,
    /// Its provider label.
    pub provider: &'static str,
}

/// The managers of a set.
pub(super) fn managers(set: &Set) -> [Manager; 3] {
    [
        Manager { program: "cluster-api-core", folder: set.core, provider: "cluster-api" },
        Manager { program: "kubeadm-bootstrap", folder: "bootstrap/kubeadm", provider: "bootstrap-kubeadm" },
        Manager { program: "kubeadm-control-plane", folder: "controlplane/kubeadm", provider: "control-plane-kubeadm" },
    ]
}

/// A pool travels with `clusterctl move`, and what hangs below it too.
fn pool_definition(definition: Value) -> Value {
    let mut definition = contract(definition, "ipam-in-cluster");
    label(&mut definition, &[("clusterctl.cluster.x-k8s.io/move-hierarchy", "")]);
    definition
}

impl Stage {
    /// The definitions of Cluster API and of the in-cluster provider, without conversion.
    pub(super) async fn cluster_api_definitions(&self) -> anyhow::Result<Vec<Value>> {
        let module = self.programs.source(&self.set.cluster_api).await?;
        let mut definitions = Vec::new();
        for Manager { folder, provider, .. } in managers(self.set) {
            let found = read_folder(&module.join(folder).join("config/crd/bases"))?;
            definitions.extend(found.into_iter().map(|definition| contract(definition, provider)));
        }
        definitions.extend(self.pool_definitions().await?);
        Ok(definitions)
    }

    /// The definitions of the in-cluster provider, without conversion.
    pub(super) async fn pool_definitions(&self) -> anyhow::Result<Vec<Value>> {
        let module = self.programs.source(&self.set.ipam).await?;
        let found = read_folder(&module.join("config/crd/bases"))?;
        Ok(found.into_iter().map(pool_definition).collect())
    }

    /// Starts Cluster API's three managers and registers their webhooks, admission and conversion.
    ///
    /// # Errors
    /// When one of them does not serve.
    pub async fn cluster_api(&self) -> anyhow::Result<Vec<Process>> {
        self.cluster_api_with(false).await
    }

    /// Starts Cluster API's three managers; what clusterctl installed of them names Services, and is sent to them.
    ///
    /// # Errors
    /// When one of them does not serve.
    pub async fn installed_cluster_api(&self) -> anyhow::Result<Vec<Process>> {
        self.cluster_api_with(true).await
    }

    async fn cluster_api_with(&self, is_installed: bool) -> anyhow::Result<Vec<Process>> {
        let module = self.programs.source(&self.set.cluster_api).await?;
        let mut running = Vec::new();
        let mut webhooks = Vec::new();
        for Manager { program, folder, provider } in managers(self.set) {
            let endpoint = self.endpoint()?;
            let pair = self.plane.authority().serving(&self.folder().join(program))?;
            let (health, diagnostics) = (free_port()?, free_port()?);
            let mut command = Command::new(self.programs.file(program)?);
            command
                .env("KUBECONFIG", self.plane.kubeconfig(CLUSTER_API))
                .args(["--leader-elect=false", "--insecure-diagnostics=true"])
                .arg(format!("--webhook-port={}", endpoint.port))
                .arg(format!("--webhook-cert-dir={}", pair.folder.display()))
                .arg(format!("--health-addr=127.0.0.1:{health}"))
                .arg(format!("--diagnostics-address=127.0.0.1:{diagnostics}"));
            let mut process = Process::start(program, command, &self.log(program))?;
            process.until_it_listens(endpoint.port).await?;
            running.push(process);
            if is_installed {
                self.wire(provider, &endpoint).await?;
                continue;
            }
            for mut definition in read_folder(&module.join(folder).join("config/crd/bases"))? {
                convert_by(&mut definition, &endpoint);
                webhooks.push(contract(definition, provider));
            }
            webhooks.extend(admission(&module.join(folder), &endpoint, &format!("{program}-"))?);
        }
        if !webhooks.is_empty() {
            self.kubectl()?.apply(&webhooks).await.context("webhooks of Cluster API")?;
        }
        Ok(running)
    }

    /// Starts the in-cluster IPAM provider and registers its webhooks.
    ///
    /// # Errors
    /// When it does not serve.
    pub async fn ipam_provider(&self) -> anyhow::Result<Process> {
        let module = self.programs.source(&self.set.ipam).await?;
        let endpoint = self.endpoint()?;
        let pair = self.plane.authority().serving(&self.folder().join(IPAM_PROVIDER))?;
        let mut command = Command::new(self.programs.file(IPAM_PROVIDER)?);
        command
            .env("KUBECONFIG", self.plane.kubeconfig(IPAM_PROVIDER))
            .arg(format!("--webhook-port={}", endpoint.port))
            .arg(format!("--webhook-cert-dir={}", pair.folder.display()))
            .arg(format!("--health-probe-bind-address=127.0.0.1:{}", free_port()?))
            .args(self.set.ipam_metrics.arguments(&format!("127.0.0.1:{}", free_port()?)));
        let mut process = Process::start(IPAM_PROVIDER, command, &self.log(IPAM_PROVIDER))?;
        process.until_it_listens(endpoint.port).await?;
        let mut webhooks = Vec::new();
        for mut definition in read_folder(&module.join("config/crd/bases"))? {
            convert_by(&mut definition, &endpoint);
            webhooks.push(pool_definition(definition));
        }
        webhooks.extend(admission(&module, &endpoint, "in-cluster-ipam-")?);
        self.kubectl()?.apply(&webhooks).await.context("webhooks of the IPAM provider")?;
        Ok(process)
    }

    /// A port for webhooks, and who signs its certificate.
    pub(super) fn endpoint(&self) -> anyhow::Result<Endpoint> {
        Ok(Endpoint { port: free_port()?, authority: self.plane.authority().certificate() })
    }

    /// The log of a program.
    pub(super) fn log(&self, program: &str) -> std::path::PathBuf {
        self.folder().join(format!("{program}.log"))
    }
}

/// The webhook configurations of a module, calling this endpoint.
pub(super) fn admission(module: &Path, endpoint: &Endpoint, prefix: &str) -> anyhow::Result<Vec<Value>> {
    let mut configurations = read_file(&module.join("config/webhook/manifests.yaml"))?;
    for configuration in &mut configurations {
        serve_by(configuration, endpoint);
        prefix_name(configuration, prefix);
    }
    Ok(configurations)
}
