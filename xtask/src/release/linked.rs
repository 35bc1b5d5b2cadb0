//! What is linked into the manager, from what `cargo metadata` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::dist::Platform;
use crate::workspace::cargo;

const PROGRAM: &str = "capt-manager";

/// A package.
#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as an SPDX expression or in the older form with a slash.
    pub license: Option<String>,
    /// What it says of itself.
    pub description: Option<String>,
    /// Where it is from; nothing for what is of this workspace.
    pub source: Option<String>,
    manifest_path: PathBuf,
}

impl Package {
    /// Its folder on this machine.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

#[derive(Deserialize)]
struct Workspace {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// The program, and each package in it with what it needs itself, in the order of their names.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The manager.
    pub program: Package,
    /// Everything that is linked, the manager too, and the packages that each of them needs.
    pub packages: Vec<(Package, Vec<Package>)>,
}

impl Linked {
    /// Asks cargo what is linked on a platform.
    ///
    /// # Errors
    /// When cargo does not tell.
    pub fn ask(root: &Path, platform: Platform) -> anyhow::Result<Self> {
        let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", platform.target];
        Self::read(&cargo(root, &arguments)?)
    }

    fn read(metadata: &str) -> anyhow::Result<Self> {
        let workspace: Workspace =
            serde_json::from_str(metadata).context("cargo metadata printed something unknown")?;
        let packages: BTreeMap<&str, &Package> =
            workspace.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let nodes: BTreeMap<&str, &Node> =
            workspace.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let program = workspace.packages.iter().find(|package| package.name == PROGRAM).context("no capt-manager")?;

        let (mut linked, mut next) = (BTreeMap::new(), vec![program.id.as_str()]);
        while let Some(id) = next.pop() {
            if linked.contains_key(id) {
                continue;
            }
            let node = nodes.get(id).with_context(|| format!("{id} is not resolved"))?;
            // Normal dependencies alone: what tests need, and what only builds need, is not in the program.
            let needed = node.deps.iter().filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            let needed: BTreeSet<&str> = needed.map(|edge| edge.pkg.as_str()).collect();
            next.extend(needed.iter().copied());
            linked.insert(id, needed);
        }
        let package = |id: &str| packages.get(id).copied().cloned().with_context(|| format!("{id} is no package"));
        let mut packages = Vec::with_capacity(linked.len());
        for (id, needed) in linked {
            let needed = needed.into_iter().map(package).collect::<anyhow::Result<Vec<_>>>()?;
            packages.push((package(id)?, needed));
        }
        packages.sort_by(|(one, _), (other, _)| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
        Ok(Self { program: program.clone(), packages })
    }
}
