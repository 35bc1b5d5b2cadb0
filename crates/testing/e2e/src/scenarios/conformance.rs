//! The suite that memory-apiserver passes in `cargo test`, on the real server: its recordings must still be right.
//!
//! There the suite compares memory-apiserver with the recordings, here it compares kube-apiserver with them, and allows
//! no difference. So a difference between the two servers fails one or the other.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::bail;
use real_control_plane::api_server::ADMIN;
use real_control_plane::process::Process;
use tokio::process::Command;

use crate::stage::Stage;

/// How long it may take, with compiling.
const PATIENCE: Duration = Duration::from_secs(400);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .args(["test", "--locked", "--package", "memory-apiserver", "--test", "conformance"])
        .current_dir(stage.root())
        .env("CONFORMANCE_KUBECONFIG", stage.plane.kubeconfig(ADMIN))
        .env_remove("CONFORMANCE_RECORD");
    let log = stage.folder().join("conformance.log");
    let mut suite = Process::start("the conformance suite", command, &log)?;
    match tokio::time::timeout(PATIENCE, suite.wait()).await {
        Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => Ok(()),
        Ok(status) => bail!("kube-apiserver differs from the recordings, {}: {}", status?, suite.last_lines()),
        Err(_) => bail!("not done after {} s: {}", PATIENCE.as_secs(), suite.last_lines()),
    }
}
