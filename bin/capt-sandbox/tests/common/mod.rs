//! What tests with a real kubectl share.

use std::path::{Path, PathBuf};

/// The `kubectl` of `KUBEBUILDER_ASSETS`, of the programs that the end-to-end tests have built, or of the path.
pub fn kubectl() -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/real-control-plane");
    let folders = std::fs::read_dir(built).into_iter().flatten().flatten().map(|folder| folder.path().join("bin"));
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = assets.into_iter().chain(folders).chain(std::env::split_paths(&path).collect::<Vec<_>>());
    all.map(|folder| folder.join("kubectl")).find(|program| program.is_file())
}
