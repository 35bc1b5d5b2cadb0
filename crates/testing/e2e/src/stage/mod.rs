//! A control plane with everything CAPT lives among, each part started on its own.
//!
//! ```text
//! Stage::open      etcd, kube-apiserver with the admission plugins of the set, kube-controller-manager;
//!                  all definitions; CAPT's RBAC
//!   .cluster_api   Cluster API core, kubeadm bootstrap and control plane, with their webhooks
//!   .ipam_provider the in-cluster IPAM provider
//!   .simulators    stand-ins for Tinkerbell and the BMCs
//!   .manager       capt-manager, as the release binary, under the RBAC that is shipped, with its webhooks registered
//! ```

pub mod checks;
pub mod cluster_api;
mod holding;
pub mod image;
pub mod installed;
pub mod kubectl;
pub mod kubelet;
pub mod machines;
pub mod manager;
pub mod objects;
pub mod operator;
pub mod proxy;
pub mod registry;
pub mod scrape;
pub mod servers;
pub mod simulators;
pub mod watch;
pub mod workload;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use capt_simulators::bmc::PowerStates;
use capt_simulators::crds::Group;
use capt_simulators::fixtures;
use capt_simulators::kinds::Kind;
use parking_lot::Mutex;
use real_control_plane::api_server::{ADMIN, User};
use real_control_plane::audit::AuditLog;
use real_control_plane::build::Programs;
use real_control_plane::control_plane::ControlPlane;
use real_control_plane::manifests::{label, parse, read_folder};
use real_control_plane::sets::Set;
use serde_json::Value;

use kubectl::Kubectl;
use objects::Objects;

/// The user that capt-manager is.
pub const CAPT: &str = "capt";
/// Its name to the server: the ServiceAccount of the shipped manifests.
pub const CAPT_ACCOUNT: &str = "system:serviceaccount:capt-system:capt-controller-manager";
/// The user that Go CAPT is; it may do everything.
pub const GO_CAPT: &str = "go-capt";
/// The user of the stand-ins.
pub const SIMULATORS: &str = "simulators";
/// The user of Cluster API's managers.
pub const CLUSTER_API: &str = "cluster-api";
/// The user of the Cluster API operator.
pub const OPERATOR: &str = "cluster-api-operator";
/// The user of the in-cluster IPAM provider.
pub const IPAM_PROVIDER: &str = "in-cluster-ipam";
/// The namespace that CAPT is installed in.
pub const CAPT_NAMESPACE: &str = "capt-system";

/// Where things are on this machine.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The workspace.
    pub root: PathBuf,
    /// The folder of this run.
    pub run: PathBuf,
    /// The program capt-manager.
    pub manager: PathBuf,
    /// The layout of its image, if it was built.
    pub image: Option<PathBuf>,
}

/// A control plane with CAPT's definitions and rights, and nothing that runs on it yet.
pub struct Stage {
    /// The control plane.
    pub plane: ControlPlane,
    /// The programs.
    pub programs: Programs,
    /// Of which versions they are.
    pub set: &'static Set,
    /// Objects in namespace `default`, as an administrator.
    pub objects: Objects,
    /// The power of the servers.
    pub power: PowerStates,
    webhooks: manager::Webhooks,
    /// What names a Service and was sent to a process, as it was before.
    wired: Mutex<Vec<(Kind, Value)>>,
    audits: Arc<Mutex<Vec<AuditLog>>>,
    paths: Paths,
    folder: PathBuf,
}

impl Stage {
    /// Starts the control plane below `paths.run/name` and installs what CAPT needs on it.
    ///
    /// # Errors
    /// When a program does not start or an object is refused.
    pub async fn open(programs: &Programs, set: &'static Set, paths: &Paths, name: &str) -> anyhow::Result<Self> {
        let stage = Self::empty(programs, set, paths, name).await?;
        stage.install().await.context("installing")?;
        Ok(stage)
    }

