//! What the manager takes while there is nothing to manage.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use real_control_plane::control_plane::ControlPlane;

use crate::program::{Files, Manager};
use crate::workload::Program;

/// How long it has nothing to do before it is measured.
const REST: Duration = Duration::from_secs(20);

/// The resident memory of our manager on the empty API server, in MiB, with all it watches and serves.
///
/// # Errors
/// When it does not run.
pub async fn memory_mib(files: &Files, plane: &ControlPlane, folder: &Path) -> anyhow::Result<f64> {
    let folder = folder.join("idle");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut manager = Manager::start(Program::CaptManager, files, plane, &folder).await?;
    tokio::time::sleep(REST).await;
    let memory = manager.usage()?.memory;
    manager.process.stop().await?;
    Ok(memory as f64 / f64::from(1 << 20))
}
