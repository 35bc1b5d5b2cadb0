//! Fuzzing what reads bytes of others: each target of `crates/testing/fuzz/libfuzzer` for some time.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// Where the targets are.
const FOLDER: &str = "crates/testing/fuzz/libfuzzer";

/// Runs the targets with these names, or all, each for so many seconds. Says so and does nothing where cargo-fuzz is missing.
///
/// # Errors
/// When a target is unknown, cannot be built, or finds something.
pub fn run(root: &Path, names: &[String], seconds: u64) -> anyhow::Result<()> {
    let folder = root.join(FOLDER);
    let targets = targets(&folder)?;
    if let Some(unknown) = names.iter().find(|name| !targets.contains(name)) {
        bail!("there is no target {unknown}; there are {}", targets.join(", "));
    }
    let wanted: Vec<&String> = targets.iter().filter(|target| names.is_empty() || names.contains(target)).collect();
    if !succeeds("cargo", &["fuzz", "--version"]) {
        println!(
            "fuzz: no cargo-fuzz on this machine (cargo install cargo-fuzz): {} targets skipped; cargo test -p capt-fuzz runs \
             the same functions over broken seeds",
            wanted.len()
        );
        return Ok(());
    }
    // Sanitizers need a nightly compiler. There is no unsafe code of ours for them to watch.
    let sanitizer = if is_nightly() { "address" } else { "none" };
    for target in wanted {
        println!("fuzz: {target} for {seconds} s, sanitizer {sanitizer}");
        let corpus = folder.join("corpus").join(target);
        std::fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
        let built = Command::new("cargo")
            .args(["fuzz", "build", "--fuzz-dir", FOLDER, "--sanitizer", sanitizer, target])
            .current_dir(root)
            .status();
        if !built.context("cargo fuzz does not start")?.success() {
            bail!("{target} cannot be built");
        }
        let status = Command::new("cargo")
            .args(["fuzz", "run", "--fuzz-dir", FOLDER, "--sanitizer", sanitizer, target])
            .arg(&corpus)
            .arg(folder.join("seeds").join(target))
            .arg("--")
            .args([format!("-max_total_time={seconds}"), "-timeout=10".to_owned(), "-max_len=16384".to_owned()])
            .arg("-print_final_stats=1")
            .current_dir(root)
            .status()
            .context("cargo fuzz does not start")?;
        if !status.success() {
            bail!("{target} found something; the input is in {}", folder.join("artifacts").join(target).display());
        }
    }
    Ok(())
}

/// Names of the targets, sorted.
///
/// # Errors
/// When the folder cannot be read.
pub fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let files = std::fs::read_dir(folder.join("fuzz_targets")).context("no targets to fuzz")?;
    let mut names = Vec::new();
    for file in files {
        names.extend(file?.path().file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn is_nightly() -> bool {
    let version = Command::new("rustc").arg("--version").output();
    version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("nightly"))
}
