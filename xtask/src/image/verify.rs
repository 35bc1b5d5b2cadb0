//! Reading a layout back, and what has to be true of it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, ensure};
use flate2::read::GzDecoder;
use serde_json::Value;

use super::content::{FILES, LICENSE, PROGRAM, REVISION, SBOM, THIRD_PARTY, VERSION_LABEL, entrypoint, labels, user};
use super::layout::{Descriptor, INDEX, Index, MARK, Manifest, TITLE, path};
use crate::dist::{Platform, check};
use crate::release::sha256;

/// The one index that a layout holds.
#[derive(Clone, Debug)]
pub struct Whole {
    descriptor: Descriptor,
    index: Index,
}

impl Whole {
    /// The digest of the image: what a registry knows it by.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.descriptor.digest
    }

    /// The version that it says it is.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.index.annotations.get(VERSION_LABEL).map(String::as_str)
    }
}

/// Reads the index.
///
/// # Errors
/// When the folder is no layout, holds several images, or something is not what its digest says.
pub fn index(folder: &Path) -> anyhow::Result<Whole> {
    let descriptor = held(folder)?;
    let index = serde_json::from_slice(&blob(folder, &descriptor)?).context("the index")?;
    Ok(Whole { descriptor, index })
}

/// Reads the files of an artefact, by their titles.
///
/// # Errors
/// When the folder is no layout, what it holds is no artefact, or something is not what its digest says.
pub fn artefact(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let manifest: Manifest = serde_json::from_slice(&blob(folder, &held(folder)?)?).context("the manifest")?;
    ensure!(manifest.artifact_type.is_some(), "it is no artefact");
    blob(folder, &manifest.config).context("the config")?;
    let mut files = BTreeMap::new();
    for layer in &manifest.layers {
        let title = layer.annotations.get(TITLE).context("a file without a title")?;
        files.insert(title.clone(), blob(folder, layer).with_context(|| title.clone())?);
    }
    ensure!(files.len() == manifest.layers.len(), "two files have one title");
    Ok(files)
}

/// What names the one thing in a layout.
fn held(folder: &Path) -> anyhow::Result<Descriptor> {
    let mark = read(&folder.join(MARK))?;
    let mark: Value = serde_json::from_slice(&mark).context(MARK)?;
    ensure!(mark.pointer("/imageLayoutVersion").and_then(Value::as_str) == Some("1.0.0"), "{mark}");
    let top: Index = serde_json::from_slice(&read(&folder.join(INDEX))?).context(INDEX)?;
    let [descriptor] = top.manifests.as_slice() else {
        anyhow::bail!("{INDEX} names {} things", top.manifests.len());
    };
    Ok(descriptor.clone())
}

/// Reads every image of a layout and judges it.
///
/// # Errors
/// When something is not as it has to be.
pub fn layout(folder: &Path) -> anyhow::Result<()> {
    let whole = index(folder)?;
    ensure!(!whole.index.manifests.is_empty(), "an image for no platform");
    for descriptor in &whole.index.manifests {
        let named = descriptor.platform.as_ref().context("an image without a platform")?;
        let platform: Platform = format!("{}/{}", named.os, named.architecture).parse()?;
        image(folder, platform, descriptor).with_context(|| platform.to_string())?;
    }
    Ok(())
}

fn image(folder: &Path, platform: Platform, descriptor: &Descriptor) -> anyhow::Result<()> {
    let manifest: Manifest = serde_json::from_slice(&blob(folder, descriptor)?).context("the manifest")?;
    let config: Value = serde_json::from_slice(&blob(folder, &manifest.config)?).context("the config")?;
    ensure!(config.get("architecture").and_then(Value::as_str) == Some(platform.architecture), "{config}");
    is_started_as_it_should_be(&config)?;
    let [layer] = manifest.layers.as_slice() else { anyhow::bail!("{} layers", manifest.layers.len()) };
    let mut archive = Vec::new();
    GzDecoder::new(blob(folder, layer)?.as_slice()).read_to_end(&mut archive).context("the layer")?;
    let named = config.pointer("/rootfs/diff_ids/0").and_then(Value::as_str);
    ensure!(named == Some(&format!("sha256:{}", sha256(&archive))), "the config names another layer: {named:?}");
    let files = files(&archive)?;
    let program = files.get(PROGRAM).with_context(|| format!("no {PROGRAM}"))?;
    check::is_for(program, platform)?;
    for path in [LICENSE, THIRD_PARTY] {
        let text = files.get(path).with_context(|| format!("no {path}"))?;
        ensure!(String::from_utf8_lossy(text).contains("Apache"), "{path} holds no licence");
    }
    let bill: Value = serde_json::from_slice(files.get(SBOM).context("no bill of materials")?).context(SBOM)?;
    ensure!(bill.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX"), "{SBOM} is no bill of materials");
    Ok(())
}

fn is_started_as_it_should_be(config: &Value) -> anyhow::Result<()> {
    let of = |member: &str| config.pointer(&format!("/config/{member}")).cloned().unwrap_or_default();
    ensure!(of("User") == user(), "it is started as {}", of("User"));
    ensure!(of("Entrypoint") == Value::from(entrypoint()), "it starts {}", of("Entrypoint"));
    let mut found: BTreeMap<String, String> = serde_json::from_value(of("Labels")).context("labels")?;
    found.remove(REVISION);
    ensure!(found == labels(), "its labels are {found:?}");
    Ok(())
}

/// The files of a layer; fails where something is not root's, could be written by others, has another mode than it should, or is
/// neither file nor folder.
fn files(archive: &[u8]) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let modes = BTreeMap::from(FILES);
    let mut files = BTreeMap::new();
    let mut times = std::collections::BTreeSet::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let (path, header) = (entry.path()?.display().to_string(), entry.header().clone());
        ensure!((header.uid()?, header.gid()?) == (0, 0), "{path} is not root's");
        times.insert(header.mtime()?);
        if header.entry_type().is_dir() {
            ensure!(header.mode()? == 0o755, "{path} has mode {:o}", header.mode()?);
            continue;
        }
        ensure!(header.entry_type().is_file(), "{path} is no file");
        ensure!(modes.get(path.as_str()) == Some(&header.mode()?), "{path} has mode {:o}", header.mode()?);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).with_context(|| path.clone())?;
        files.insert(path, content);
    }
    ensure!(files.len() == FILES.len(), "the layer holds {:?}", files.keys());
    ensure!(times.len() == 1, "the files are of different times");
    Ok(files)
}

fn blob(folder: &Path, descriptor: &Descriptor) -> anyhow::Result<Vec<u8>> {
    let content = read(&folder.join(path(&descriptor.digest)))?;
    let digest = format!("sha256:{}", sha256(&content));
    ensure!(digest == descriptor.digest, "{} holds {digest}", descriptor.digest);
    ensure!(u64::try_from(content.len())? == descriptor.size, "{digest} is not {} bytes", descriptor.size);
    Ok(content)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}
