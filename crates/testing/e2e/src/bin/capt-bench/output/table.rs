//! Tables for a terminal.

use crate::output::{MEASURES, number, ratio};
use crate::results::Results;
use crate::targets::Target;
use crate::workload::Program;

/// All medians: a column for each workload and program.
pub fn table(results: &Results) -> String {
    let mut head = vec![String::new()];
    let mut below = vec!["machines/Hardware".to_owned()];
    for result in &results.results {
        head.push(format!("{} {}", result.workload.name, result.program.name()));
        below.push(format!("{}/{}", result.workload.machines, result.workload.hardware));
    }
    let mut rows = vec![head, below];
    for measure in MEASURES {
        let label = if measure.unit.is_empty() {
            measure.name.to_owned()
        } else {
            format!("{}, {}", measure.name, measure.unit)
        };
        let values = results.results.iter().map(|result| number((measure.of)(&result.median)));
        rows.push(std::iter::once(label).chain(values).collect());
    }
    aligned(&rows)
}

/// Each aim, and whether it is reached.
pub fn targets(targets: &[Target]) -> String {
    let mut rows = vec![["target".to_owned(), "at most".to_owned(), "measured".to_owned(), String::new()].to_vec()];
    for target in targets {
        rows.push(vec![
            target.what.to_owned(),
            limit(target, target.limit),
            target.value.map_or_else(|| "-".to_owned(), |value| limit(target, value)),
            verdict(target).to_owned(),
        ]);
    }
    aligned(&rows)
}

/// A target's number: those below 1 are parts of what the Go program needs.
pub fn limit(target: &Target, value: f64) -> String {
    if target.limit > 0.0 && target.limit < 1.0 { ratio(value) } else { number(value) }
}

/// In one word.
pub fn verdict(target: &Target) -> &'static str {
    match target.is_met() {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "not measured",
    }
}

/// What readers call a program.
pub fn title(program: Program) -> &'static str {
    match program {
        Program::CaptManager => "CAPT in Rust",
        Program::GoCapt => "Go CAPT",
    }
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match column {
                0 => line.push_str(&format!("{cell:width$}")),
                _ => line.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
