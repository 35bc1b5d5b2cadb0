//! The platforms that images are for.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

/// A platform, by the names that images and Rust have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// What Go, and so every image, calls the processor.
    pub architecture: &'static str,
    /// What Rust calls it; static programs need musl's C library.
    pub target: &'static str,
    /// What this machine's compiler calls the processor.
    processor: &'static str,
}

impl Platform {
    /// Servers with Intel's and AMD's processors.
    pub const AMD64: Self = Self { architecture: "amd64", target: "x86_64-unknown-linux-musl", processor: "x86_64" };
    /// Servers with ARM's processors.
    pub const ARM64: Self = Self { architecture: "arm64", target: "aarch64-unknown-linux-musl", processor: "aarch64" };
    /// All of them.
    pub const ALL: [Self; 2] = [Self::AMD64, Self::ARM64];

    /// The one of this machine; none if we publish nothing for it.
    #[must_use]
    pub fn here() -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.is_here())
    }

    /// Whether this machine runs its programs.
    #[must_use]
    pub fn is_here(self) -> bool {
        std::env::consts::OS == "linux" && std::env::consts::ARCH == self.processor
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "linux/{}", self.architecture)
    }
}

impl FromStr for Platform {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|platform| platform.to_string() == text) {
            Some(platform) => Ok(platform),
            None => {
                bail!("no platform of ours; there are {}", Self::ALL.map(|platform| platform.to_string()).join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_found_by_the_name_that_it_prints_and_no_other_is() {
        for platform in Platform::ALL {
            assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
        }
        let error = "linux/s390x".parse::<Platform>().unwrap_err();
        assert!(error.to_string().contains("linux/arm64"), "{error}");
    }
}
