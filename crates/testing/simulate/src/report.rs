//! What came of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was broken, without names: two runs fail alike if this is the same.
    pub kind: String,
    /// What was wrong, with names.
    pub what: String,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was wrong, in the order it was seen.
    pub failures: Vec<Failure>,
    /// Every write, as a line each; the same for the same plan.
    pub trace: Vec<String>,
    /// Writes of the manager.
    pub writes: u64,
    /// Writes of anybody at which the rules were checked.
    pub checks: u64,
    /// What happened, by kind; requests that failed count one by one.
    pub happened: BTreeMap<&'static str, u64>,
    /// Machines that were ready once.
    pub ready: u64,
    /// Machines that came to their end.
    pub released: u64,
    /// How long it took in the world's own time.
    pub simulated: Duration,
}

impl Report {
    pub(crate) fn fail(&mut self, kind: impl Into<String>, what: impl Into<String>) {
        self.failures.push(Failure { kind: kind.into(), what: what.into() });
    }

    /// Whether the run fails the way that another one did first.
    #[must_use]
    pub fn fails_like(&self, kind: &str) -> bool {
        self.failures.iter().any(|failure| failure.kind == kind)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.what)
    }
}
