//! Which neighbours are run together, in which versions: the one table of it, with all that differs from one version to
//! the next. The newest come first.
//!
//! | what differs | where it is said |
//! |---|---|
//! | Cluster API 1.14 has the core's program and manifests in a folder `core`, and its API as a module in its own repository | [`Set::core`], [`Pin::staging`] |
//! | in the tree of `clusterctl describe` 1.14 names the namespace of an object | [`Set::tree_name`] |
//! | the in-cluster IPAM provider 1.1 tells its metrics as Cluster API's managers do, 1.0 has a flag of its own | [`Set::ipam_metrics`] |

use crate::api_server::OWNER_REFERENCES;
use crate::pins::{KUBERNETES, Pin};

/// Programs that are run together.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// What it is called on a command line: the minor version of Cluster API.
    pub name: &'static str,
    /// Kubernetes.
    pub kubernetes: Pin,
    /// Admission plugins of kube-apiserver besides those that are on by default.
    pub admission_plugins: &'static [&'static str],
    /// Cluster API: the core, kubeadm's two providers, and clusterctl.
    pub cluster_api: Pin,
    /// The folder of the core in Cluster API's module: its program, and what `config` holds.
    pub core: &'static str,
    /// Whether the tree of `clusterctl describe` names an object with its namespace; see [`Set::tree_name`].
    pub tree_has_namespaces: bool,
    /// The in-cluster IPAM provider.
    pub ipam: Pin,
    /// How that is told where to serve its metrics.
    pub ipam_metrics: MetricsFlag,
}

impl Set {
    /// What the tree of `clusterctl describe` calls an object.
    pub fn tree_name(&self, kind: &str, namespace: &str, name: &str) -> String {
        if self.tree_has_namespaces { format!("{kind} {namespace}/{name}") } else { format!("{kind}/{name}") }
    }
}

/// How a manager is told where to serve its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFlag {
    /// By the flags of Cluster API: `--diagnostics-address`, and that it needs no TLS there.
    Diagnostics,
    /// By `--metrics-bind-address`.
    Own,
}

impl MetricsFlag {
    /// The arguments for this address.
    pub fn arguments(self, address: &str) -> Vec<String> {
        match self {
            Self::Diagnostics => {
                vec![format!("--diagnostics-address={address}"), "--insecure-diagnostics=true".to_owned()]
            }
            Self::Own => vec![format!("--metrics-bind-address={address}")],
        }
    }
}

/// Programs of Cluster API whose names and folders are the same in all versions.
macro_rules! programs {
    ($core:literal) => {
        &[
            ("cluster-api-core", $core),
            ("kubeadm-bootstrap", "bootstrap/kubeadm"),
            ("kubeadm-control-plane", "controlplane/kubeadm"),
            ("clusterctl", "cmd/clusterctl"),
        ]
    };
}

/// Cluster API 1.14.
pub const V1_14: Set = Set {
    name: "1.14",
    kubernetes: KUBERNETES,
    admission_plugins: &[OWNER_REFERENCES],
    cluster_api: Pin {
        group: "cluster-api",
        module: "sigs.k8s.io/cluster-api",
        version: "v1.14.2",
        staging: Some("v1.14.2"),
        variables: &[
            ("sigs.k8s.io/cluster-api/version.gitVersion", "v1.14.2"),
            ("sigs.k8s.io/cluster-api/version.gitMajor", "1"),
            ("sigs.k8s.io/cluster-api/version.gitMinor", "14"),
        ],
        programs: programs!("core"),
    },
    core: "core",
    tree_has_namespaces: true,
    ipam: IPAM_1_1,
    ipam_metrics: MetricsFlag::Diagnostics,
};

/// Cluster API 1.13.
pub const V1_13: Set = Set {
    name: "1.13",
    kubernetes: KUBERNETES,
    admission_plugins: &[OWNER_REFERENCES],
    cluster_api: Pin {
        group: "cluster-api",
        module: "sigs.k8s.io/cluster-api",
        version: "v1.13.6",
        staging: None,
        variables: &[
            ("sigs.k8s.io/cluster-api/version.gitVersion", "v1.13.6"),
            ("sigs.k8s.io/cluster-api/version.gitMajor", "1"),
            ("sigs.k8s.io/cluster-api/version.gitMinor", "13"),
        ],
        programs: programs!(""),
    },
    core: "",
    tree_has_namespaces: false,
    ipam: IPAM_1_1,
    ipam_metrics: MetricsFlag::Diagnostics,
};

/// Cluster API 1.12.
pub const V1_12: Set = Set {
    name: "1.12",
    kubernetes: KUBERNETES,
    admission_plugins: &[OWNER_REFERENCES],
    cluster_api: Pin {
        group: "cluster-api",
        module: "sigs.k8s.io/cluster-api",
        version: "v1.12.5",
        staging: None,
        variables: &[
            ("sigs.k8s.io/cluster-api/version.gitVersion", "v1.12.5"),
            ("sigs.k8s.io/cluster-api/version.gitMajor", "1"),
            ("sigs.k8s.io/cluster-api/version.gitMinor", "12"),
        ],
        programs: programs!(""),
    },
    core: "",
    tree_has_namespaces: false,
    ipam: Pin {
        group: "in-cluster-ipam",
        module: "sigs.k8s.io/cluster-api-ipam-provider-in-cluster",
        version: "v1.0.3",
        staging: None,
        variables: &[],
        programs: &[("in-cluster-ipam", "")],
    },
    ipam_metrics: MetricsFlag::Own,
};

const IPAM_1_1: Pin = Pin {
    group: "in-cluster-ipam",
    module: "sigs.k8s.io/cluster-api-ipam-provider-in-cluster",
    version: "v1.1.0",
    staging: None,
    variables: &[],
    programs: &[("in-cluster-ipam", "")],
};

/// All sets, the newest first.
pub const SETS: [&Set; 3] = [&V1_14, &V1_13, &V1_12];

/// The set that everything is played on.
pub const NEWEST: &Set = &V1_14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_twice_of_a_set_is_said_alike() {
        for set in SETS {
            let Set { name, cluster_api, core, .. } = set;
            assert!(cluster_api.version.starts_with(&format!("v{name}.")), "{name}: {}", cluster_api.version);
            assert!(cluster_api.programs.contains(&("cluster-api-core", core)), "{name}: the core is in {core}");
            let linked = |end: &str| cluster_api.variables.iter().find(|(variable, _)| variable.ends_with(end));
            assert_eq!(linked("gitVersion").map(|(_, value)| *value), Some(cluster_api.version), "{name}");
            assert_eq!(linked("gitMinor").map(|(_, value)| format!("1.{value}")).as_deref(), Some(*name), "{name}");
        }
    }

    #[test]
    fn an_object_is_looked_for_under_the_name_that_the_tree_of_its_clusterctl_has() {
        assert_eq!(V1_14.tree_name("Machine", "default", "a"), "Machine default/a");
        assert_eq!(V1_13.tree_name("Machine", "default", "a"), "Machine/a");
    }

    #[test]
    fn a_version_that_serves_metrics_as_cluster_api_does_gets_no_flag_that_ends_it() {
        let told = MetricsFlag::Diagnostics.arguments("127.0.0.1:7");
        assert_eq!(told, ["--diagnostics-address=127.0.0.1:7", "--insecure-diagnostics=true"]);
        assert_eq!(MetricsFlag::Own.arguments("127.0.0.1:7"), ["--metrics-bind-address=127.0.0.1:7"]);
    }
}
