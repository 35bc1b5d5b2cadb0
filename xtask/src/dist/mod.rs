//! The program as it is shipped: static, stripped, with its own allocator, and no larger than it may be.

pub mod build;
pub mod check;
pub mod platform;

use std::path::Path;

pub use check::{Program, check};
pub use platform::Platform;

/// The profile of what is published.
pub const PROFILE: &str = "dist";

/// Builds it for the first platform and checks it.
///
/// # Errors
/// When the toolchain is missing, the build fails, or the program is not fit to be shipped.
pub fn program(root: &Path) -> anyhow::Result<Program> {
    check(&build::build(root, Platform::AMD64, PROFILE)?)
}
