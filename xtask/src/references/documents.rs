//! What the documents name: files and folders, tests, other pages and their headings.

use std::path::Path;

use anyhow::Context;
use regex::Regex;

use super::Source;

/// Folders of the workspace. A name in backticks that begins with one of them is a path.
const FOLDERS: &[&str] = &["crates/", "bin/", "docs/", "xtask/", "deploy/", ".ci/"];

/// Whether `source` is a page for readers of this repository: it lies at the root or in `docs`.
#[must_use]
pub fn is_ours(source: &Source) -> bool {
    source.path.ends_with(".md") && (source.path.starts_with("docs/") || !source.path.contains('/'))
}

/// What the page names and the repository does not have, as sentences.
///
/// # Errors
/// When a pattern of this file is none.
pub fn check(root: &Path, page: &Source, sources: &[Source]) -> anyhow::Result<Vec<String>> {
    let code = Regex::new("`([^`\n]+)`")?;
    let link = Regex::new(r"\]\(([^)\s]+)\)")?;
    let mut complaints = Vec::new();
    let mut fenced = false;
    for (number, line) in page.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let names =
            code.captures_iter(line).filter_map(|found| found.get(1)).filter_map(|name| named(root, name.as_str()));
        let links = link.captures_iter(line).filter_map(|found| found.get(1));
        let links = links.filter_map(|target| linked(root, page, target.as_str(), sources));
        complaints.extend(names.chain(links).map(|what| format!("{}:{}: {what}", page.path, number + 1)));
    }
    Ok(complaints)
}

/// What is wrong with a name in backticks: `folder/file`, or `folder/file.rs::test`.
fn named(root: &Path, name: &str) -> Option<String> {
    let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder));
    if !is_path || name.contains([' ', '*', '<', '{', '$', '…']) {
        return None;
    }
    let (path, function) = name.split_once("::").map_or((name, None), |(path, function)| (path, Some(function)));
    if !root.join(path).exists() {
        return Some(format!("there is no {path}"));
    }
    let function = function?;
    let text = std::fs::read_to_string(root.join(path)).context(path.to_owned());
    let is_there = text.is_ok_and(|text| text.contains(&format!("fn {function}(")));
    (!is_there).then(|| format!("there is no {function} in {path}"))
}

/// What is wrong with a link to a file or a heading of this repository.
fn linked(root: &Path, page: &Source, target: &str, sources: &[Source]) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let folder = Path::new(&page.path).parent().unwrap_or(Path::new(""));
    let path = if file.is_empty() { page.path.clone() } else { joined(folder, file) };
    if !root.join(&path).exists() {
        return Some(format!("the link {target} leads to no file"));
    }
    let heading = heading?;
    let text = sources.iter().find(|source| source.path == path).map(|source| source.text.as_str())?;
    let is_there = text.lines().any(|line| line.starts_with('#') && slug(line) == heading);
    (!is_there).then(|| format!("the link {target} leads to no heading"))
}

/// `docs` and `../README.md` make `README.md`.
fn joined(folder: &Path, file: &str) -> String {
    let mut parts: Vec<&str> = folder.to_str().unwrap_or_default().split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchor that GitHub makes of a heading.
fn slug(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
