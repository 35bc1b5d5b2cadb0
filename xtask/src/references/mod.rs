//! No dangling reference: what a comment or a document cites is in this repository.
//!
//! Three series are numbered: decisions in `docs/decisions.md`, differences from Go CAPT in `docs/compatibility.md`, rules in
//! `docs/ARCHITECTURE.md`. Comments may cite these, and nothing else by number. The documents name only files, tests and
//! headings that there are.

pub mod anchors;
pub mod citations;
pub mod documents;
pub mod text;

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Folders that hold what cargo makes, and what was recorded from the programs of others.
const SKIPPED: &[&str] = &["target", "out", "golden", "node_modules"];

/// Endings of the files that are looked at.
const ENDINGS: &[&str] = &["rs", "md", "yaml", "yml", "toml"];

/// One file, by its path from the root of the workspace.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path from the root, with `/` between the folders.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Every way in which the tree at `root` cites what is not there, as sentences; none when all is well.
///
/// # Errors
/// When a file or folder cannot be read.
pub fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let sources = read(root)?;
    let (anchors, mut complaints) = anchors::Anchors::read(&sources);
    let forms = citations::Forms::new()?;
    for source in &sources {
        complaints.extend(citations::check(&forms, source, &anchors));
        if documents::is_ours(source) {
            complaints.extend(documents::check(root, source, &sources)?);
        }
    }
    Ok(complaints)
}

/// All files of the tree that may cite something, by path.
///
/// # Errors
/// When a file or folder cannot be read.
pub fn read(root: &Path) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if is_looked_into(&path) {
                    folders.push(path);
                }
            } else if has_ending(&path) {
                sources.push(source(root, path)?);
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn is_looked_into(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    !name.starts_with('.') && !SKIPPED.contains(&name)
}

fn has_ending(file: &Path) -> bool {
    file.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

fn source(root: &Path, path: PathBuf) -> anyhow::Result<Source> {
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
    Ok(Source { path, text })
}
