//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::workload::Program;

/// Measures CAPT's managers, in Rust and in Go, on one real API server.
///
/// Everything runs on loopback; the Go programs are built from their modules once and kept. Without Go it says so and
/// ends well.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Flags {
    /// A short comparison: 100 machines among 500 Hardware, each program once.
    #[arg(long)]
    pub quick: bool,

    /// How often each program runs; the median counts. 3 by default, 1 with --quick.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub rounds: Option<u32>,

    /// Only the workloads whose name begins like this, such as `compare`; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,

    /// Only this program, `capt-manager` or `go-capt`.
    #[arg(long)]
    pub program: Option<Program>,

    /// Fail when a target is missed.
    #[arg(long)]
    pub strict: bool,

    /// Write all that was measured to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write benchmarks.md and its chart to this folder; a whole comparison does so to `docs` by default.
    #[arg(long, value_name = "FOLDER")]
    pub docs: Option<PathBuf>,

    /// The manager to measure; by default the one that was built beside this program.
    #[arg(long, value_name = "FILE")]
    pub manager: Option<PathBuf>,

    /// The workspace: programs are built and logs lie in its `target`.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub root: PathBuf,
}

impl Flags {
    /// How often each program runs.
    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// Where cargo puts things, and so do we.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Where benchmarks.md is to be written, if it is.
    pub fn docs(&self) -> Option<PathBuf> {
        let is_whole = !self.quick && self.only.is_empty() && self.program.is_none();
        self.docs.clone().or_else(|| is_whole.then(|| self.root.join("docs")))
    }
}
