//! The kinds that the testing wing reads and writes: one table for simulators, scenarios and the bench.

use kube::core::ApiResource;

/// A kind of object, and where its objects are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Name of the kind.
    pub kind: &'static str,
    /// Name of the resource.
    pub plural: &'static str,
    /// Versions that are spoken here, best first.
    pub versions: &'static [&'static str],
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
}

impl Kind {
    const fn new(
        group: &'static str,
        kind: &'static str,
        plural: &'static str,
        versions: &'static [&'static str],
    ) -> Self {
        Self { group, kind, plural, versions, namespaced: true }
    }

    const fn cluster_wide(self) -> Self {
        Self { namespaced: false, ..self }
    }

    /// The best version.
    pub const fn version(&self) -> &'static str {
        match self.versions {
            [best, ..] => best,
            [] => "",
        }
    }

    /// `group/version` of the best version, or the version alone in the core group.
    pub fn api_version(&self) -> String {
        api_version(self.group, self.version())
    }

    /// This kind in its best version, as kube's dynamic API wants it.
    pub fn resource(&self) -> ApiResource {
        self.resource_in(self.version())
    }

    /// This kind in one version, as kube's dynamic API wants it.
    pub fn resource_in(&self, version: &str) -> ApiResource {
        ApiResource {
            group: self.group.to_owned(),
            version: version.to_owned(),
            api_version: api_version(self.group, version),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

const CLUSTER_API: &[&str] = &["v1beta2", "v1beta1"];
const V1: &[&str] = &["v1"];
const V1ALPHA1: &[&str] = &["v1alpha1"];
const V1ALPHA2: &[&str] = &["v1alpha2"];
const V1BETA1: &[&str] = &["v1beta1"];
const ADMISSION: &str = "admissionregistration.k8s.io";
const OPERATOR: &str = "operator.cluster.x-k8s.io";
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io";
const IPAM: &str = "ipam.cluster.x-k8s.io";

/// Cluster API's Cluster.
pub const CLUSTER: Kind = Kind::new("cluster.x-k8s.io", "Cluster", "clusters", CLUSTER_API);
/// Cluster API's Machine.
pub const MACHINE: Kind = Kind::new("cluster.x-k8s.io", "Machine", "machines", CLUSTER_API);
/// Cluster API's MachineDeployment.
pub const MACHINE_DEPLOYMENT: Kind =
    Kind::new("cluster.x-k8s.io", "MachineDeployment", "machinedeployments", CLUSTER_API);
/// Cluster API's MachineSet.
pub const MACHINE_SET: Kind = Kind::new("cluster.x-k8s.io", "MachineSet", "machinesets", CLUSTER_API);
/// kubeadm's control plane.
pub const KUBEADM_CONTROL_PLANE: Kind =
    Kind::new("controlplane.cluster.x-k8s.io", "KubeadmControlPlane", "kubeadmcontrolplanes", CLUSTER_API);
/// CAPT's cluster.
pub const TINKERBELL_CLUSTER: Kind = Kind::new(INFRASTRUCTURE, "TinkerbellCluster", "tinkerbellclusters", V1BETA1);
/// CAPT's machine.
pub const TINKERBELL_MACHINE: Kind = Kind::new(INFRASTRUCTURE, "TinkerbellMachine", "tinkerbellmachines", V1BETA1);
/// CAPT's template of machines.
pub const TINKERBELL_MACHINE_TEMPLATE: Kind =
    Kind::new(INFRASTRUCTURE, "TinkerbellMachineTemplate", "tinkerbellmachinetemplates", V1BETA1);
/// A claim for an address.
pub const CLAIM: Kind = Kind::new(IPAM, "IPAddressClaim", "ipaddressclaims", CLUSTER_API);
/// An address.
pub const ADDRESS: Kind = Kind::new(IPAM, "IPAddress", "ipaddresses", CLUSTER_API);
/// A pool of the in-cluster provider.
pub const IN_CLUSTER_POOL: Kind = Kind::new(IPAM, "InClusterIPPool", "inclusterippools", V1ALPHA2);
/// A pool of the in-cluster provider for all namespaces.
pub const GLOBAL_IN_CLUSTER_POOL: Kind =
    Kind::new(IPAM, "GlobalInClusterIPPool", "globalinclusterippools", V1ALPHA2).cluster_wide();
/// A pool of metal3's provider.
pub const METAL3_POOL: Kind = Kind::new("ipam.metal3.io", "IPPool", "ippools", V1ALPHA1);
/// A server, as Tinkerbell knows it.
pub const HARDWARE: Kind = Kind::new("tinkerbell.org", "Hardware", "hardware", V1ALPHA1);
/// Tinkerbell's template of Workflows.
pub const TEMPLATE: Kind = Kind::new("tinkerbell.org", "Template", "templates", V1ALPHA1);
/// Tinkerbell's Workflow.
pub const WORKFLOW: Kind = Kind::new("tinkerbell.org", "Workflow", "workflows", V1ALPHA1);
/// A BMC.
pub const BMC_MACHINE: Kind = Kind::new("bmc.tinkerbell.org", "Machine", "machines", V1ALPHA1);
/// A BMC's Job.
pub const BMC_JOB: Kind = Kind::new("bmc.tinkerbell.org", "Job", "jobs", V1ALPHA1);
/// One action of a BMC's Job.
pub const BMC_TASK: Kind = Kind::new("bmc.tinkerbell.org", "Task", "tasks", V1ALPHA1);
/// Whom the API server asks before it writes.
pub const VALIDATING_WEBHOOKS: Kind =
    Kind::new(ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", V1).cluster_wide();
/// Who may change what is written to the API server.
pub const MUTATING_WEBHOOKS: Kind =
    Kind::new(ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", V1).cluster_wide();
/// Cluster API's core, as the Cluster API operator is told to install it.
pub const CORE_PROVIDER: Kind = Kind::new(OPERATOR, "CoreProvider", "coreproviders", V1ALPHA2);
/// A bootstrap provider, as the operator is told.
pub const BOOTSTRAP_PROVIDER: Kind = Kind::new(OPERATOR, "BootstrapProvider", "bootstrapproviders", V1ALPHA2);
/// A provider of control planes, as the operator is told.
pub const CONTROL_PLANE_PROVIDER: Kind = Kind::new(OPERATOR, "ControlPlaneProvider", "controlplaneproviders", V1ALPHA2);
/// An infrastructure provider, as the operator is told.
pub const INFRASTRUCTURE_PROVIDER: Kind =
    Kind::new(OPERATOR, "InfrastructureProvider", "infrastructureproviders", V1ALPHA2);
/// A Deployment.
pub const DEPLOYMENT: Kind = Kind::new("apps", "Deployment", "deployments", V1);
/// A certificate that cert-manager issues.
pub const CERTIFICATE: Kind = Kind::new("cert-manager.io", "Certificate", "certificates", V1);
/// A namespace.
pub const NAMESPACE: Kind = Kind::new("", "Namespace", "namespaces", V1).cluster_wide();
/// A Secret.
pub const SECRET: Kind = Kind::new("", "Secret", "secrets", V1);
/// A ConfigMap.
pub const CONFIG_MAP: Kind = Kind::new("", "ConfigMap", "configmaps", V1);
/// A node.
pub const NODE: Kind = Kind::new("", "Node", "nodes", V1).cluster_wide();
/// An event.
pub const EVENT: Kind = Kind::new("", "Event", "events", V1);
/// A Lease of leader election.
pub const LEASE: Kind = Kind::new("coordination.k8s.io", "Lease", "leases", V1);
/// A definition of a kind.
pub const DEFINITION: Kind =
    Kind::new("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", V1).cluster_wide();
