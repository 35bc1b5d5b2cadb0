//! Which crate may depend on which: the arrows of the house point one way.
//!
//! ```text
//! ipam-core ← api ← reconciler ← kube ← manager
//!                   go-template ↲         ↖
//! memory-apiserver, neighbours  ←───────  sandbox
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::workspace::cargo;

/// The place of one crate in the house.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The crate.
    pub name: &'static str,
    /// The crates of this workspace that it may depend on.
    pub may_use: &'static [&'static str],
    /// The crates of this workspace that its tests may use besides.
    pub tests_may_use: &'static [&'static str],
    /// Packages that it must not reach, directly or through others, with all its features on. A `*` at the end stands
    /// for any rest.
    pub never_reaches: &'static [&'static str],
}

/// The parts of kube and tokio that talk to a server; what has none of these has no client.
const CLIENT: &[&str] = &["kube-client", "kube-runtime", "tokio", "tokio-*", "hyper", "hyper-*"];

/// Every crate of this workspace. A program stands in nobody's list, so nobody can depend on one.
pub const RULES: &[Rule] = &[
    Rule {
        name: "capt-ipam-core",
        may_use: &[],
        tests_may_use: &[],
        never_reaches: &["kube", "kube-*", "k8s-openapi", "tokio", "tokio-*", "capt-*"],
    },
    Rule {
        name: "go-template",
        may_use: &[],
        tests_may_use: &[],
        never_reaches: &["kube", "kube-*", "k8s-openapi", "tokio", "tokio-*", "capt-*"],
    },
    Rule {
        name: "capt-api",
        may_use: &[],
        // Itself with all features; the definitions of the neighbours' kinds.
        tests_may_use: &["capt-api", "capt-neighbours"],
        never_reaches: CLIENT,
    },
    Rule {
        name: "capt-reconciler",
        may_use: &["capt-api", "capt-ipam-core", "go-template"],
        tests_may_use: &[],
        never_reaches: CLIENT,
    },
    Rule {
        name: "capt-kube",
        may_use: &["capt-reconciler", "capt-api", "capt-ipam-core"],
        tests_may_use: &["memory-apiserver", "capt-neighbours"],
        never_reaches: &["memory-apiserver", "capt-neighbours"],
    },
    // Useful to any program built on kube, so it knows nothing of ours.
    Rule { name: "memory-apiserver", may_use: &[], tests_may_use: &[], never_reaches: &["capt-*"] },
    // Useful to any project with a controller.
    Rule { name: "real-control-plane", may_use: &[], tests_may_use: &[], never_reaches: &["capt-*"] },
    // They stand for other people's programs. If they shared our code, they would share our mistakes.
    Rule {
        name: "capt-neighbours",
        may_use: &["go-template"],
        tests_may_use: &["memory-apiserver"],
        never_reaches: &["capt-api", "capt-ipam-core", "capt-kube", "capt-reconciler", "memory-apiserver"],
    },
    // It knows none of our code: it judges by what others can see.
    Rule {
        name: "capt-observer",
        may_use: &["capt-neighbours", "memory-apiserver"],
        tests_may_use: &[],
        never_reaches: &["capt-api", "capt-ipam-core", "capt-kube", "capt-reconciler"],
    },
    Rule {
        name: "capt-simulate",
        may_use: &["capt-api", "capt-kube", "capt-neighbours", "capt-observer", "memory-apiserver"],
        tests_may_use: &[],
        never_reaches: &[],
    },
    Rule {
        name: "capt-manager",
        may_use: &["capt-kube", "capt-reconciler", "capt-api"],
        tests_may_use: &["memory-apiserver", "capt-neighbours"],
        never_reaches: &["memory-apiserver", "capt-neighbours"],
    },
    Rule {
        name: "capt-sandbox",
        may_use: &["capt-kube", "capt-api", "capt-neighbours", "capt-observer", "memory-apiserver"],
        tests_may_use: &[],
        never_reaches: &[],
    },
    // It runs the decisions alone; its neighbours are its own, small enough to try every order.
    Rule {
        name: "capt-model",
        may_use: &["capt-reconciler", "capt-api", "capt-ipam-core"],
        tests_may_use: &[],
        never_reaches: CLIENT,
    },
    // It borrows the sandbox's observer and manifests; the manager it plays with is the program itself.
    Rule {
        name: "capt-e2e",
        may_use: &["capt-neighbours", "capt-observer", "capt-sandbox", "real-control-plane"],
        tests_may_use: &[],
        never_reaches: &[],
    },
    Rule {
        name: "capt-bench",
        may_use: &["capt-api", "capt-neighbours", "real-control-plane"],
        tests_may_use: &[],
        never_reaches: &["capt-kube", "capt-reconciler", "memory-apiserver"],
    },
    // It calls what reads bytes of others, and nothing calls it but fuzzers.
    Rule {
        name: "capt-fuzz",
        may_use: &["capt-kube", "capt-reconciler", "capt-api", "capt-ipam-core", "go-template"],
        tests_may_use: &[],
        never_reaches: &["memory-apiserver", "capt-neighbours"],
    },
    // It writes manifests from the tables of what the manager serves.
    Rule {
        name: "xtask",
        may_use: &["capt-api", "capt-reconciler"],
        tests_may_use: &["memory-apiserver", "capt-neighbours"],
        never_reaches: &[],
    },
];

