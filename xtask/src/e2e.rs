//! Playing on a real control plane: builds what is played with, and hands over to `capt-e2e`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// Builds capt-manager as it is released, and capt-e2e; then becomes the latter, so that signals reach it.
///
/// # Errors
/// When one of them cannot be built or started. Else it does not return.
pub fn hand_over(root: &Path, command: &str, arguments: &[String]) -> anyhow::Result<()> {
    for build in [
        &["build", "--release", "--locked", "--package", "capt-manager"][..],
        &["build", "--locked", "--package", "capt-e2e"],
    ] {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let status = Command::new(cargo).args(build).current_dir(root).status().context("cargo did not start")?;
        if !status.success() {
            bail!("cargo {} failed", build.join(" "));
        }
    }
    let target = root.join("target");
    let error = Command::new(target.join("debug/capt-e2e"))
        .arg(command)
        .args(arguments)
        .arg("--root")
        .arg(root)
        .arg("--manager")
        .arg(target.join("release/capt-manager"))
        .exec();
    Err(error).context("capt-e2e does not start")
}
