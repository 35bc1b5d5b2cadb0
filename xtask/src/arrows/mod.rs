//! Which crate may depend on which, and that no modules use each other in a circle: the arrows of the house point one way.
//!
//! ```text
//! crates/          ipam-core ← api ← reconciler ← kube ← bin/capt-manager
//! crates/kits/     go-text-template ↲   memory-apiserver   real-control-plane
//! crates/testing/  simulators ← invariants ← system-tests, simulate, e2e; model; fuzz        bin/capt-sandbox uses all three
//! ```

pub mod circle;
pub mod modules;
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::workspace::cargo;

/// A part of the house, which is a folder of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wing {
    /// What ships as a library.
    Ships,
    /// What knows nothing of CAPT and could leave for a repository of its own.
    Kit,
    /// What is about CAPT and never ships.
    Testing,
    /// What a person runs.
    Program,
    /// What contributors run.
    Workshop,
}

impl Wing {
    /// The folder that holds its packages.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Ships => "crates",
            Self::Kit => "crates/kits",
            Self::Testing => "crates/testing",
            Self::Program => "bin",
            Self::Workshop => "",
        }
    }
}

/// The place of one crate in the house.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The crate.
    pub name: &'static str,
    /// Its wing.
    pub wing: Wing,
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

/// The one program that ships.
const SHIPPED_PROGRAM: &str = "capt-manager";

