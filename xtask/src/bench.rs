//! Measurements on a real control plane: builds all programs as they are released, and hands over to `capt-bench`.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::dist;
use crate::workspace::{build, has_go};

/// Builds the manager, the example that measures its memory, and capt-bench; then becomes the latter, so that signals
/// reach it.
///
/// # Errors
/// When one of them cannot be built or started. Else it does not return.
pub fn hand_over(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    if !has_go() {
        println!("bench: no Go on this machine: skipped");
        return Ok(());
    }
    build(root, &["--release", "--locked", "--package", "capt-manager", "--package", "capt-e2e"])?;
    build(root, &["--release", "--locked", "--package", "capt-kube", "--example", "memory"])?;
    let mut command = Command::new(root.join("target/release/capt-bench"));
    command.arg("--root").arg(root);
    // A whole comparison is one of what is shipped; building that takes longer than a short one.
    if !arguments.iter().any(|argument| argument == "--quick") {
        match dist::program(root) {
            Ok(program) => {
                command.arg("--manager").arg(program.path);
            }
            Err(error) => {
                println!("measured is the ordinary release build, for what is shipped cannot be built: {error:#}")
            }
        }
    }
    let error = command.args(arguments).exec();
    Err(error).context("capt-bench does not start")
}
