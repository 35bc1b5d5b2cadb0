//! The race on a real control plane: builds all programs as they are released, and hands over to `capt-bench`.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::workspace::build;

/// Builds the manager, the example that measures its memory, and capt-bench; then becomes the latter, so that signals
/// reach it.
///
/// # Errors
/// When one of them cannot be built or started. Else it does not return.
pub fn hand_over(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    build(root, &["--release", "--locked", "--package", "capt-manager", "--package", "capt-bench"])?;
    build(root, &["--release", "--locked", "--package", "capt-kube", "--example", "memory"])?;
    let program = root.join("target/release/capt-bench");
    let error = Command::new(program).arg("--root").arg(root).args(arguments).exec();
    Err(error).context("capt-bench does not start")
}
