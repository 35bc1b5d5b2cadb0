//! The public surface of the crates that others import, one line an item, so that nobody changes it unawares:
//! `public-api.txt` beside each `Cargo.toml`.
//!
//! rustdoc writes it as JSON, which is no stable feature, so the compiler is told to allow it, in a target folder of its
//! own: nothing else is built that way. The format belongs to a compiler; with another in `rust-toolchain.toml`, take the
//! release of the crate `public-api` that reads the format of that one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::workspace;

/// The crates that are published.
pub const CRATES: [&str; 2] = ["capt-api", "capt-ipam-core"];

/// Brings the listings up to date, or only complains of what is not.
///
/// # Errors
/// When a crate cannot be documented, or a file cannot be read or written.
pub fn listings(root: &Path, check: bool) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for name in CRATES {
        let file = folder(root, name)?.join("public-api.txt");
        let wanted = listing(root, name)?;
        let present = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        };
        if present == wanted {
            continue;
        }
        if check {
            complaints.push(format!("the public surface of {name} changed; run `cargo xtask public-api`:"));
            complaints.extend(changes(&present, &wanted));
        } else {
            fs::write(&file, &wanted).with_context(|| file.display().to_string())?;
            println!("wrote {}", file.display());
        }
    }
    Ok(complaints)
}

/// The lines that one of two listings has alone: `-` before what is gone, `+` before what is new.
#[must_use]
pub fn changes(present: &str, wanted: &str) -> Vec<String> {
    let alone = |sign: char, of: &str, other: &str| -> Vec<String> {
        let other: std::collections::BTreeSet<&str> = other.lines().collect();
        of.lines().filter(|line| !other.contains(line)).map(|line| format!("{sign}{line}")).collect()
    };
    [alone('-', present, wanted), alone('+', wanted, present)].concat()
}

/// The surface of a crate with all its features. What a derive gives is left out: it is the same for all types.
fn listing(root: &Path, name: &str) -> anyhow::Result<String> {
    let target = root.join("target/public-api");
    let output = Command::new(workspace::program())
        .args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features", "--package", name])
        .arg("--target-dir")
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format", "json", "--cap-lints", "allow"])
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(root)
        .output()
        .context("cargo rustdoc did not start")?;
    if !output.status.success() {
        bail!("{name} was not documented:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    let json = target.join("doc").join(format!("{}.json", name.replace('-', "_")));
    let surface = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .with_context(|| format!("the surface of {name}"))?;
    Ok(surface.items().map(|item| format!("{item}\n")).collect())
}

/// Where a crate lies.
fn folder(root: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let metadata = workspace::cargo(root, &["metadata", "--no-deps", "--format-version", "1", "--locked"])?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let manifest = packages
        .filter(|package| package.get("name").and_then(Value::as_str) == Some(name))
        .find_map(|package| Some(PathBuf::from(package.get("manifest_path")?.as_str()?)))
        .with_context(|| format!("no {name} in this workspace"))?;
    Ok(manifest.parent().context("a Cargo.toml lies in no folder")?.to_path_buf())
}
