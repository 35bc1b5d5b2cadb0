//! Building the program for a platform, with what this machine has.
//!
//! ring and jemalloc are C in part, so a C compiler for musl is needed: musl-gcc for the machine's own processor, zig for any.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use super::Platform;
use crate::workspace::program as cargo;

/// musl's own wrapper of the machine's C compiler.
pub const MUSL_GCC: &str = "musl-gcc";

/// What compiles C for a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compiler {
    MuslGcc,
    Zig,
}

/// What this machine lacks to build for a platform, and how it is to be had; nothing if it lacks nothing.
#[must_use]
pub fn missing(platform: Platform) -> Option<String> {
    let Platform { target, .. } = platform;
    let mut lacks = Vec::new();
    if !has_target(target) {
        lacks.push(format!("rustup target add {target}"));
    }
    if compiler(platform).is_none() {
        let zig = "a C compiler: pip install cargo-zigbuild (brings zig)";
        lacks.push(match platform.is_here() {
            true => format!("{zig}, or {MUSL_GCC} (Debian and Ubuntu: apt-get install musl-tools)"),
            false => zig.to_owned(),
        });
    }
    (!lacks.is_empty()).then(|| lacks.join("; "))
}

/// Whether what is built will carry the list of its packages, as `cargo audit` reads it from the program.
#[must_use]
pub fn is_auditable() -> bool {
    // It does nothing alone, but says so.
    Command::new("cargo-auditable").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Builds the program and returns where it lies.
///
/// # Errors
/// When something is missing, or the build fails.
pub fn build(root: &Path, platform: Platform, profile: &str) -> anyhow::Result<PathBuf> {
    let compiler = match (compiler(platform), missing(platform)) {
        (Some(compiler), None) => compiler,
        (_, missing) => bail!("{platform} cannot be built here: {}", missing.unwrap_or_default()),
    };
    let mut command = Command::new(cargo());
    if is_auditable() {
        command.arg("auditable");
    }
    command.arg(match compiler {
        Compiler::MuslGcc => "build",
        Compiler::Zig => "zigbuild",
    });
    command
        .args(["--locked", "--profile", profile, "--package", "capt-manager", "--target", platform.target])
        .env("CARGO_ENCODED_RUSTFLAGS", without_paths(root)?)
        .current_dir(root);
    if compiler == Compiler::MuslGcc {
        command.env(format!("CC_{}", platform.target.replace('-', "_")), MUSL_GCC);
    }
    let built = command.status().context("cargo did not start")?;
    ensure!(built.success(), "the build for {platform} failed");
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(root.join("target").join(platform.target).join(folder).join("capt-manager"))
}

fn compiler(platform: Platform) -> Option<Compiler> {
    if platform.is_here() && answers(Command::new(MUSL_GCC).arg("--version")) {
        return Some(Compiler::MuslGcc);
    }
    let zig = answers(Command::new("zig").arg("version"))
        || answers(Command::new("python3").args(["-m", "ziglang", "version"]));
    (zig && answers(Command::new("cargo-zigbuild").arg("--version"))).then_some(Compiler::Zig)
}

fn answers(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn has_target(target: &str) -> bool {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output();
    let output = output.ok().filter(|output| output.status.success());
    output.is_some_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// Flags that leave the folders of this machine out of the program: it is the same wherever it was built, and tells nothing of
/// who built it.
fn without_paths(root: &Path) -> anyhow::Result<String> {
    let mut flags = vec![format!("--remap-path-prefix={}=/capt", root.display())];
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).context("no home")?;
    let mut registries = Vec::new();
    for registry in std::fs::read_dir(home.join("registry/src")).into_iter().flatten() {
        registries.push(format!("--remap-path-prefix={}=/registry", registry?.path().display()));
    }
    registries.sort();
    flags.extend(registries);
    // cargo wants this between two of them.
    Ok(flags.join("\u{1f}"))
}
