//! The licences of everything in the program, with their texts: most of them ask that these travel with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;

use super::linked::{Linked, Package};

/// What the file is called.
pub const FILE: &str = "THIRD-PARTY.txt";
/// How the names of files with licences begin.
const NAMES: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];
/// Folders of a package in which it keeps the sources of others are this deep.
const DEPTH: usize = 1;

/// What is linked but is no package.
const TOOLCHAIN: &str = "\
The Rust standard library, MIT OR Apache-2.0, by the Rust project's contributors (https://github.com/rust-lang/rust)
musl, MIT, copyright (c) 2005-2020 Rich Felker and others (https://musl.libc.org)
";

/// The file. The same packages give the same bytes.
///
/// # Errors
/// When a text cannot be read.
pub fn render(linked: &Linked) -> anyhow::Result<String> {
    let (mut list, mut texts) = (String::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for (package, _) in linked.packages.iter().filter(|(package, _)| package.source.is_some()) {
        let Package { name, version, license, .. } = package;
        let license = license.as_deref().unwrap_or("see its text");
        list.push_str(&format!("{name} {version}, {license}\n"));
        for text in texts_of(package)? {
            texts.entry(text).or_default().insert(format!("{name} {version}"));
        }
    }
    // Texts come in the order of who has them, not of their first words.
    let mut texts: Vec<(BTreeSet<String>, String)> = texts.into_iter().map(|(text, names)| (names, text)).collect();
    texts.sort();
    let mut file = format!("What is in capt-manager besides its own code.\n\n{list}{TOOLCHAIN}");
    for (names, text) in texts {
        let names: Vec<String> = names.into_iter().collect();
        file.push_str(&format!("\n{}\n{}\n\n{text}\n", "=".repeat(80), names.join(", ")));
    }
    Ok(file)
}

fn texts_of(package: &Package) -> anyhow::Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    read(package.folder(), 0, &mut texts).with_context(|| package.name.clone())?;
    Ok(texts)
}

fn read(folder: &Path, depth: usize, texts: &mut BTreeSet<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (name, path) = (entry.file_name().to_string_lossy().to_lowercase(), entry.path());
        let is_folder = entry.file_type()?.is_dir();
        let is_license = NAMES.iter().any(|begin| name.starts_with(begin));
        if is_folder && (depth < DEPTH || is_license) {
            read(&path, depth + 1, texts)?;
        } else if !is_folder && is_license && !name.ends_with(".rs") {
            let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
            // Some have the line ends of another system.
            texts.insert(String::from_utf8_lossy(&text).replace("\r\n", "\n").trim_end().to_owned());
        }
    }
    Ok(())
}
