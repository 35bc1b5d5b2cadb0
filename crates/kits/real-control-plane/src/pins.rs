//! Which programs, of which version. What is played in several versions is in [`crate::sets`]; no other place says more.

/// A Go module and the programs built from it.
#[derive(Clone, Copy, Debug)]
pub struct Pin {
    /// Name of the group, which its folder begins with.
    pub group: &'static str,
    /// Path of the module.
    pub module: &'static str,
    /// Version of the module.
    pub version: &'static str,
    /// Version of the modules that this one keeps in its own repository, where it has such. It replaces them by folders
    /// there, which is not heard of outside: so they are replaced by that version.
    pub staging: Option<&'static str>,
    /// Go variables that are set at link time.
    pub variables: &'static [(&'static str, &'static str)],
    /// Its programs: name, and package below the module's path.
    pub programs: &'static [(&'static str, &'static str)],
}

impl Pin {
    /// The name of the folder that it is built in: versions of one module lie beside each other.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.group, self.version)
    }
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

/// Kubernetes itself, of a version that all the Cluster APIs in [`crate::sets`] support. They refuse a server that does
/// not tell its version, so it is linked in.
pub const KUBERNETES: Pin = Pin {
    group: "kubernetes",
    module: "k8s.io/kubernetes",
    version: "v1.36.3",
    staging: Some("v0.36.3"),
    variables: &[
        ("k8s.io/component-base/version.gitVersion", "v1.36.3"),
        ("k8s.io/component-base/version.gitMajor", "1"),
        ("k8s.io/component-base/version.gitMinor", "36"),
    ],
    programs: &[
        ("kube-apiserver", "cmd/kube-apiserver"),
        ("kube-controller-manager", "cmd/kube-controller-manager"),
        ("kubectl", "cmd/kubectl"),
    ],
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

/// The Cluster API operator. It has Cluster API 1.13's library in it, and installs every version that speaks its contract.
pub const OPERATOR: Pin = Pin {
    group: "cluster-api-operator",
    module: "sigs.k8s.io/cluster-api-operator",
    version: "v0.29.0",
    staging: None,
    variables: &[],
    programs: &[("cluster-api-operator", "cmd")],
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
