//! What the user sees: a live view on a terminal, plain lines elsewhere, nothing but the last line with JSON.

use std::io::Write as _;
use std::time::{Duration, Instant};

use console::{Term, truncate_str};

use crate::board::{Address, Board, Row, Stage};
use crate::flags::Output;

/// With more machines than this they are counted, not listed.
const FEW: usize = 20;
/// How many of those that wait are shown where machines are counted.
const WAITING: usize = 8;
/// Time between two drawings on a terminal.
const FRAME: Duration = Duration::from_millis(100);
/// Time between two lines of counts elsewhere.
const COUNTS: Duration = Duration::from_secs(1);

enum Mode {
    /// The last lines on the terminal are drawn anew.
    Live {
        term: Term,
        drawn: usize,
    },
    Plain,
    Silent,
}

/// The user's screen.
pub struct Screen {
    mode: Mode,
    few: bool,
    last: Option<Instant>,
    counts: String,
}

impl Screen {
    /// A screen for that many machines.
    pub fn new(output: Output, machines: usize) -> Self {
        let term = Term::stdout();
        let mode = match output {
            Output::Json => Mode::Silent,
            Output::Text if term.is_term() => Mode::Live { term, drawn: 0 },
            Output::Text => Mode::Plain,
        };
        Self { mode, few: machines <= FEW, last: None, counts: String::new() }
    }

    /// A line that stays.
    pub fn say(&mut self, line: &str) {
        match &mut self.mode {
            Mode::Live { term, drawn } => {
                // A terminal that went away is no reason to stop.
                let _ = term.clear_last_lines(std::mem::take(drawn));
                let _ = term.write_line(line);
            }
            Mode::Plain => print_line(line),
            Mode::Silent => {}
        }
    }

    /// Shows how far the machines are. To be called often; it decides itself when to draw.
    pub fn show(&mut self, board: &Board) {
        match &mut self.mode {
            Mode::Silent => drop(board.take_news()),
            Mode::Live { term, drawn } => {
                drop(board.take_news());
                if self.last.is_some_and(|last| last.elapsed() < FRAME) {
                    return;
                }
                self.last = Some(Instant::now());
                let (height, width) = term.size();
                let mut lines = if self.few { listed(&board.rows()) } else { counted(board) };
                // What does not fit could not be cleared again.
                lines.truncate(usize::from(height).saturating_sub(1));
                let _ = term.clear_last_lines(std::mem::take(drawn));
                for line in &lines {
                    let _ = term.write_line(&truncate_str(line, width.into(), "…"));
                }
                *drawn = lines.len();
            }
            Mode::Plain if self.few => board.take_news().iter().for_each(|row| print_line(&plain(row))),
            Mode::Plain => {
                drop(board.take_news());
                if self.last.is_some_and(|last| last.elapsed() < COUNTS) {
                    return;
                }
                self.last = Some(Instant::now());
                let counts = counts(board);
                if counts != self.counts && !counts.is_empty() {
                    print_line(&counts);
                    self.counts = counts;
                }
            }
        }
    }

    /// Shows the last state, and leaves it where it is.
    pub fn settle(&mut self, board: &Board) {
        self.last = None;
        self.show(board);
        if let Mode::Live { drawn, .. } = &mut self.mode {
            *drawn = 0;
        }
        self.last = None;
        self.counts.clear();
    }

    /// The table of addresses.
    pub fn table(&mut self, addresses: &[Address]) {
        let heads = ["MACHINE", "HARDWARE", "ADDRESS", "NETMASK", "GATEWAY"];
        let cells = |a: &Address| {
            [a.machine.clone(), a.hardware.clone(), a.address.clone(), a.netmask.clone(), a.gateway.clone()]
        };
        let rows: Vec<[String; 5]> =
            std::iter::once(heads.map(str::to_owned)).chain(addresses.iter().map(cells)).collect();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        self.say("");
        for row in &rows {
            let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = padded.collect::<Vec<_>>().join("  ");
            self.say(line.trim_end());
        }
        self.say("");
    }
}

/// Writes a line; a reader who went away is no reason to stop.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn plain(row: &Row) -> String {
    let mut line = format!("{} {}", row.machine, row.stage);
    if let Some(hardware) = &row.hardware {
        line.push_str(&format!(" on {hardware}"));
    }
    if let Some(address) = &row.address {
        line.push_str(&format!(" with {address}"));
    }
    if !row.why.is_empty() {
        line.push_str(&format!(": {}", row.why));
    }
    line
}

fn listed(rows: &[Row]) -> Vec<String> {
    let longest = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let machine = longest(&|row| row.machine.name.len());
    let hardware = longest(&|row| row.hardware.as_ref().map_or(0, |hardware| hardware.name.len()));
    let line = |row: &Row| {
        let name = row.hardware.as_ref().map_or("", |hardware| hardware.name.as_str());
        let address = row.address.as_deref().unwrap_or_default();
        format!("{:<machine$}  {:<11}  {name:<hardware$}  {address:<15}  {}", row.machine.name, row.stage, row.why)
    };
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect()
}

fn counts(board: &Board) -> String {
    let counted = Stage::ALL.into_iter().map(|stage| (stage, board.count(stage)));
    let parts: Vec<String> =
        counted.filter(|(_, count)| *count > 0).map(|(stage, count)| format!("{count} {stage}")).collect();
    parts.join(", ")
}

fn counted(board: &Board) -> Vec<String> {
    let mut lines = vec![counts(board)];
    let rows = board.rows();
    let waiting =
        rows.iter().filter(|row| !row.why.is_empty() && !matches!(row.stage, Stage::Provisioned | Stage::Released));
    let shown: Vec<Row> = waiting.take(WAITING).cloned().collect();
    lines.extend(listed(&shown));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use capt_invariants::Key;

    #[test]
    fn a_line_names_machine_stage_hardware_address_and_why() {
        let row = Row {
            machine: Key::new("default", "m"),
            stage: Stage::Addressing,
            hardware: Some(Key::new("default", "hw")),
            address: None,
            why: "PoolExhausted: pool p is empty".to_owned(),
        };
        assert_eq!(plain(&row), "default/m addressing on default/hw: PoolExhausted: pool p is empty");
        let row = Row { address: Some("10.0.0.100".to_owned()), stage: Stage::Provisioned, why: String::new(), ..row };
        assert_eq!(plain(&row), "default/m provisioned on default/hw with 10.0.0.100");
        assert_eq!(listed(&[row]), ["m  provisioned  hw  10.0.0.100"]);
    }
}
