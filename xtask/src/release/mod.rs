//! What a release publishes: `out/release`, for clusterctl, the Cluster API operator, kubectl and air-gapped registries; and
//! [`artefact`], for the operator by way of a registry.

pub mod artefact;
pub mod images;
pub mod licenses;
pub mod linked;
pub mod sbom;
pub mod templates;
pub mod variables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::dist::Platform;
use crate::generated::Files;
use crate::image;
use crate::manifests::{self, Variables, components};
use crate::names::VERSION;
use linked::Linked;

/// Where the files are written, from the workspace root.
pub const FOLDER: &str = "out/release";
/// What clusterctl asks for by name.
pub const COMPONENTS: &str = "infrastructure-components.yaml";
/// The same with nothing left to fill in.
pub const INSTALL: &str = "install.yaml";
/// The files' digests.
pub const CHECKSUMS: &str = "checksums.txt";

/// Minor releases of version 0 and the contract that each speaks, the newest first. Old ones stay: clusterctl looks the version that
/// is installed up in the newest list, and refuses to upgrade from one that is not there.
pub const SERIES: [(u32, &str); 7] =
    [(8, "v1beta2"), (7, "v1beta2"), (6, "v1beta1"), (5, "v1beta1"), (4, "v1beta1"), (3, "v1beta1"), (1, "v1beta1")];

/// All files of a release; the manager's image is named by digest if it was `built`.
///
/// # Errors
/// When a part of it cannot be made.
pub fn render(root: &Path, built: Option<&str>) -> anyhow::Result<Files> {
    let mut files = Files::new();
    let mut add = |name: &str, content: String| files.insert(name.to_owned(), content);
    let components_text = manifests::installation(Variables::Clusterctl)?;
    let note = "# kubectl apply --server-side -f install.yaml; cert-manager must be there first.\n";
    add(INSTALL, format!("{note}{}", manifests::installation(Variables::Filled)?));
    add("metadata.yaml", metadata()?);
    let monitoring = components::monitoring::documents();
    let monitoring = monitoring.iter().map(manifests::Document::yaml).collect::<anyhow::Result<Vec<_>>>()?;
    add("monitoring.yaml", format!("# Needs the Prometheus Operator.\n{}", monitoring.concat()));
    let templates = templates::render();
    add("variables.env", variables::file(&components_text, &templates)?);
    add("images.txt", images::render(&templates, built)?);
    add(COMPONENTS, components_text);
    let linked = Linked::ask(root, Platform::AMD64)?;
    add("sbom.cdx.json", sbom::render(&linked)?);
    add(licenses::FILE, licenses::render(&linked)?);
    add("LICENSE", fs::read_to_string(root.join("LICENSE")).context("LICENSE")?);
    files.extend(templates);
    let checksums = files.iter().map(|(name, content)| format!("{}  {name}\n", sha256(content.as_bytes()))).collect();
    files.insert(CHECKSUMS.to_owned(), checksums);
    Ok(files)
}

/// Writes a release in place of the one before, and returns the folders of its files and of its artefact.
///
/// # Errors
/// When a part of it cannot be made or written.
pub fn write(root: &Path) -> anyhow::Result<[PathBuf; 2]> {
    let built = image::reference(&root.join(image::FOLDER))?;
    let (folder, files) = (root.join(FOLDER), render(root, built.as_deref())?);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for (name, content) in &files {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    Ok([folder, artefact::write(root, &files)?])
}

/// What clusterctl has to know of versions.
fn metadata() -> anyhow::Result<String> {
    let series = |(minor, contract)| json!({ "major": 0, "minor": minor, "contract": contract });
    let is_there = SERIES.iter().any(|(minor, _)| VERSION.starts_with(&format!("v0.{minor}.")));
    ensure!(is_there, "{VERSION} has no release series: add it to SERIES");
    let metadata = json!({
        "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3",
        "kind": "Metadata",
        "releaseSeries": SERIES.map(series),
    });
    serde_saphyr::to_string(&metadata).context("metadata.yaml")
}

/// The SHA-256 of a content, in hexadecimal.
#[must_use]
pub fn sha256(content: &[u8]) -> String {
    digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
