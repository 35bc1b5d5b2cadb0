//! Which programs, of which version: the one place that says so.

/// A Go module and the programs built from it.
#[derive(Clone, Copy, Debug)]
pub struct Pin {
    /// Name of the group: its folder, and what messages call it.
    pub group: &'static str,
    /// Path of the module.
    pub module: &'static str,
    /// Version of the module.
    pub version: &'static str,
    /// Version of the modules that this one keeps in its own repository under `staging`, where it has such.
    pub staging: Option<&'static str>,
    /// Go variables that are set at link time.
    pub variables: &'static [(&'static str, &'static str)],
    /// Its programs: name, and package below the module's path.
    pub programs: &'static [(&'static str, &'static str)],
}

/// etcd.
pub const ETCD: Pin = Pin {
    group: "etcd",
    module: "go.etcd.io/etcd/server/v3",
    version: "v3.6.6",
    staging: None,
    variables: &[],
    programs: &[("etcd", "")],
};

/// Kubernetes itself. Cluster API refuses a server that does not tell its version, so it is linked in.
pub const KUBERNETES: Pin = Pin {
    group: "kubernetes",
    module: "k8s.io/kubernetes",
    version: "v1.35.4",
    staging: Some("v0.35.4"),
    variables: &[
        ("k8s.io/component-base/version.gitVersion", "v1.35.4"),
        ("k8s.io/component-base/version.gitMajor", "1"),
        ("k8s.io/component-base/version.gitMinor", "35"),
    ],
    programs: &[
        ("kube-apiserver", "cmd/kube-apiserver"),
        ("kube-controller-manager", "cmd/kube-controller-manager"),
        ("kubectl", "cmd/kubectl"),
    ],
};

/// Cluster API: the core, kubeadm's two providers, and clusterctl.
pub const CLUSTER_API: Pin = Pin {
    group: "cluster-api",
    module: "sigs.k8s.io/cluster-api",
    version: "v1.12.5",
    staging: None,
    variables: &[
        ("sigs.k8s.io/cluster-api/version.gitVersion", "v1.12.5"),
        ("sigs.k8s.io/cluster-api/version.gitMajor", "1"),
        ("sigs.k8s.io/cluster-api/version.gitMinor", "12"),
    ],
    programs: &[
        ("cluster-api-core", ""),
        ("kubeadm-bootstrap", "bootstrap/kubeadm"),
        ("kubeadm-control-plane", "controlplane/kubeadm"),
        ("clusterctl", "cmd/clusterctl"),
    ],
};

/// The in-cluster IPAM provider.
pub const IN_CLUSTER_IPAM: Pin = Pin {
    group: "in-cluster-ipam",
    module: "sigs.k8s.io/cluster-api-ipam-provider-in-cluster",
    version: "v1.0.3",
    staging: None,
    variables: &[],
    programs: &[("in-cluster-ipam", "")],
};

/// The Go provider for Tinkerbell, to take over from and to be measured beside.
pub const GO_CAPT: Pin = Pin {
    group: "go-capt",
    module: "github.com/tinkerbell/cluster-api-provider-tinkerbell",
    version: "v0.7.0",
    staging: None,
    variables: &[],
    programs: &[("go-capt", "")],
};

/// cert-manager: only its definitions, for its programs cannot be built from its module.
pub const CERT_MANAGER: Pin = Pin {
    group: "cert-manager",
    module: "github.com/cert-manager/cert-manager",
    version: "v1.21.2",
    staging: None,
    variables: &[],
    programs: &[],
};

/// crane: a registry on loopback, and a client of registries.
pub const CRANE: Pin = Pin {
    group: "crane",
    module: "github.com/google/go-containerregistry",
    version: "v0.22.1",
    staging: None,
    variables: &[],
    programs: &[("crane", "cmd/crane")],
};
