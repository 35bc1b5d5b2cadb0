//! Whether a program is fit to be shipped.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use object::elf::{EM_AARCH64, EM_X86_64, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

use super::Platform;

/// The most that the program may weigh, in bytes: it is pulled to every node that runs it.
pub const LIMIT: u64 = 15 * 1024 * 1024;

/// A program that may be shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.bytes * 10 / (1024 * 1024);
        write!(f, "{}: static, {}.{} MiB", self.path.display(), tenths / 10, tenths % 10)
    }
}

/// Whether a program may be shipped.
///
/// # Errors
/// When it cannot be read, needs a loader, or is too large.
pub fn check(path: &Path) -> anyhow::Result<Program> {
    let content = fs::read(path).with_context(|| path.display().to_string())?;
    ensure!(!needs_loader(&content).with_context(|| path.display().to_string())?, "{} is not static", path.display());
    let program = Program { path: path.to_path_buf(), bytes: u64::try_from(content.len())? };
    ensure!(program.bytes <= LIMIT, "{program}, which is more than {} MiB", LIMIT / (1024 * 1024));
    Ok(program)
}

/// Whether a program is static and runs on the processors of a platform.
///
/// # Errors
/// When it needs a loader, or is for another processor.
pub fn is_for(content: &[u8], platform: Platform) -> anyhow::Result<()> {
    ensure!(!needs_loader(content)?, "the program is not static");
    let header = FileHeader64::<Endianness>::parse(content)?;
    let machine = header.e_machine(header.endian()?);
    let wanted = if platform == Platform::ARM64 { EM_AARCH64 } else { EM_X86_64 };
    ensure!(machine == wanted, "the program is for another processor (ELF machine {machine})");
    Ok(())
}

/// Whether the program names an interpreter that loads its libraries.
fn needs_loader(content: &[u8]) -> anyhow::Result<bool> {
    ensure!(FileKind::parse(content)? == FileKind::Elf64, "not a 64-bit ELF file");
    let header = FileHeader64::<Endianness>::parse(content)?;
    let endian = header.endian()?;
    Ok(header.program_headers(endian, content)?.iter().any(|segment| segment.p_type(endian) == PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_a_loader_is_not_shipped() {
        // This test is one.
        let error = check(&std::env::current_exe().unwrap()).unwrap_err();
        assert!(error.to_string().ends_with("is not static"), "{error}");
    }

    #[test]
    fn what_is_no_program_is_not_shipped() {
        let error = check(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").as_path()).unwrap_err();
        assert!(error.to_string().ends_with("Cargo.toml"), "{error}");
    }
}
