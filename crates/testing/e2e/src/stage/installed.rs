//! What clusterctl installs from a folder of releases, and what a cluster does with it.
//!
//! There is no kubelet, no Service and no cert-manager here. So the Deployment of CAPT is started as a process: its
//! arguments, environment and mounts are the manifest's, and only what one machine cannot give to several programs (the
//! addresses they listen at, and the folder of a mount) is added. Webhooks and conversions that name a Service are sent to the process.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use real_control_plane::api_server::free_port;
use real_control_plane::manifests::{Endpoint, convert_here, read_folder, serve_by};
use real_control_plane::pins::{self, Pin};
use real_control_plane::process::Process;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::cluster_api::{Manager, managers};
use super::image::Image;
use super::objects::{name, text, until};
use super::{CAPT_NAMESPACE, Stage, tinkerbell};
use capt_simulators::kinds::{CONFIG_MAP, DEFINITION, DEPLOYMENT, MUTATING_WEBHOOKS, SECRET, VALIDATING_WEBHOOKS};

/// The name of CAPT's Deployment.
pub const CAPT_DEPLOYMENT: &str = "capt-controller-manager";
/// Under which name clusterctl knows CAPT here, and the label of what it installs.
pub const CAPT_PROVIDER: &str = "infrastructure-tinkerbell";
/// Where `cargo xtask release` writes, from the workspace's root.
pub const RELEASE: &str = "out/release";
/// Where `cargo xtask release` writes the same as an OCI artefact, from the workspace's root.
pub const ARTEFACT: &str = "out/capt-manifests";
/// The version that is released.
pub const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));
/// Where the certificate of the webhooks is expected when no argument says where.
const CERTIFICATE_FOLDER: &str = "/tmp/k8s-webhook-server/serving-certs";
/// Where a pod finds its ServiceAccount's token.
const ACCOUNT_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How long a probe may fail.
const STARTED: Duration = Duration::from_secs(60);

/// How clusterctl knows a part of Cluster API: the name of its file, its type and its name.
pub(super) fn in_clusterctl(provider: &str) -> anyhow::Result<(&'static str, &'static str, &'static str)> {
    Ok(match provider {
        "cluster-api" => ("core-components.yaml", "CoreProvider", "cluster-api"),
        "bootstrap-kubeadm" => ("bootstrap-components.yaml", "BootstrapProvider", "kubeadm"),
        "control-plane-kubeadm" => ("control-plane-components.yaml", "ControlPlaneProvider", "kubeadm"),
        other => anyhow::bail!("clusterctl knows no {other}"),
    })
}

/// A folder of releases, and clusterctl's configuration that names it.
pub struct Releases {
    folder: PathBuf,
    config: PathBuf,
}

impl Releases {
    /// The argument that makes clusterctl use it.
    pub fn argument(&self) -> String {
        format!("--config={}", self.config.display())
    }

    /// Where a version of CAPT lies.
    fn capt(&self, version: &str) -> PathBuf {
        self.folder.join(CAPT_PROVIDER).join(version)
    }
}