/// What the workspace really looks like.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Crate → the crates of this workspace that it declares as dependencies.
    pub declared: BTreeMap<String, Vec<Declared>>,
    /// Crate → every package that it reaches over normal dependencies, itself left out.
    pub reached: BTreeMap<String, BTreeSet<String>>,
}

/// One declared dependency on another crate of this workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The crate depended on.
    pub on: String,
    /// Whether only tests and examples use it.
    pub dev: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

impl Graph {
    /// Reads the workspace at `root`. It needs no network once the workspace has been built.
    ///
    /// # Errors
    /// When cargo fails, or `Cargo.lock` does not fit the manifests.
    pub fn read(root: &Path, rules: &[Rule]) -> anyhow::Result<Self> {
        let json = cargo(root, &["metadata", "--format-version", "1", "--no-deps", "--locked"])?;
        let metadata: Metadata = serde_json::from_str(&json).context("cargo metadata printed something unknown")?;
        let members: BTreeSet<String> = metadata.packages.iter().map(|package| package.name.clone()).collect();
        let mut graph = Self::default();
        for package in metadata.packages {
            let declared = package
                .dependencies
                .into_iter()
                .filter(|dependency| members.contains(&dependency.name))
                .map(|dependency| Declared { on: dependency.name, dev: dependency.kind.as_deref() == Some("dev") })
                .collect();
            graph.declared.insert(package.name, declared);
        }
        let watched = rules.iter().filter(|rule| !rule.never_reaches.is_empty() && members.contains(rule.name));
        for rule in watched {
            graph.reached.insert(rule.name.to_owned(), reached(root, rule.name)?);
        }
        Ok(graph)
    }
}

/// `cargo tree` and not `cargo metadata`: the latter joins the features that all crates of the workspace ask for, and so
/// shows a client under crates that have none.
fn reached(root: &Path, name: &str) -> anyhow::Result<BTreeSet<String>> {
    let arguments =
        ["tree", "--locked", "-p", name, "--all-features", "-e", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = cargo(root, &arguments)?;
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|reached| *reached != name).map(str::to_owned).collect())
}

/// Every way in which `graph` breaks `rules`, as sentences; none when all is well.
#[must_use]
pub fn check(rules: &[Rule], graph: &Graph) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, declared) in &graph.declared {
        let Some(rule) = rules.iter().find(|rule| rule.name == name) else {
            complaints.push(format!("{name} has no place in the table of arrows (xtask/src/arrows.rs)"));
            continue;
        };
        for Declared { on, dev } in declared {
            let allowed = rule.may_use.contains(&on.as_str()) || (*dev && rule.tests_may_use.contains(&on.as_str()));
            if !allowed {
                let who = if *dev { "the tests of " } else { "" };
                complaints.push(format!("{who}{name} must not depend on {on}"));
            }
        }
        for reached in graph.reached.get(name).into_iter().flatten() {
            if rule.never_reaches.iter().any(|pattern| matches(pattern, reached)) {
                complaints.push(format!(
                    "{name} must not reach {reached}; see `cargo tree -p {name} -e normal -i {reached}`"
                ));
            }
        }
    }
    let gone = rules.iter().filter(|rule| !graph.declared.contains_key(rule.name));
    complaints.extend(gone.map(|rule| format!("{} is in the table of arrows but not in the workspace", rule.name)));
    complaints
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}
