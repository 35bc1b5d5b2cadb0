//! Where this workspace lies, and how to ask cargo about it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The folder of the root `Cargo.toml`. Asked at run time: a built xtask may be run in another checkout.
///
/// # Errors
/// When cargo cannot be run, or neither xtask's folder nor the current one lies in a workspace.
pub fn root() -> anyhow::Result<PathBuf> {
    // cargo sets CARGO_MANIFEST_DIR for `cargo run` and `cargo test`.
    let here = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::current_dir()?,
    };
    let manifest = cargo(&here, &["locate-project", "--workspace", "--message-format", "plain"])?;
    let root = Path::new(manifest.trim()).parent().context("the workspace's Cargo.toml lies in no folder")?;
    Ok(root.to_path_buf())
}

/// Runs cargo in `folder` and returns what it prints.
///
/// # Errors
/// When it cannot be started or fails; the error carries what it said.
pub fn cargo(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    output(program(), folder, arguments)
}

/// Runs a program in `folder` and returns what it prints.
///
/// # Errors
/// When it cannot be started or fails; the error carries what it said.
pub fn output(program: impl AsRef<OsStr>, folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let name = Path::new(program.as_ref()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let command = format!("{name} {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("{command} did not start"))?;
    if !output.status.success() {
        bail!("{command} failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{command} did not print UTF-8"))
}

/// Lets cargo build what the arguments name, before the user's eyes.
///
/// # Errors
/// When it cannot be started or fails.
pub fn build(root: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(program());
    let status = command.arg("build").args(arguments).current_dir(root).status().context("cargo did not start")?;
    if !status.success() {
        bail!("cargo build {} failed", arguments.join(" "));
    }
    Ok(())
}

/// Whether this machine has Go. What is played on a real control plane is skipped without, and not built for it.
pub fn has_go() -> bool {
    Command::new("go").arg("version").output().is_ok_and(|output| output.status.success())
}

/// How cargo is started.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}
