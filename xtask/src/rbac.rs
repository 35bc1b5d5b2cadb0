//! What the manager may do in a cluster, in one table, and the manifests of `deploy/rbac` that grant it.
//!
//! Nothing is granted that is not used: `cargo xtask e2e` runs the manager with exactly these rights and compares them
//! with the requests that the API server recorded. Rights that only an admission plugin asks for leave no trace there:
//! whole lives in `crates/testing/system-tests/tests/lives/rights.rs` show which of them are needed.

use crate::manifests::Document;
pub use crate::names::{MANAGER as SERVICE_ACCOUNT, NAMESPACE};

const READ: &[&str] = &["get", "list", "watch"];
const WATCH: &[&str] = &["list", "watch"];

/// One rule: some resources of one API group, what may be done with them, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Resources or subresources, by plural name.
    pub resources: &'static [&'static str],
    /// Verbs.
    pub verbs: &'static [&'static [&'static str]],
    /// Why it is needed; becomes the comment on the rule.
    pub reason: &'static str,
}

impl Rule {
    /// Its verbs, one by one.
    pub fn verbs(&self) -> impl Iterator<Item = &'static str> {
        self.verbs.iter().flat_map(|verbs| verbs.iter().copied())
    }
}

/// In all namespaces.
pub const EVERYWHERE: &[Rule] = &[
    Rule {
        group: "infrastructure.cluster.x-k8s.io",
        resources: &["tinkerbellclusters", "tinkerbellmachines"],
        verbs: &[READ, &["patch"]],
        reason: "our own objects: finalizers, owner references, what was selected",
    },
    Rule {
        group: "infrastructure.cluster.x-k8s.io",
        resources: &["tinkerbellclusters/status", "tinkerbellmachines/status"],
        verbs: &[&["patch"]],
        reason: "what we say about them",
    },
    Rule {
        group: "cluster.x-k8s.io",
        resources: &["clusters", "machines"],
        verbs: &[WATCH],
        reason: "the owners of our objects",
    },
    Rule {
        group: "infrastructure.cluster.x-k8s.io",
        resources: &["tinkerbellmachines/finalizers"],
        verbs: &[&["update"]],
        reason: "claims, Templates, Workflows and Jobs block the deletion of their machine; only OwnerReferencesPermissionEnforcement asks for this",
    },
    Rule {
        group: "cluster.x-k8s.io",
        resources: &["clusters/finalizers"],
        verbs: &[&["update"]],
        reason: "the same for a TinkerbellCluster that names its Cluster by label only and gets it as owner",
    },
    Rule {
        group: "infrastructure.cluster.x-k8s.io",
        resources: &["tinkerbellclusters"],
        verbs: &[&["delete"]],
        reason: "the same: that plugin lets nobody change the owners of what he may not delete; nothing is deleted",
    },
    Rule {
        group: "",
        resources: &["secrets"],
        verbs: &[&["get"]],
        reason: "bootstrap data, one Secret at a time; never listed or watched",
    },
    Rule {
        group: "tinkerbell.org",
        resources: &["hardware"],
        verbs: &[READ, &["patch"]],
        reason: "the servers: reserved, given an address, released",
    },
    Rule {
        group: "tinkerbell.org",
        resources: &["templates", "workflows"],
        verbs: &[READ, &["create", "delete"]],
        reason: "what is done with a server",
    },
    Rule {
        group: "bmc.tinkerbell.org",
        resources: &["jobs"],
        verbs: &[READ, &["create", "delete"]],
        reason: "power-off; a failed Job is deleted and made anew",
    },
    Rule {
        group: "bmc.tinkerbell.org",
        resources: &["machines"],
        verbs: &[&["get"]],
        reason: "what a BMC says of its server's power, one at a time, when a power-off fails or does not end",
    },
    Rule {
        group: "bmc.tinkerbell.org",
        resources: &["machines/status"],
        verbs: &[&["patch"]],
        reason: "powerState is set to unknown after a failed power-off, so that rufio reads it anew",
    },
    Rule {
        group: "ipam.cluster.x-k8s.io",
        resources: &["ipaddressclaims"],
        verbs: &[READ, &["create", "patch", "delete"]],
        reason: "asking for addresses and giving them back",
    },
    Rule {
        group: "ipam.cluster.x-k8s.io",
        resources: &["ipaddresses"],
        verbs: &[WATCH],
        reason: "the answers of the IPAM provider",
    },
    Rule {
        group: "ipam.cluster.x-k8s.io",
        resources: &["inclusterippools", "globalinclusterippools"],
        verbs: &[WATCH],
        reason: "why a claim gets no address; pools of other providers may be granted likewise",
    },
    Rule {
        group: "apiextensions.k8s.io",
        resources: &["customresourcedefinitions"],
        verbs: &[WATCH],
        reason: "whether optional kinds (IPAM, BMC) are installed",
    },
    Rule {
        group: "authentication.k8s.io",
        resources: &["tokenreviews"],
        verbs: &[&["create"]],
        reason: "whom a token belongs to that somebody shows at --diagnostics-address",
    },
    Rule {
        group: "authorization.k8s.io",
        resources: &["subjectaccessreviews"],
        verbs: &[&["create"]],
        reason: "whether he may see what he asks for there",
    },
    Rule { group: "", resources: &["events"], verbs: &[&["create", "patch"]], reason: "telling what happens" },
];

