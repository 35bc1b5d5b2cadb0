use kube::core::ApiResource;

/// A kind of object, and the versions of it that we can speak, best first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) versions: &'static [&'static str],
    pub(crate) namespaced: bool,
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

    /// This kind in one version, as kube's dynamic API wants it.
    pub(crate) fn resource(&self, version: &str) -> ApiResource {
        ApiResource {
            group: self.group.to_owned(),
            version: version.to_owned(),
            api_version: format!("{}/{version}", self.group),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

/// Every kind that a stand-in reads or writes.
pub(crate) mod kinds {
    use super::Kind;

    const CLUSTER_API: &[&str] = &["v1beta2", "v1beta1"];
    const V1ALPHA1: &[&str] = &["v1alpha1"];
    const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io";

    pub(crate) static CLUSTER: Kind = Kind::new("cluster.x-k8s.io", "Cluster", "clusters", CLUSTER_API);
    pub(crate) static MACHINE: Kind = Kind::new("cluster.x-k8s.io", "Machine", "machines", CLUSTER_API);
    pub(crate) static MACHINE_DEPLOYMENT: Kind =
        Kind::new("cluster.x-k8s.io", "MachineDeployment", "machinedeployments", CLUSTER_API);
    pub(crate) static MACHINE_SET: Kind = Kind::new("cluster.x-k8s.io", "MachineSet", "machinesets", CLUSTER_API);
    pub(crate) static KUBEADM_CONTROL_PLANE: Kind =
        Kind::new("controlplane.cluster.x-k8s.io", "KubeadmControlPlane", "kubeadmcontrolplanes", CLUSTER_API);
    pub(crate) static INFRA_CLUSTER: Kind =
        Kind::new(INFRASTRUCTURE, "TinkerbellCluster", "tinkerbellclusters", &["v1beta1"]);
    pub(crate) static INFRA_MACHINE: Kind =
        Kind::new(INFRASTRUCTURE, "TinkerbellMachine", "tinkerbellmachines", &["v1beta1"]);
    pub(crate) static INFRA_TEMPLATE: Kind =
        Kind::new(INFRASTRUCTURE, "TinkerbellMachineTemplate", "tinkerbellmachinetemplates", &["v1beta1"]);

    pub(crate) static CLAIM: Kind =
        Kind::new("ipam.cluster.x-k8s.io", "IPAddressClaim", "ipaddressclaims", CLUSTER_API);
    pub(crate) static ADDRESS: Kind = Kind::new("ipam.cluster.x-k8s.io", "IPAddress", "ipaddresses", CLUSTER_API);
    pub(crate) static IN_CLUSTER_POOL: Kind =
        Kind::new("ipam.cluster.x-k8s.io", "InClusterIPPool", "inclusterippools", &["v1alpha2"]);
    pub(crate) static GLOBAL_IN_CLUSTER_POOL: Kind = Kind {
        namespaced: false,
        ..Kind::new("ipam.cluster.x-k8s.io", "GlobalInClusterIPPool", "globalinclusterippools", &["v1alpha2"])
    };
    pub(crate) static METAL3_POOL: Kind = Kind::new("ipam.metal3.io", "IPPool", "ippools", V1ALPHA1);

    pub(crate) static HARDWARE: Kind = Kind::new("tinkerbell.org", "Hardware", "hardware", V1ALPHA1);
    pub(crate) static TEMPLATE: Kind = Kind::new("tinkerbell.org", "Template", "templates", V1ALPHA1);
    pub(crate) static WORKFLOW: Kind = Kind::new("tinkerbell.org", "Workflow", "workflows", V1ALPHA1);
    pub(crate) static BMC_MACHINE: Kind = Kind::new("bmc.tinkerbell.org", "Machine", "machines", V1ALPHA1);
    pub(crate) static BMC_JOB: Kind = Kind::new("bmc.tinkerbell.org", "Job", "jobs", V1ALPHA1);
    pub(crate) static BMC_TASK: Kind = Kind::new("bmc.tinkerbell.org", "Task", "tasks", V1ALPHA1);
}
