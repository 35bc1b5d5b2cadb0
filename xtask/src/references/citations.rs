//! What a passage cites by number: it must be there, and of a form that leads somewhere.

use regex::{Captures, Regex};

use super::Source;
use super::anchors::{Anchors, DECISIONS, DIFFERENCES, RULES};
use super::text::passages;

/// `decision 12`, `decisions 9, 10 and 13`, `rules 1 to 4`, `difference D3`. A D where none belongs is found as well.
const KNOWN: &str = r"(?i)\b(decision|difference|rule)s? (D?\d+\b(?:(?:,? and |,? or | to |, )D?\d+\b)*)";

/// Forms that lead out of the repository, or to nothing.
const UNKNOWN: &[&str] = &[
    r"(?i)\b(?:defect|finding|fact|goal|point|weakness|invariant|promise|lesson|row)s? [A-Z]?\d+\b",
    r"(?i)(?:§ ?|\b(?:section|chapter|part)s? )\d",
    r"(?i)\b(?:precedence|order|states?|reasons?|steps?|table|rules?|sequence) (?:of|in) \d+\.\d+",
    r"(?i)\bof the (?:IPAM |behaviour )?(?:design|specification|brief)\b",
    r"(?i)\b(?:IPAM design|behaviour spec|rules with teeth)\b",
    r"(?i)\((?:spec|design|review): ",
    r"(?i)\b\d+ of the (?:review|spec)\b",
];

/// `D12` or `F12` alone: a row of some table that the reader does not have.
const BARE: &str = r"(?:^|[\s(,;:])([DF]\d{1,2})\b";

/// What `source` cites and the repository does not have, as sentences.
#[must_use]
pub fn check(forms: &Forms, source: &Source, anchors: &Anchors) -> Vec<String> {
    let mut complaints = Vec::new();
    for passage in passages(source) {
        let mut say = |what: String| complaints.push(format!("{}:{}: {what}", source.path, passage.line));
        // What the page of the differences says about its own rows needs no word before the number.
        let text = if source.path == DIFFERENCES { named(&forms.bare, &passage.text) } else { passage.text };
        for known in forms.known.captures_iter(&text) {
            let (series, numbers) = (group(&known, 1).to_lowercase(), group(&known, 2));
            missing(&series, numbers, anchors).into_iter().for_each(&mut say);
        }
        let mut rest = forms.known.replace_all(&text, "").into_owned();
        for pattern in &forms.unknown {
            for found in pattern.find_iter(&rest) {
                let found = found.as_str().trim();
                say(format!("\"{found}\" leads nowhere: say the reason, or cite a decision, difference or rule"));
            }
            rest = pattern.replace_all(&rest, "").into_owned();
        }
        for bare in forms.bare.captures_iter(&rest) {
            say(format!("\"{}\" alone leads nowhere: say \"difference D…\" or the reason", group(&bare, 1)));
        }
    }
    complaints
}

/// The patterns, read once for all files.
pub struct Forms {
    known: Regex,
    unknown: Vec<Regex>,
    bare: Regex,
}

impl Forms {
    /// Reads them.
    ///
    /// # Errors
    /// When a pattern of this file is none.
    pub fn new() -> anyhow::Result<Self> {
        let unknown = UNKNOWN.iter().map(|pattern| Regex::new(pattern)).collect::<Result<_, _>>()?;
        Ok(Self { known: Regex::new(KNOWN)?, unknown, bare: Regex::new(BARE)? })
    }
}

/// The numbers of one citation that do not exist.
fn missing(series: &str, numbers: &str, anchors: &Anchors) -> Vec<String> {
    let (there, place, wants_d) = match series {
        "decision" => (&anchors.decisions, DECISIONS, false),
        "difference" => (&anchors.differences, DIFFERENCES, true),
        _ => (&anchors.rules, RULES, false),
    };
    let is_there = |number: &str| {
        let bare = number.strip_prefix(['D', 'd']);
        bare.is_some() == wants_d && bare.unwrap_or(number).parse().is_ok_and(|number| there.contains(&number))
    };
    let cited =
        numbers.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.ends_with(|c: char| c.is_ascii_digit()));
    cited.filter(|number| !is_there(number)).map(|number| format!("there is no {series} {number} in {place}")).collect()
}

/// The text of the page of differences, with the word before each number that stands alone.
fn named(bare: &Regex, text: &str) -> String {
    bare.replace_all(text, " difference $1").into_owned()
}

fn group<'a>(captures: &Captures<'a>, number: usize) -> &'a str {
    captures.get(number).map_or("", |found| found.as_str())
}
