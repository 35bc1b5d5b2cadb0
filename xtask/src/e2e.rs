//! Playing on a real control plane: builds what is played with, and hands over to `capt-e2e`.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::dist::Platform;
use crate::dist::build::missing;
use crate::workspace::{build, has_go};
use crate::{image, release};

/// Where the image is written that some scenarios run the manager from.
const IMAGE: &str = "target/e2e-image";
/// Cheaper to build than what is published, and otherwise the same.
const PROFILE: &str = "release";

/// Builds capt-manager with its image, and capt-e2e; then becomes the latter, so that signals reach it.
///
/// # Errors
/// When one of them cannot be built or started. Else it does not return.
pub fn hand_over(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let mut played = Command::new(root.join("target/debug/capt-e2e"));
    played.args(arguments).arg("--root").arg(root);
    // Without Go capt-e2e says that it skips all, and needs no manager; nor does it need one where it plays nothing.
    let plays = !arguments.iter().any(|argument| matches!(argument.as_str(), "--write-versions" | "--help" | "-h"));
    if plays && has_go() {
        // What clusterctl installs in some scenarios.
        release::write(root)?;
        let (manager, image) = manager(root)?;
        played.arg("--manager").arg(manager);
        if let Some(image) = image {
            played.arg("--image").arg(image);
        }
    } else {
        played.arg("--manager").arg(root.join("target/release/capt-manager"));
    }
    build(root, &["--locked", "--package", "capt-e2e"])?;
    Err(played.exec()).context("capt-e2e does not start")
}

/// Builds the manager once for all scenarios: static, as it is published, and packed into its image; or as this machine can.
fn manager(root: &Path) -> anyhow::Result<(PathBuf, Option<PathBuf>)> {
    let say = |line: &str| println!("e2e: {line}");
    let missing = match Platform::here() {
        Some(here) => match missing(here) {
            None => {
                let order = image::Order { platforms: vec![here], profile: PROFILE.to_owned(), revision: None };
                let parts = image::parts(root, &order, say)?;
                let folder = root.join(IMAGE);
                image::write(&parts, &folder)?;
                let program = parts.programs.into_iter().next().context("no program")?;
                return Ok((program, Some(folder)));
            }
            Some(missing) => missing,
        },
        None => "there is none for this kind of machine".to_owned(),
    };
    say(&format!("no image, so the manager runs as an ordinary program: {missing}"));
    build(root, &["--release", "--locked", "--package", "capt-manager"])?;
    Ok((root.join("target/release/capt-manager"), None))
}