/// In the manager's own namespace.
pub const OWN_NAMESPACE: &[Rule] = &[Rule {
    group: "coordination.k8s.io",
    resources: &["leases"],
    verbs: &[&["get", "create", "update"]],
    reason: "leader election",
}];

const API: &str = "rbac.authorization.k8s.io/v1";

/// As whom the manager runs.
#[must_use]
pub fn service_account() -> Vec<Document> {
    vec![manifest("v1", "ServiceAccount", Some(NAMESPACE), SERVICE_ACCOUNT, "")]
}

/// What it may do in all namespaces.
#[must_use]
pub fn manager_role() -> Vec<Document> {
    let role = binding("ClusterRole", "capt-manager-role");
    vec![
        manifest(API, "ClusterRole", None, "capt-manager-role", &rules(EVERYWHERE)),
        manifest(API, "ClusterRoleBinding", None, "capt-manager-rolebinding", &role),
    ]
}

/// What it may do in its own.
#[must_use]
pub fn leader_election_role() -> Vec<Document> {
    let (role, name) = ("capt-leader-election-role", "capt-leader-election-rolebinding");
    vec![
        manifest(API, "Role", Some(NAMESPACE), role, &rules(OWN_NAMESPACE)),
        manifest(API, "RoleBinding", Some(NAMESPACE), name, &binding("Role", role)),
    ]
}

fn manifest(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, rest: &str) -> Document {
    let namespace = namespace.map(|namespace| format!("  namespace: {namespace}\n")).unwrap_or_default();
    Document::text(format!(
        "apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n{namespace}  labels:\n    \
         cluster.x-k8s.io/provider: infrastructure-tinkerbell\n{rest}"
    ))
}

fn rules(rules: &[Rule]) -> String {
    let rule = |rule: &Rule| {
        let group = if rule.group.is_empty() { "\"\"" } else { rule.group };
        let verbs: Vec<&str> = rule.verbs().collect();
        format!(
            "  # {}\n  - apiGroups: [{group}]\n    resources: [{}]\n    verbs: [{}]\n",
            rule.reason,
            rule.resources.join(", "),
            verbs.join(", ")
        )
    };
    format!("rules:\n{}", rules.iter().map(rule).collect::<String>())
}

fn binding(kind: &str, role: &str) -> String {
    format!(
        "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {role}\nsubjects:\n  - kind: ServiceAccount\n    \
         name: {SERVICE_ACCOUNT}\n    namespace: {NAMESPACE}\n"
    )
}