impl Stage {
    /// Installs what CAPT's users have before CAPT: Tinkerbell's definitions, and cert-manager's.
    ///
    /// # Errors
    /// When an object is refused.
    pub async fn prepare(&self) -> anyhow::Result<()> {
        let mut definitions = tinkerbell()?;
        definitions.extend(read_folder(&self.programs.source(&pins::CERT_MANAGER).await?.join("deploy/crds"))?);
        let kubectl = self.kubectl()?;
        kubectl.apply(&definitions).await?;
        kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).await.map(drop)
    }

    /// Installs the definitions of Cluster API and of the in-cluster provider, where no clusterctl does.
    ///
    /// # Errors
    /// When an object is refused.
    pub async fn prepare_cluster_api(&self) -> anyhow::Result<()> {
        let kubectl = self.kubectl()?;
        kubectl.apply(&self.cluster_api_definitions().await?).await?;
        kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).await.map(drop)
    }

    /// Installs the definitions of the in-cluster provider, which clusterctl does not install here.
    ///
    /// # Errors
    /// When an object is refused.
    pub async fn pools(&self) -> anyhow::Result<()> {
        self.kubectl()?.apply(&self.pool_definitions().await?).await
    }

    /// Makes a folder with releases of Cluster API, of Go CAPT, and of CAPT as `release` holds it. clusterctl is given
    /// `variables` for the templates.
    ///
    /// # Errors
    /// When a module has no manifests, or `release` does not exist.
    pub async fn releases(&self, release: &Path, variables: &[(&str, &str)]) -> anyhow::Result<Releases> {
        let folder = self.folder().join("releases");
        let mut providers = Vec::new();
        let cluster_api = &self.set.cluster_api;
        for Manager { folder: below, provider, .. } in managers(self.set) {
            let (file, kind, called) = in_clusterctl(provider)?;
            let components = self.kustomize(cluster_api, below).await?;
            let metadata = self.programs.source(cluster_api).await?.join("metadata.yaml");
            let of_version = folder.join(provider).join(cluster_api.version);
            std::fs::create_dir_all(&of_version)?;
            std::fs::write(of_version.join(file), components)?;
            std::fs::copy(metadata, of_version.join("metadata.yaml"))?;
            providers.push((called, kind, of_version.join(file)));
        }
        let releases = Releases { config: folder.join("clusterctl.yaml"), folder };
        let go = releases.capt(pins::GO_CAPT.version);
        std::fs::create_dir_all(&go)?;
        std::fs::write(go.join("infrastructure-components.yaml"), self.kustomize(&pins::GO_CAPT, "").await?)?;
        std::fs::copy(self.programs.source(&pins::GO_CAPT).await?.join("metadata.yaml"), go.join("metadata.yaml"))?;
        let ours = releases.capt(VERSION);
        std::fs::create_dir_all(&ours)?;
        for file in std::fs::read_dir(release)
            .with_context(|| format!("{}: cargo xtask release makes it", release.display()))?
        {
            let file = file?;
            if file.file_type()?.is_file() {
                std::fs::copy(file.path(), ours.join(file.file_name()))?;
            }
        }
        providers.push(("tinkerbell", "InfrastructureProvider", ours.join("infrastructure-components.yaml")));
        let mut config = String::from("providers:\n");
        for (called, kind, file) in providers {
            config += &format!("- name: {called}\n  type: {kind}\n  url: {}\n", file.display());
        }
        for (variable, value) in variables {
            config += &format!("{variable}: {}\n", serde_json::json!(value));
        }
        std::fs::write(&releases.config, config)?;
        Ok(releases)
    }

    /// The components that a module's `config/default` makes.
    pub(super) async fn kustomize(&self, pin: &Pin, below: &str) -> anyhow::Result<String> {
        let folder = self.programs.source(pin).await?.join(below).join("config/default");
        self.kubectl()?.run(&["kustomize", &folder.display().to_string()]).await
    }

    /// Sends webhooks and conversions of a provider, which name its Service, to the process at this endpoint.
    ///
    /// # Errors
    /// When an object cannot be read or written.
    pub async fn wire(&self, provider: &str, endpoint: &Endpoint) -> anyhow::Result<()> {
        let cluster = self.objects.cluster();
        let kubectl = self.kubectl()?;
        let mut wired = 0;
        for kind in [MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, DEFINITION] {
            for object in cluster.list(kind).await?.iter().filter(|object| is_of(object, provider)) {
                // Others write there, too.
                self.wired.lock().push((kind, object.clone()));
                until(&format!("{} calls {provider}", name(object)), STARTED, async || {
                    let mut object = cluster.get(kind, name(object)).await?;
                    serve_by(&mut object, endpoint);
                    convert_here(&mut object, endpoint);
                    Ok(kubectl.replace(&[object]).await.map_err(|error| error.to_string()))
                })
                .await?;
                wired += 1;
            }
        }
        ensure!(wired > 0, "nothing is installed of {provider}");
        Ok(())
    }

    /// Lets webhooks and conversions of a provider name its Service again, as they do on a cluster: what is installed
    /// over them writes them so.
    ///
    /// # Errors
    /// When an object cannot be written.
    pub async fn unwire(&self, provider: &str) -> anyhow::Result<()> {
        let cluster = self.objects.cluster();
        let (theirs, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *self.wired.lock()).into_iter().partition(|(_, object)| is_of(object, provider));
        *self.wired.lock() = others;
        for (kind, before) in theirs {
            until(&format!("{} names a Service again", name(&before)), STARTED, async || {
                let mut object = cluster.get(kind, name(&before)).await?;
                for pointer in ["/webhooks", "/spec/conversion"] {
                    if let (Some(now), Some(then)) = (object.pointer_mut(pointer), before.pointer(pointer)) {
                        *now = then.clone();
                    }
                }
                Ok(self.kubectl()?.replace(&[object]).await.map_err(|error| error.to_string()))
            })
            .await?;
        }
        Ok(())
    }

    /// Starts CAPT's Deployment as its manifest says; its webhooks are called when
    /// this returns, and all its probes have passed.
    ///
    /// # Errors
    /// When it does not start, or a probe fails.
    pub async fn deployed(&self, process: &str, kubeconfig: &Path) -> anyhow::Result<Process> {
        let objects = self.objects.of(CAPT_NAMESPACE);
        let deployment = objects.get(DEPLOYMENT, CAPT_DEPLOYMENT).await?;
        let pod = Pod::of(self, &deployment).await?;
        let endpoint = self.endpoint()?;
        let health = free_port()?;
        let image = self.image().await?;
        let mut command = match &image {
            Some(image) => self.in_image(image, &pod).await?,
            None => self.outside(&pod, kubeconfig),
        };
        command
            .envs(&pod.environment)
            .args(["--webhook-host=127.0.0.1".to_owned(), format!("--webhook-port={}", endpoint.port)])
            .arg(format!("--health-addr=127.0.0.1:{health}"))
            .arg(format!("--metrics-bind-addr=127.0.0.1:{}", free_port()?))
            .arg(format!("--diagnostics-address=127.0.0.1:{}", free_port()?));
        let mut process = Process::start(process, command, &self.log(process))?;
        process.until_it_listens(endpoint.port).await?;
        if let (Some(image), Some(id)) = (&image, process.id()) {
            image.must_hold(id)?;
        }
        self.wire(CAPT_PROVIDER, &endpoint).await?;
        for (probe, path) in &pod.probes {
            until(&format!("{probe} {path} passes"), STARTED, async || {
                Ok(match status(health, path).await {
                    Ok(200) => Ok(()),
                    Ok(code) => Err(format!("it answers {code}")),
                    Err(error) => Err(error.to_string()),
                })
            })
            .await?;
            process.must_run()?;
        }
        Ok(process)
    }

    /// The pod as a kubelet starts it: the image's root, the pod's mounts at their paths, a ServiceAccount's token.
    async fn in_image(&self, image: &Image, pod: &Pod) -> anyhow::Result<Command> {
        ensure!(pod.user == Some(image.user()), "the image is for user {}, the pod for {:?}", image.user(), pod.user);
        let account = self.folder().join("volumes/serviceaccount");
        std::fs::create_dir_all(&account)?;
        let token = ["create", "token", &pod.account, "--namespace", CAPT_NAMESPACE];
        let token = self.kubectl()?.run(&token).await?;
        let files =
            [("token", token.trim()), ("ca.crt", &self.plane.authority().certificate()), ("namespace", CAPT_NAMESPACE)];
        for (file, content) in files {
            std::fs::write(account.join(file), content)?;
        }
        let mounts: Vec<_> = pod.mounts.iter().cloned().chain([(ACCOUNT_FOLDER.to_owned(), account)]).collect();
        let mut command = image.command(&mounts, &pod.arguments);
        command
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", self.plane.port().to_string());
        Ok(command)
    }

    /// The program where it was built, with this kubeconfig, and the pod's mounts where they lie here.
    fn outside(&self, pod: &Pod, kubeconfig: &Path) -> Command {
        let certificate = pod.mounts.iter().find(|(inside, _)| inside == CERTIFICATE_FOLDER);
        let mut command = Command::new(&self.paths.manager);
        command
            .env_remove("RUST_LOG")
            .env("KUBECONFIG", kubeconfig)
            .args(&pod.arguments)
            .args(certificate.map(|(_, here)| format!("--webhook-cert-dir={}", here.display())));
        command
    }
}

