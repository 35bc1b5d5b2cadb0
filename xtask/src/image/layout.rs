//! An OCI image layout: blobs by their digests, an index over the platforms, and the file that names it. It may hold an artefact in
//! the image's place: files that are not started, each a layer with a title.
//!
//! Formats: image-layout.md, image-index.md, manifest.md (with its guidelines for artefacts) and config.md of the OCI image
//! specification 1.1.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::content::{Origin, entrypoint, labels_of, user};
use super::layer::Layer;
use crate::dist::Platform;
use crate::names::{VERSION, image};
use crate::release::sha256;

/// The file that says that a folder is a layout.
pub const MARK: &str = "oci-layout";
/// The file that names what is in it.
pub const INDEX: &str = "index.json";

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Of a config that says nothing.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// That config.
const EMPTY: &[u8] = b"{}";
/// The name of a file, to tools that write an artefact's layers to a folder.
pub const TITLE: &str = "org.opencontainers.image.title";
/// The tag, to tools that copy from a layout.
pub const TAG: &str = "org.opencontainers.image.ref.name";
/// The whole name, to containerd.
const NAME: &str = "io.containerd.image.name";

/// What names a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// For which platform it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformName>,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A platform, as images name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformName {
    /// The processor.
    pub architecture: String,
    /// The system.
    pub os: String,
}

/// Several images, or the one thing in a layout.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// What this is.
    pub media_type: String,
    /// What it holds.
    pub manifests: Vec<Descriptor>,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// One image, or one artefact.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// What this is.
    pub media_type: String,
    /// What kind of artefact this is; an image is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// How it is started.
    pub config: Descriptor,
    /// Its files.
    pub layers: Vec<Descriptor>,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A file of an artefact.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// What it is called.
    pub title: &'a str,
    /// Its media type.
    pub kind: &'a str,
    /// What is in it.
    pub content: &'a [u8],
}

/// A layout in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    blobs: BTreeMap<String, Vec<u8>>,
    index: Vec<u8>,
    /// The digest of the image: what a registry knows it by.
    pub digest: String,
}

impl Layout {
    /// The layout of an image for these platforms.
    ///
    /// # Errors
    /// When its time is none.
    pub fn of(images: &[(Platform, Layer)], origin: &Origin) -> anyhow::Result<Self> {
        let mut blobs = BTreeMap::new();
        let mut manifests = Vec::new();
        let labels = labels_of(origin);
        for (platform, layer) in images {
            let config = add(&mut blobs, CONFIG_TYPE, config(*platform, layer, origin)?)?;
            let manifest = Manifest {
                schema_version: 2,
                media_type: MANIFEST_TYPE.to_owned(),
                artifact_type: None,
                config,
                layers: vec![add(&mut blobs, LAYER_TYPE, layer.packed.clone())?],
                annotations: labels.clone(),
            };
            let mut manifest = add(&mut blobs, MANIFEST_TYPE, serde_json::to_vec(&manifest)?)?;
            let os = "linux".to_owned();
            manifest.platform = Some(PlatformName { architecture: platform.architecture.to_owned(), os });
            manifests.push(manifest);
        }
        let all = add(&mut blobs, INDEX_TYPE, serde_json::to_vec(&index(manifests, labels))?)?;
        Self::naming(blobs, all, &[(TAG, VERSION), (NAME, &image())])
    }

    /// The layout of an artefact of this kind, with this tag.
    ///
    /// # Errors
    /// When a file is too large to be counted.
    pub fn artefact(
        kind: &str,
        tag: &str,
        annotations: &BTreeMap<String, String>,
        files: &[File<'_>],
    ) -> anyhow::Result<Self> {
        let mut blobs = BTreeMap::new();
        let mut layers = Vec::new();
        for file in files {
            let mut layer = add(&mut blobs, file.kind, file.content.to_vec())?;
            layer.annotations = [(TITLE.to_owned(), file.title.to_owned())].into();
            layers.push(layer);
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            artifact_type: Some(kind.to_owned()),
            config: add(&mut blobs, EMPTY_TYPE, EMPTY.to_vec())?,
            layers,
            annotations: annotations.clone(),
        };
        let manifest = add(&mut blobs, MANIFEST_TYPE, serde_json::to_vec(&manifest)?)?;
        Self::naming(blobs, manifest, &[(TAG, tag)])
    }

    /// A layout that holds one thing, which has these names.
    fn naming(blobs: BTreeMap<String, Vec<u8>>, mut thing: Descriptor, names: &[(&str, &str)]) -> anyhow::Result<Self> {
        let digest = thing.digest.clone();
        thing.annotations = names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let index = serde_json::to_vec(&index(vec![thing], BTreeMap::new()))?;
        Ok(Self { blobs, index, digest })
    }

    /// Every file, by its path in the layout.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let blobs = self.blobs.iter().map(|(digest, content)| (path(digest), content.clone()));
        let mark = json!({ "imageLayoutVersion": "1.0.0" }).to_string().into_bytes();
        blobs.chain([(MARK.to_owned(), mark), (INDEX.to_owned(), self.index.clone())]).collect()
    }

    /// Writes it in place of the one before.
    ///
    /// # Errors
    /// When it cannot be written, or something else lies there.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        if folder.join(MARK).is_file() {
            fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        for (name, content) in self.files() {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
            }
            fs::write(&path, content).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// Where a blob lies in a layout.
#[must_use]
pub fn path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

fn index(manifests: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Index {
    Index { schema_version: 2, media_type: INDEX_TYPE.to_owned(), manifests, annotations }
}

fn add(blobs: &mut BTreeMap<String, Vec<u8>>, kind: &str, content: Vec<u8>) -> anyhow::Result<Descriptor> {
    let digest = format!("sha256:{}", sha256(&content));
    let size = u64::try_from(content.len())?;
    blobs.insert(digest.clone(), content);
    Ok(Descriptor { media_type: kind.to_owned(), digest, size, platform: None, annotations: BTreeMap::new() })
}

fn config(platform: Platform, layer: &Layer, origin: &Origin) -> anyhow::Result<Vec<u8>> {
    let created = Timestamp::from_second(i64::try_from(origin.seconds)?).context("the time of the image")?.to_string();
    let config = json!({
        "created": created,
        "architecture": platform.architecture,
        "os": "linux",
        "config": { "User": user(), "Entrypoint": entrypoint(), "WorkingDir": "/", "Labels": labels_of(origin) },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer.archive))] },
        "history": [{ "created": created, "created_by": "cargo xtask image" }],
    });
    Ok(serde_json::to_vec(&config)?)
}
