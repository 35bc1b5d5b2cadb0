//! The three numbered series, and where they are kept.

use std::collections::BTreeSet;

use super::Source;

/// Where decisions are.
pub const DECISIONS: &str = "docs/decisions.md";
/// Where differences from Go CAPT are.
pub const DIFFERENCES: &str = "docs/compatibility.md";
/// Where rules are.
pub const RULES: &str = "docs/ARCHITECTURE.md";

/// The numbers there are.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    /// `## 12. …` in the decisions.
    pub decisions: BTreeSet<u32>,
    /// Rows of the comparison whose first column is a D and the number.
    pub differences: BTreeSet<u32>,
    /// Rows of the architecture whose first column is the number.
    pub rules: BTreeSet<u32>,
}

impl Anchors {
    /// Reads them, and complains of a series that is empty or does not count 1, 2, 3.
    #[must_use]
    pub fn read(sources: &[Source]) -> (Self, Vec<String>) {
        let mut complaints = Vec::new();
        let mut series = |path: &str, number: fn(&str) -> Option<u32>| {
            let text = sources.iter().find(|source| source.path == path).map_or("", |source| &source.text);
            let numbers: Vec<u32> = text.lines().filter_map(number).collect();
            let in_order = (1..).zip(&numbers).all(|(expected, number)| expected == *number);
            if numbers.is_empty() || !in_order {
                complaints.push(format!("{path}: its numbers do not count 1, 2, 3 to the end: {numbers:?}"));
            }
            numbers.into_iter().collect()
        };
        let anchors = Self {
            decisions: series(DECISIONS, decision),
            differences: series(DIFFERENCES, |line| row(line, "| D")),
            rules: series(RULES, |line| row(line, "| ")),
        };
        (anchors, complaints)
    }
}

fn decision(line: &str) -> Option<u32> {
    line.strip_prefix("## ")?.trim_start_matches("~~").split_once('.')?.0.parse().ok()
}

/// The number in the first column of a table's row.
fn row(line: &str, start: &str) -> Option<u32> {
    line.strip_prefix(start)?.split_once(" |")?.0.parse().ok()
}