/// Whether an object carries the label of this provider.
fn is_of(object: &Value, provider: &str) -> bool {
    text(object, "/metadata/labels/cluster.x-k8s.io~1provider") == provider
}

/// What the container of a Deployment is started with.
struct Pod {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    /// What is mounted: the path inside, and where it lies here.
    mounts: Vec<(String, PathBuf)>,
    /// The ServiceAccount.
    account: String,
    /// The user that it has to run as.
    user: Option<u32>,
    /// Each probe and its path.
    probes: Vec<(&'static str, String)>,
}

impl Pod {
    async fn of(stage: &Stage, deployment: &Value) -> anyhow::Result<Self> {
        let spec = deployment.pointer("/spec/template/spec").context("no pod in the Deployment")?;
        let containers = spec.get("containers").and_then(Value::as_array).context("no containers")?;
        let container = containers.iter().find(|container| name_of(container) == "manager").context("no manager")?;
        let mounts = mounts(stage, spec, container).await?;
        // In its image everything is where the manifest says.
        let moved = if stage.paths.image.is_some() { &[][..] } else { &mounts };
        let on_this_machine = |text: &str| {
            moved.iter().fold(text.to_owned(), |text, (inside, here)| text.replace(inside, &here.display().to_string()))
        };
        let list = |member: &str| container.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
        let arguments = list("args").iter().filter_map(Value::as_str).map(on_this_machine).collect();
        let mut environment = BTreeMap::new();
        for source in list("envFrom") {
            let named = text(&source, "/configMapRef/name");
            if let Some(map) = stage.objects.of(CAPT_NAMESPACE).find(CONFIG_MAP, named).await? {
                let data = map.get("data").and_then(Value::as_object);
                let prefix = text(&source, "/prefix");
                let named = |(name, value): (&String, &Value)| {
                    (format!("{prefix}{name}"), value.as_str().unwrap_or_default().to_owned())
                };
                environment.extend(data.into_iter().flatten().map(named));
            }
        }
        for variable in list("env") {
            let value = match text(&variable, "/valueFrom/fieldRef/fieldPath") {
                "" => on_this_machine(text(&variable, "/value")),
                "metadata.namespace" => CAPT_NAMESPACE.to_owned(),
                "metadata.name" => format!("{CAPT_DEPLOYMENT}-0"),
                "metadata.uid" => text(deployment, "/metadata/uid").to_owned(),
                other => anyhow::bail!("nobody here knows the field {other}"),
            };
            environment.insert(name_of(&variable).to_owned(), value);
        }
        let probes = ["startupProbe", "livenessProbe", "readinessProbe"].into_iter().filter_map(|probe| {
            let path = text(container, &format!("/{probe}/httpGet/path"));
            (!path.is_empty()).then(|| (probe, path.to_owned()))
        });
        let probes = probes.collect();
        let account = text(spec, "/serviceAccountName").to_owned();
        let user = spec.pointer("/securityContext/runAsUser").and_then(Value::as_u64);
        let user = user.and_then(|user| u32::try_from(user).ok());
        Ok(Self { arguments, environment, mounts, account, user, probes })
    }
}

fn name_of(part: &Value) -> &str {
    text(part, "/name")
}

/// Where each mount of the container lies here. A Secret of a Certificate is filled, as cert-manager would; any other is
/// what the server holds, or empty.
async fn mounts(stage: &Stage, pod: &Value, container: &Value) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let issued = stage.objects.of(CAPT_NAMESPACE).list(capt_simulators::kinds::CERTIFICATE).await?;
    let volumes = pod.get("volumes").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut mounts = Vec::new();
    for mount in container.get("volumeMounts").and_then(Value::as_array).into_iter().flatten() {
        let volume = volumes.iter().find(|volume| name_of(volume) == name_of(mount));
        let volume = volume.with_context(|| format!("no volume {}", name_of(mount)))?;
        let here = stage.folder().join("volumes").join(name_of(mount));
        std::fs::create_dir_all(&here)?;
        let secret = text(volume, "/secret/secretName");
        if issued.iter().any(|certificate| text(certificate, "/spec/secretName") == secret) {
            stage.plane.authority().serving(&here)?;
        } else if let Some(found) = stage.objects.of(CAPT_NAMESPACE).find(SECRET, secret).await? {
            for (file, data) in found.get("data").and_then(Value::as_object).into_iter().flatten() {
                use base64::Engine as _;
                let data = base64::engine::general_purpose::STANDARD.decode(data.as_str().unwrap_or_default())?;
                std::fs::write(here.join(file), data)?;
            }
        }
        // A kubelet's files are root's, and all may read them unless the volume says otherwise.
        let mode = volume.pointer("/secret/defaultMode").and_then(Value::as_u64).unwrap_or(0o644);
        for file in std::fs::read_dir(&here)? {
            std::fs::set_permissions(file?.path(), Permissions::from_mode(u32::try_from(mode)?))?;
        }
        mounts.push((text(mount, "/mountPath").to_owned(), here));
    }
    Ok(mounts)
}

/// The status with which a probe is answered.
async fn status(port: u16, path: &str) -> anyhow::Result<u16> {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_whitespace().nth(1).context("no status")?.parse()?)
}
