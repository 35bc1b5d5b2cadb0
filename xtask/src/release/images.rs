//! Every image that an installation pulls, one a line, for who copies them to a registry of his own.

use std::collections::BTreeSet;

use anyhow::Context;
use capt_reconciler::template::DEFAULT_IMAGES;

use super::variables;
use crate::generated::Files;
use crate::names::image;

/// The list: the manager, what the cluster templates start on machines, what the default template of Tinkerbell runs on servers.
/// They are named by tag, as they are pulled; the actions have none, so they are pulled as `latest`. The manager's is named by digest
/// besides where its image was built.
///
/// # Errors
/// When a template has no image of kube-vip.
pub fn render(templates: &Files, built: Option<&str>) -> anyhow::Result<String> {
    let mut images = BTreeSet::from([built.map_or_else(image, str::to_owned)]);
    for (name, text) in templates {
        let default = variables::of(text)?.remove("KUBE_VIP_IMAGE").flatten();
        images.insert(default.with_context(|| format!("{name} starts no kube-vip"))?);
    }
    images.extend(DEFAULT_IMAGES.map(str::to_owned));
    Ok(images.into_iter().map(|image| image + "\n").collect())
}
