//! The kinds that scenarios look at.

use kube::api::ApiResource;

/// A kind, and where its objects are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// The version that scenarios read.
    pub version: &'static str,
    /// Name of the kind.
    pub kind: &'static str,
    /// Name of the resource.
    pub plural: &'static str,
}

impl Kind {
    const fn new(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self { group, version, kind, plural }
    }

    /// `group/version`, or the version of the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// As kube wants it.
    pub fn resource(&self) -> ApiResource {
        ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version: self.api_version(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

/// Cluster API's Cluster.
pub const CLUSTER: Kind = Kind::new("cluster.x-k8s.io", "v1beta2", "Cluster", "clusters");
/// Cluster API's Machine.
pub const MACHINE: Kind = Kind::new("cluster.x-k8s.io", "v1beta2", "Machine", "machines");
/// Cluster API's MachineDeployment.
pub const MACHINE_DEPLOYMENT: Kind =
    Kind::new("cluster.x-k8s.io", "v1beta2", "MachineDeployment", "machinedeployments");
/// kubeadm's control plane.
pub const CONTROL_PLANE: Kind =
    Kind::new("controlplane.cluster.x-k8s.io", "v1beta2", "KubeadmControlPlane", "kubeadmcontrolplanes");
/// A claim for an address.
pub const CLAIM: Kind = Kind::new("ipam.cluster.x-k8s.io", "v1beta2", "IPAddressClaim", "ipaddressclaims");
/// An address.
pub const ADDRESS: Kind = Kind::new("ipam.cluster.x-k8s.io", "v1beta2", "IPAddress", "ipaddresses");
/// A pool of the in-cluster provider.
pub const POOL: Kind = Kind::new("ipam.cluster.x-k8s.io", "v1alpha2", "InClusterIPPool", "inclusterippools");
/// A pool of the in-cluster provider for all namespaces.
pub const GLOBAL_POOL: Kind =
    Kind::new("ipam.cluster.x-k8s.io", "v1alpha2", "GlobalInClusterIPPool", "globalinclusterippools");
/// CAPT's cluster.
pub const TINKERBELL_CLUSTER: Kind =
    Kind::new("infrastructure.cluster.x-k8s.io", "v1beta1", "TinkerbellCluster", "tinkerbellclusters");
/// CAPT's machine.
pub const TINKERBELL_MACHINE: Kind =
    Kind::new("infrastructure.cluster.x-k8s.io", "v1beta1", "TinkerbellMachine", "tinkerbellmachines");
/// CAPT's machine template.
pub const TINKERBELL_TEMPLATE: Kind =
    Kind::new("infrastructure.cluster.x-k8s.io", "v1beta1", "TinkerbellMachineTemplate", "tinkerbellmachinetemplates");
/// A server.
pub const HARDWARE: Kind = Kind::new("tinkerbell.org", "v1alpha1", "Hardware", "hardware");
/// Tinkerbell's template.
pub const TEMPLATE: Kind = Kind::new("tinkerbell.org", "v1alpha1", "Template", "templates");
/// Tinkerbell's workflow.
pub const WORKFLOW: Kind = Kind::new("tinkerbell.org", "v1alpha1", "Workflow", "workflows");
/// A BMC's job.
pub const JOB: Kind = Kind::new("bmc.tinkerbell.org", "v1alpha1", "Job", "jobs");
/// A BMC.
pub const BMC: Kind = Kind::new("bmc.tinkerbell.org", "v1alpha1", "Machine", "machines");
/// One action of a BMC's job.
pub const TASK: Kind = Kind::new("bmc.tinkerbell.org", "v1alpha1", "Task", "tasks");
/// Whom the API server asks before it writes.
pub const VALIDATING_WEBHOOKS: Kind = Kind::new(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
);
/// Who may change what is written to the API server.
pub const MUTATING_WEBHOOKS: Kind =
    Kind::new("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations");
/// A Deployment.
pub const DEPLOYMENT: Kind = Kind::new("apps", "v1", "Deployment", "deployments");
/// A certificate that cert-manager issues.
pub const CERTIFICATE: Kind = Kind::new("cert-manager.io", "v1", "Certificate", "certificates");
/// A namespace.
pub const NAMESPACE: Kind = Kind::new("", "v1", "Namespace", "namespaces");
/// A secret.
pub const SECRET: Kind = Kind::new("", "v1", "Secret", "secrets");
/// A ConfigMap.
pub const CONFIG_MAP: Kind = Kind::new("", "v1", "ConfigMap", "configmaps");
/// A node.
pub const NODE: Kind = Kind::new("", "v1", "Node", "nodes");
/// An event.
pub const EVENT: Kind = Kind::new("", "v1", "Event", "events");
/// A lease.
pub const LEASE: Kind = Kind::new("coordination.k8s.io", "v1", "Lease", "leases");
/// A definition of a kind.
pub const DEFINITION: Kind =
    Kind::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");

/// What is written down when a scenario fails. Secrets never are.
pub const DUMPED: &[Kind] = &[
    CLUSTER,
    MACHINE,
    MACHINE_DEPLOYMENT,
    CONTROL_PLANE,
    CLAIM,
    ADDRESS,
    POOL,
    TINKERBELL_CLUSTER,
    TINKERBELL_MACHINE,
    TINKERBELL_TEMPLATE,
    HARDWARE,
    TEMPLATE,
    WORKFLOW,
    JOB,
    TASK,
    BMC,
    EVENT,
    LEASE,
];
