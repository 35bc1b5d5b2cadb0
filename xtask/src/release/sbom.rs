//! What the manager is made of, as a software bill of materials: CycloneDX, JSON, by the library of the CycloneDX project.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use cyclonedx_bom::external_models::normalized_string::NormalizedString;
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::models::bom::{Bom, SpecVersion};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::prelude::{Purl, Validate};
use serde::Deserialize;

const PROGRAM: &str = "capt-manager";

#[derive(Deserialize)]
struct Workspace {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    description: Option<String>,
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

/// The bill of what is linked into the manager, from what `cargo metadata` prints. The same input gives the same bytes: it holds
/// neither a time nor a number of its own.
///
/// # Errors
/// When cargo printed something unknown, or the bill is not as CycloneDX wants it.
pub fn render(metadata: &str) -> anyhow::Result<String> {
    let workspace: Workspace = serde_json::from_str(metadata).context("cargo metadata printed something unknown")?;
    let packages: BTreeMap<&str, &Package> =
        workspace.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<&str, &Node> = workspace.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
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
    let package = |id: &str| packages.get(id).copied().with_context(|| format!("{id} is no package"));
    let mut components = Vec::new();
    for id in linked.keys().filter(|id| **id != program.id) {
        components.push(component(package(id)?, Classification::Library)?);
    }
    let mut dependencies = Vec::new();
    for (id, needed) in &linked {
        let needed = needed.iter().map(|id| Ok(reference(package(id)?))).collect::<anyhow::Result<Vec<_>>>()?;
        dependencies.push(Dependency { dependency_ref: reference(package(id)?), dependencies: needed });
    }
    let bom = Bom {
        serial_number: None,
        metadata: Some(Metadata {
            component: Some(component(program, Classification::Application)?),
            ..Metadata::default()
        }),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies)),
        ..Bom::default()
    };
    let validated = bom.validate_version(SpecVersion::V1_5);
    ensure!(validated.passed(), "the bill of materials is not valid: {validated:?}");
    let mut text = Vec::new();
    bom.output_as_json_v1_5(&mut text).context("the bill of materials")?;
    Ok(String::from_utf8(text)? + "\n")
}

fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(package: &Package, kind: Classification) -> anyhow::Result<Component> {
    let mut component = Component::new(kind, &package.name, &package.version, Some(reference(package)));
    component.purl = Some(Purl::new("cargo", &package.name, &package.version).context("purl")?);
    component.description = package.description.as_deref().map(|text| NormalizedString::new(text.trim()));
    if let Some(license) = &package.license {
        // Older packages write `MIT/Apache-2.0`.
        let expression = SpdxExpression::try_from(license.replace('/', " OR "));
        let expression = expression.with_context(|| format!("{}: licence {license}", package.name))?;
        component.licenses = Some(Licenses(vec![LicenseChoice::Expression(expression)]));
    }
    Ok(component)
}
