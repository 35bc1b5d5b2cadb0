//! Playing worlds from seeds: builds `capt-simulate`, and hands over to it.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::workspace::build;

/// Builds capt-simulate for speed, then becomes it.
///
/// # Errors
/// When it cannot be built or started. Else it does not return.
pub fn hand_over(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    build(root, &["--release", "--locked", "--package", "capt-simulate"])?;
    let error = Command::new(root.join("target/release/capt-simulate")).args(arguments).exec();
    Err(error).context("capt-simulate does not start")
}