/// Every crate of this workspace. A program stands in nobody's list, so nobody can depend on one.
pub const RULES: &[Rule] = &[
    Rule {
        name: "capt-ipam-core",
        wing: Wing::Ships,
        may_use: &[],
        tests_may_use: &[],
        never_reaches: &["kube", "kube-*", "k8s-openapi", "tokio", "tokio-*", "capt-*"],
    },
    Rule {
        name: "go-text-template",
        wing: Wing::Kit,
        may_use: &[],
        tests_may_use: &[],
        never_reaches: &["kube", "kube-*", "k8s-openapi", "tokio", "tokio-*", "capt-*"],
    },
    Rule {
        name: "capt-api",
        wing: Wing::Ships,
        may_use: &[],
        // Itself with all features; the definitions of the neighbours' kinds.
        tests_may_use: &["capt-api", "capt-simulators"],
        never_reaches: CLIENT,
    },
    Rule {
        name: "capt-reconciler",
        wing: Wing::Ships,
        may_use: &["capt-api", "capt-ipam-core", "go-text-template"],
        tests_may_use: &[],
        never_reaches: CLIENT,
    },
    Rule {
        name: "capt-kube",
        wing: Wing::Ships,
        may_use: &["capt-reconciler", "capt-api", "capt-ipam-core"],
        tests_may_use: &["memory-apiserver", "capt-simulators"],
        never_reaches: &["memory-apiserver", "capt-simulators"],
    },
    // Useful to any program built on kube, so it knows nothing of ours.
    Rule { name: "memory-apiserver", wing: Wing::Kit, may_use: &[], tests_may_use: &[], never_reaches: &["capt-*"] },
    // Useful to any project with a controller.
    Rule { name: "real-control-plane", wing: Wing::Kit, may_use: &[], tests_may_use: &[], never_reaches: &["capt-*"] },
    // They stand for other people's programs. If they shared our code, they would share our mistakes.
    Rule {
        name: "capt-simulators",
        wing: Wing::Testing,
        may_use: &["go-text-template"],
        tests_may_use: &["memory-apiserver"],
        never_reaches: &["capt-api", "capt-ipam-core", "capt-kube", "capt-reconciler", "memory-apiserver"],
    },
    // It knows none of our code: it judges by what others can see.
    Rule {
        name: "capt-invariants",
        wing: Wing::Testing,
        may_use: &["capt-simulators", "memory-apiserver"],
        tests_may_use: &[],
        never_reaches: &["capt-api", "capt-ipam-core", "capt-kube", "capt-reconciler"],
    },
    Rule {
        name: "capt-simulate",
        wing: Wing::Testing,
        may_use: &["capt-api", "capt-kube", "capt-simulators", "capt-invariants", "memory-apiserver"],
        tests_may_use: &[],
        never_reaches: &[],
    },
    Rule {
        name: "capt-manager",
        wing: Wing::Program,
        may_use: &["capt-kube", "capt-reconciler", "capt-api"],
        tests_may_use: &["memory-apiserver", "capt-simulators"],
        never_reaches: &["memory-apiserver", "capt-simulators"],
    },
    Rule {
        name: "capt-sandbox",
        wing: Wing::Program,
        may_use: &[
            "capt-kube",
            "capt-reconciler",
            "capt-api",
            "capt-simulators",
            "capt-invariants",
            "memory-apiserver",
        ],
        tests_may_use: &[],
        never_reaches: &[],
    },
    Rule {
        name: "capt-system-tests",
        wing: Wing::Testing,
        may_use: &[],
        tests_may_use: &["capt-api", "capt-kube", "capt-simulators", "capt-invariants", "memory-apiserver"],
        never_reaches: &[],
    },
    // It runs the decisions alone; its neighbours are its own, small enough to try every order.
    Rule {
        name: "capt-model",
        wing: Wing::Testing,
        may_use: &["capt-reconciler", "capt-api", "capt-ipam-core"],
        tests_may_use: &[],
        never_reaches: CLIENT,
    },
    // The manager it plays with is the program itself; of its code it takes the definitions of our kinds.
    Rule {
        name: "capt-e2e",
        wing: Wing::Testing,
        may_use: &["capt-api", "capt-simulators", "capt-invariants", "real-control-plane"],
        tests_may_use: &[],
        never_reaches: &[],
    },
    // It calls what reads bytes of others, and nothing calls it but fuzzers.
    Rule {
        name: "capt-fuzz",
        wing: Wing::Testing,
        may_use: &["capt-kube", "capt-reconciler", "capt-api", "capt-ipam-core", "go-text-template"],
        tests_may_use: &[],
        never_reaches: &["memory-apiserver", "capt-simulators"],
    },
    // It writes manifests from the tables of what the manager serves.
    Rule {
        name: "xtask",
        wing: Wing::Workshop,
        may_use: &["capt-api", "capt-reconciler"],
        tests_may_use: &["memory-apiserver", "capt-simulators"],
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
    /// Crate → the folder that its own folder lies in, from the workspace's root.
    pub folders: BTreeMap<String, PathBuf>,
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
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
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
            let folder = package.manifest_path.parent().and_then(Path::parent);
            if let Some(folder) = folder.and_then(|folder| folder.strip_prefix(&metadata.workspace_root).ok()) {
                graph.folders.insert(package.name.clone(), folder.to_path_buf());
            }
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
            complaints.push(format!("{name} has no place in the table of arrows (xtask/src/arrows/mod.rs)"));
            continue;
        };
        if graph.folders.get(name).is_some_and(|folder| folder != Path::new(rule.wing.folder())) {
            complaints.push(format!("{name} does not lie in {}, the folder of its wing", rule.wing.folder()));
        }
        for Declared { on, dev } in declared {
            let other = rules.iter().find(|rule| rule.name == on);
            if let Some(reason) = other.and_then(|other| between_wings(rule, other, *dev)) {
                complaints.push(format!("{name} must not depend on {on}: {reason}"));
                continue;
            }
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

/// The first rule: which wing must not lean on which.
fn between_wings(from: &Rule, on: &Rule, dev: bool) -> Option<&'static str> {
    let ships = from.wing == Wing::Ships || from.name == SHIPPED_PROGRAM;
    match (from.wing, on.wing) {
        (_, Wing::Program | Wing::Workshop) => Some("no package depends on a program"),
        (Wing::Kit, _) => Some("kits depend on nobody of ours"),
        (_, Wing::Testing) if ships && !dev => Some("nothing that ships depends on testing"),
        _ => None,
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}
