//! The file that names the cluster where Tinkerbell is.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, anyhow};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tracing::info;

/// Reads the file. Nothing if the path is empty, or the file is missing or empty: Tinkerbell is in our own cluster.
///
/// # Errors
/// When the file cannot be read, or what it holds cannot be used. The error never quotes it: it holds credentials.
pub async fn read(path: &str) -> anyhow::Result<Option<Config>> {
    if !names_a_cluster(path)? {
        info!(tinkerbellClientMode = "local", "using local Tinkerbell for CRD operations");
        return Ok(None);
    }
    // The causes are left out: they quote the text.
    let kubeconfig = Kubeconfig::read_from(path).map_err(|_| anyhow!("{path} is no valid kubeconfig"))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|_| anyhow!("the kubeconfig {path} names no usable cluster, context and user"))?;
    info!(tinkerbellClientMode = "external", "using external Tinkerbell with JIT per-namespace watches");
    Ok(Some(config))
}

fn names_a_cluster(path: &str) -> anyhow::Result<bool> {
    if path.is_empty() {
        return Ok(false);
    }
    match std::fs::read(Path::new(path)) {
        Ok(content) => Ok(!content.trim_ascii().is_empty()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot read the kubeconfig {path}")),
    }
}
