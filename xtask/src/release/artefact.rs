//! The manifests as an OCI artefact, `out/capt-manifests`: what the Cluster API operator fetches by `fetchConfig.oci`, from any
//! registry that holds a copy, so also where there is no way to GitHub.
//!
//! The operator looks at the titles of the layers and at nothing else. It wants `metadata.yaml`, and the components under the
//! name that clusterctl asks for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::COMPONENTS;
use crate::generated::Files;
use crate::image::content::labels;
use crate::image::layout::{File, Layout, TITLE};
use crate::image::verify;
use crate::names::VERSION;

/// Where the layout is written, from the workspace root.
pub const FOLDER: &str = "out/capt-manifests";
/// What is in it, by title.
pub const CONTENT: [&str; 2] = ["metadata.yaml", COMPONENTS];
/// What kind of artefact it is: one has to be named where no config says how to start something.
const KIND: &str = "application/vnd.tinkerbell.capt.manifests.v1";
const YAML: &str = "application/yaml";

/// The artefact of a release. The same files give the same bytes.
///
/// # Errors
/// When a file is not there.
pub fn of(files: &Files) -> anyhow::Result<Layout> {
    let mut content = Vec::new();
    for title in CONTENT {
        let text = files.get(title).with_context(|| format!("no {title} in the release"))?;
        content.push(File { title, kind: YAML, content: text.as_bytes() });
    }
    let mut annotations = labels();
    annotations.insert(TITLE.to_owned(), "capt-manifests".to_owned());
    Layout::artefact(KIND, VERSION, &annotations, &content)
}

/// Writes the artefact of a release in place of the one before, and reads it back; returns its folder.
///
/// # Errors
/// When it cannot be written, or is not as it has to be.
pub fn write(root: &Path, files: &Files) -> anyhow::Result<PathBuf> {
    let folder = root.join(FOLDER);
    of(files)?.write(&folder)?;
    let wanted = files.iter().filter(|(name, _)| CONTENT.contains(&name.as_str()));
    let wanted: BTreeMap<_, _> = wanted.map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
    ensure!(verify::artefact(&folder)? == wanted, "{} holds something else than the release", folder.display());
    Ok(folder)
}
