//! Playing on a real control plane: builds what is played with, and hands over to `capt-e2e`.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::release;
use crate::workspace::{build, has_go};

/// Builds capt-manager as it is released, and capt-e2e; then becomes the latter, so that signals reach it.
///
/// # Errors
/// When one of them cannot be built or started. Else it does not return.
pub fn hand_over(root: &Path, names: &[String]) -> anyhow::Result<()> {
    // Without Go capt-e2e says that it skips all, and needs no manager.
    if has_go() {
        // What clusterctl installs in some scenarios.
        release::write(root)?;
        build(root, &["--release", "--locked", "--package", "capt-manager"])?;
    }
    build(root, &["--locked", "--package", "capt-e2e"])?;
    let target = root.join("target");
    let error = Command::new(target.join("debug/capt-e2e"))
        .args(names)
        .arg("--root")
        .arg(root)
        .arg("--manager")
        .arg(target.join("release/capt-manager"))
        .exec();
    Err(error).context("capt-e2e does not start")
}
