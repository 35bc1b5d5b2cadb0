//! The model check: builds `capt-model` for speed, and hands over to it.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::workspace::build;

/// Builds capt-model and becomes it, so that signals reach it.
///
/// # Errors
/// When it cannot be built or started. Else it does not return.
pub fn hand_over(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    build(root, &["--profile", "model", "--locked", "--package", "capt-model"])?;
    let error = Command::new(root.join("target/model/capt-model")).args(arguments).exec();
    Err(error).context("capt-model does not start")
}
