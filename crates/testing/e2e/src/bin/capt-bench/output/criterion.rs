//! The numbers that `cargo bench` left behind.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Name and median in nanoseconds of every bench below `target/criterion`, sorted by name; none if none was run.
pub fn medians(target: &Path) -> Vec<(String, f64)> {
    let root = target.join("criterion");
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root];
    while let Some(folder) = folders.pop() {
        found.extend(median(&folder.join("new")));
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn median(folder: &Path) -> Option<(String, f64)> {
    let read = |name: &str| -> Option<Value> { serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok() };
    let name = read("benchmark.json")?.get("full_id")?.as_str()?.to_owned();
    let nanoseconds = read("estimates.json")?.pointer("/median/point_estimate")?.as_f64()?;
    Some((name, nanoseconds))
}

/// A time in the unit that suits it.
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n >= 1e6 => format!("{:.2} ms", n / 1e6),
        n if n >= 1e3 => format!("{:.2} µs", n / 1e3),
        n => format!("{n:.0} ns"),
    }
}
