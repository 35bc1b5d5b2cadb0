//! The Cluster API operator, and what is installed by it.
//!
//! There is no kubelet here, and no controller of Deployments: what such a one says of a Deployment whose pods are ready is
//! said by [`Stage::is_available`], and the operator takes a provider for ready by that.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use capt_simulators::fixtures;
use capt_simulators::kinds::{
    BOOTSTRAP_PROVIDER, CONTROL_PLANE_PROVIDER, CORE_PROVIDER, DEPLOYMENT, INFRASTRUCTURE_PROVIDER, Kind,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use real_control_plane::api_server::free_port;
use real_control_plane::manifests::{parse, read_folder};
use real_control_plane::pins;
use real_control_plane::process::Process;
use serde_json::{Value, json};
use tokio::process::Command;

use super::cluster_api::{Manager, admission, managers};
use super::installed::in_clusterctl;
use super::objects::{condition, name, text, told, until};
use super::{OPERATOR, Stage};

/// Its program.
const PROGRAM: &str = "cluster-api-operator";
/// How long the operator may take for a provider.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who writes nothing for so long has come to rest.
const QUIET: Duration = Duration::from_secs(2);
/// Where nobody listens.
const NO_WAY_OUT: &str = "http://127.0.0.1:9";

impl Stage {
    /// Starts the operator with its definitions and webhooks.
    ///
    /// # Errors
    /// When it does not serve.
    pub async fn operator(&self) -> anyhow::Result<Process> {
        let module = self.programs.source(&pins::OPERATOR).await?;
        let kubectl = self.kubectl()?;
        kubectl.apply(&read_folder(&module.join("config/crd/bases"))?).await?;
        kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).await?;
        let endpoint = self.endpoint()?;
        let home = self.folder().join(PROGRAM);
        let pair = self.plane.authority().serving(&home)?;
        let mut command = Command::new(self.programs.file(PROGRAM)?);
        command
            .env("KUBECONFIG", self.plane.kubeconfig(OPERATOR))
            // No clusterctl.yaml of whoever runs this, and an error where it would ask GitHub. Go goes to loopback without a proxy.
            .envs(["HOME", "XDG_CONFIG_HOME"].map(|variable| (variable, &home)))
            .envs(["HTTP_PROXY", "HTTPS_PROXY"].map(|variable| (variable, NO_WAY_OUT)))
            .args(["--leader-elect=false", "--insecure-diagnostics=true", "--profiler-address="])
            .arg(format!("--webhook-port={}", endpoint.port))
            .arg(format!("--webhook-cert-dir={}", pair.folder.display()))
            .arg(format!("--health-addr=127.0.0.1:{}", free_port()?))
            .arg(format!("--diagnostics-address=127.0.0.1:{}", free_port()?));
        let mut process = Process::start(PROGRAM, command, &self.log(PROGRAM))?;
        process.until_it_listens(endpoint.port).await?;
        kubectl.apply(&admission(&module, &endpoint, "operator-")?).await.context("webhooks of the operator")?;
        Ok(process)
    }

    /// Lets the operator install Cluster API's managers of this set, each from a ConfigMap, as where there is no way to
    /// GitHub; returns when they are ready for it, and it has come to rest.
    ///
    /// # Errors
    /// When one of them does not become ready.
    pub async fn cluster_api_by_operator(&self) -> anyhow::Result<()> {
        let version = self.set.cluster_api.version;
        let metadata = self.programs.source(&self.set.cluster_api).await?.join("metadata.yaml");
        let metadata = std::fs::read_to_string(&metadata).with_context(|| metadata.display().to_string())?;
        for Manager { folder, provider, .. } in managers(self.set) {
            let (_, kind, called) = in_clusterctl(provider)?;
            let kind = provider_kind(kind)?;
            let components = self.kustomize(&self.set.cluster_api, folder).await?;
            let objects = parse(&components)?;
            let namespace = objects.iter().find(|object| text(object, "/kind") == "Namespace");
            let namespace = namespace.map(name).with_context(|| format!("no Namespace of {provider}"))?;
            let map = config_map(provider, namespace, version, &metadata, &components)?;
            self.kubectl()?.apply(&[fixtures::namespace(namespace), map]).await?;
            let spec = json!({ "version": version, "fetchConfig": { "selector": selector(provider) } });
            self.provider(kind, namespace, called, &spec).await?;
            self.is_available(kind, namespace, called).await?;
        }
        self.operator_rests().await
    }

    /// Creates a provider and waits until the operator has installed it.
    ///
    /// # Errors
    /// When it does not.
    pub async fn provider(&self, kind: Kind, namespace: &str, called: &str, spec: &Value) -> anyhow::Result<()> {
        let objects = self.objects.of(namespace);
        objects.create(kind, &json!({ "metadata": { "name": called }, "spec": spec })).await?;
        until(&format!("{} {called} is installed", kind.kind), PATIENCE, async || {
            let provider = objects.get(kind, called).await?;
            let is_installed = told(&provider, "ProviderInstalled").starts_with("True ");
            let said = ["PreflightCheckPassed", "ProviderInstalled"].map(|kind| told(&provider, kind));
            Ok(if is_installed { Ok(()) } else { Err(said.join("; ")) })
        })
        .await
    }

    /// Says of the Deployment of a provider what Kubernetes says once its pods are ready; waits until the operator takes the
    /// provider for ready.
    ///
    /// # Errors
    /// When it was ready before, or does not become so.
    pub async fn is_available(&self, kind: Kind, namespace: &str, called: &str) -> anyhow::Result<()> {
        let objects = self.objects.of(namespace);
        let ready =
            |provider: &Value| condition(provider, "Ready").is_some_and(|ready| text(ready, "/status") == "True");
        anyhow::ensure!(!ready(&objects.get(kind, called).await?), "{called} is ready although nothing runs");
        let deployments = objects.list(DEPLOYMENT).await?;
        let [deployment] = deployments.as_slice() else {
            anyhow::bail!("{} Deployments in {namespace}", deployments.len())
        };
        let available = json!({ "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable" });
        let status = json!({ "status": { "conditions": [available] } });
        objects.merge_status(DEPLOYMENT, name(deployment), &status).await?;
        until(&format!("{} {called} is ready", kind.kind), PATIENCE, async || {
            let provider = objects.get(kind, called).await?;
            Ok(if ready(&provider) { Ok(()) } else { Err(told(&provider, "Ready")) })
        })
        .await
    }

    /// Waits until the operator writes nothing any more. It writes its manifests again after every change of a provider, and
    /// would be refused where webhooks are sent to a process in the meantime.
    ///
    /// # Errors
    /// When it goes on and on.
    pub async fn operator_rests(&self) -> anyhow::Result<()> {
        until("the operator writes nothing", PATIENCE, async || {
            let mark = self.plane.audit().mark()?;
            tokio::time::sleep(QUIET).await;
            let asked = self.plane.audit().since(mark)?;
            let writes = asked.iter().filter(|asked| asked.user == OPERATOR && asked.is_write()).count();
            Ok(if writes == 0 { Ok(()) } else { Err(format!("{writes} writes in {} s", QUIET.as_secs())) })
        })
        .await
    }
}

