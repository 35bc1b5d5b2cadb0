//! A real kubectl, where there is one.

use std::path::{Path, PathBuf};

/// The `kubectl` of `KUBEBUILDER_ASSETS`, of the programs that `cargo xtask e2e` has built, or of the path; says so where there
/// is none.
pub fn kubectl() -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/real-control-plane");
    let folders = std::fs::read_dir(built).into_iter().flatten().flatten().map(|folder| folder.path().join("bin"));
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = assets.into_iter().chain(folders).chain(std::env::split_paths(&path).collect::<Vec<_>>());
    let found = all.map(|folder| folder.join("kubectl")).find(|program| program.is_file());
    if found.is_none() {
        println!("SKIPPED: there is no kubectl in KUBEBUILDER_ASSETS, target/real-control-plane or PATH");
    }
    found
}