    /// Starts a control plane on which nothing is installed.
    async fn empty(programs: &Programs, set: &'static Set, paths: &Paths, name: &str) -> anyhow::Result<Self> {
        let folder = paths.run.join(name);
        let users = [
            User::service_account(CAPT, CAPT_NAMESPACE, "capt-controller-manager"),
            User::master(GO_CAPT),
            User::master(SIMULATORS),
            User::master(CLUSTER_API),
            User::master(IPAM_PROVIDER),
            User::master(OPERATOR),
        ];
        let plane = ControlPlane::start(programs, &folder, &users, set.admission_plugins).await?;
        let client = plane.client(ADMIN, "capt-e2e").await?;
        let audits = Arc::new(Mutex::new(vec![plane.audit()]));
        Ok(Self {
            plane,
            programs: programs.clone(),
            set,
            objects: Objects::new(client),
            power: PowerStates::default(),
            webhooks: manager::Webhooks::default(),
            wired: Mutex::default(),
            audits,
            paths: paths.clone(),
            folder,
        })
    }

    /// Another control plane, with the same servers behind it.
    ///
    /// # Errors
    /// When a program does not start or an object is refused.
    pub async fn another(&self, name: &str) -> anyhow::Result<Self> {
        let other = self.bare(name).await?;
        other.install().await.context("installing")?;
        Ok(other)
    }

    /// Another control plane on which nothing is installed, with the same servers behind it.
    ///
    /// # Errors
    /// When a program does not start.
    pub async fn bare(&self, name: &str) -> anyhow::Result<Self> {
        let paths = Paths { run: self.folder.clone(), ..self.paths.clone() };
        let other = Self::empty(&self.programs, self.set, &paths, name).await?;
        self.audits.lock().push(other.plane.audit());
        Ok(Self { power: self.power.clone(), ..other })
    }

    /// The audit logs of this control plane and of the others made from it.
    pub fn audits(&self) -> Vec<AuditLog> {
        self.audits.lock().clone()
    }

    /// The folder with everything this stage leaves behind.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The workspace.
    pub fn root(&self) -> &Path {
        &self.paths.root
    }

    /// kubectl, as an administrator.
    ///
    /// # Errors
    /// When it was not built.
    pub fn kubectl(&self) -> anyhow::Result<Kubectl> {
        Kubectl::new(&self.programs, self.plane.kubeconfig(ADMIN), &self.folder)
    }

    /// Installs the definitions of the neighbours and of CAPT, and CAPT's RBAC, as they are shipped.
    ///
    /// # Errors
    /// When an object is refused.
    pub async fn install(&self) -> anyhow::Result<()> {
        let mut definitions = tinkerbell()?;
        definitions.extend(self.cluster_api_definitions().await?);
        let kubectl = self.kubectl()?;
        kubectl.apply(&definitions).await?;
        kubectl.apply(&[fixtures::namespace(CAPT_NAMESPACE)]).await?;
        for folder in ["deploy/crds", "deploy/rbac"] {
            kubectl.apply(&read_folder(&self.paths.root.join(folder))?).await?;
        }
        kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).await?;
        Ok(())
    }
}

/// The definitions of Tinkerbell and of its BMCs.
fn tinkerbell() -> anyhow::Result<Vec<Value>> {
    let mut definitions = Vec::new();
    for group in [Group::Tinkerbell, Group::Bmc] {
        for text in group.crds() {
            definitions.extend(parse(text)?);
        }
    }
    Ok(definitions)
}

/// The labels by which Cluster API finds the versions of a kind.
fn contract(mut definition: Value, provider: &str) -> Value {
    label(
        &mut definition,
        &[
            ("cluster.x-k8s.io/v1beta1", "v1beta1"),
            ("cluster.x-k8s.io/v1beta2", "v1beta2"),
            ("cluster.x-k8s.io/provider", provider),
            ("clusterctl.cluster.x-k8s.io", ""),
        ],
    );
    definition
}