/// The kind by its name, which is clusterctl's too.
fn provider_kind(called: &str) -> anyhow::Result<Kind> {
    let kinds = [CORE_PROVIDER, BOOTSTRAP_PROVIDER, CONTROL_PLANE_PROVIDER, INFRASTRUCTURE_PROVIDER];
    kinds.into_iter().find(|kind| kind.kind == called).with_context(|| format!("the operator knows no {called}"))
}

fn selector(provider: &str) -> Value {
    json!({ "matchLabels": { "capt-e2e/provider": provider } })
}

/// What the operator finds a provider's manifests in. Those of the core are larger than a ConfigMap may be, so they are packed.
fn config_map(
    provider: &str,
    namespace: &str,
    version: &str,
    metadata: &str,
    components: &str,
) -> anyhow::Result<Value> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(components.as_bytes())?;
    let mut labels = selector(provider).pointer("/matchLabels").cloned().unwrap_or_default();
    if let Some(labels) = labels.as_object_mut() {
        labels.insert("provider.cluster.x-k8s.io/version".to_owned(), version.into());
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": provider,
            "namespace": namespace,
            "labels": labels,
            "annotations": { "provider.cluster.x-k8s.io/compressed": "true" },
        },
        "data": { "metadata": metadata },
        "binaryData": { "components": BASE64.encode(packed.finish()?) },
    }))
}
