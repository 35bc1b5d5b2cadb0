//! The CustomResourceDefinitions as files: `deploy/crds/<group>_<plural>.yaml`.

use anyhow::Context;

use crate::generated::{Files, Folder};

/// Where the files lie.
pub const FOLDER: Folder = Folder { path: "deploy/crds", command: "crds" };

/// The files as the types of `capt-api` want them now.
///
/// # Errors
/// When a definition cannot be written as YAML.
pub fn render() -> anyhow::Result<Files> {
    capt_api::crds()?
        .into_iter()
        .map(|crd| {
            let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            let yaml = serde_saphyr::to_string(&crd).with_context(|| format!("{name} cannot be written"))?;
            Ok((name, format!("{}\n---\n{}\n", FOLDER.header(), yaml.trim_end())))
        })
        .collect()
}
