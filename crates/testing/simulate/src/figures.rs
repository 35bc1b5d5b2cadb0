//! What many runs came to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::report::Report;

/// Sums over many runs.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    seeds: u64,
    failed: u64,
    writes: u64,
    checks: u64,
    ready: u64,
    released: u64,
    simulated: Duration,
    happened: BTreeMap<&'static str, u64>,
    /// How many runs failed, by what failed first.
    failures: BTreeMap<String, u64>,
}

impl Figures {
    /// Adds a run.
    pub fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.writes += report.writes;
        self.checks += report.checks;
        self.ready += report.ready;
        self.released += report.released;
        self.simulated += report.simulated;
        for (kind, times) in &report.happened {
            *self.happened.entry(kind).or_default() += times;
        }
        if let Some(first) = report.failures.first() {
            self.failed += 1;
            *self.failures.entry(first.kind.clone()).or_default() += 1;
        }
    }

    /// Adds other sums.
    pub fn join(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.failed += other.failed;
        self.writes += other.writes;
        self.checks += other.checks;
        self.ready += other.ready;
        self.released += other.released;
        self.simulated += other.simulated;
        for (kind, times) in &other.happened {
            *self.happened.entry(kind).or_default() += times;
        }
        for (kind, times) in &other.failures {
            *self.failures.entry(kind.clone()).or_default() += times;
        }
    }

    /// How many runs failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: u64| writeln!(f, "{value:>12}  {name}");
        row("seeds", self.seeds)?;
        row("of them failed", self.failed)?;
        row("hours in the worlds' own time", self.simulated.as_secs() / 3600)?;
        row("machines that became ready", self.ready)?;
        row("machines that came to their end", self.released)?;
        row("writes of the manager", self.writes)?;
        row("checks of the rules", self.checks)?;
        for (kind, times) in &self.happened {
            row(kind, *times)?;
        }
        for (kind, times) in &self.failures {
            row(&format!("failed first by: {kind}"), *times)?;
        }
        Ok(())
    }
}
