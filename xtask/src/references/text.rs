//! What people wrote in a file: the comments of code, the paragraphs of a document.

use super::Source;

/// Some lines that belong together, joined by spaces, so that a citation may go over the end of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Number of the first line, from 1.
    pub line: usize,
    /// The words.
    pub text: String,
}

/// The passages of a file: all of a document, only the comments of code.
#[must_use]
pub fn passages(source: &Source) -> Vec<Passage> {
    let ending = source.path.rsplit('.').next().unwrap_or_default();
    let words = |line| match ending {
        "md" => Words::Whole(line),
        "rs" => comment(line, "//"),
        _ => comment(line, "#"),
    };
    let mut passages: Vec<Passage> = Vec::new();
    let mut goes_on = false;
    for (number, line) in source.text.lines().enumerate() {
        let (text, joins) = match words(line.trim()) {
            Words::Nothing => ("", false),
            Words::Whole(text) => (text, !text.is_empty()),
            Words::Behind(text) => (text, false),
        };
        match passages.last_mut() {
            Some(last) if goes_on && joins => {
                last.text.push(' ');
                last.text.push_str(text);
            }
            _ if !text.is_empty() => passages.push(Passage { line: number + 1, text: text.to_owned() }),
            _ => {}
        }
        goes_on = joins;
    }
    passages
}

/// What a line says to people.
enum Words<'a> {
    Nothing,
    /// The line is words alone.
    Whole(&'a str),
    /// Words stand behind code.
    Behind(&'a str),
}

/// The comment in a line. A comment sign within a string is taken for one too: more is looked at, never less.
fn comment<'a>(line: &'a str, sign: &str) -> Words<'a> {
    if let Some(text) = line.strip_prefix(sign) {
        return Words::Whole(text.trim_start_matches(['/', '!', '#']).trim());
    }
    match line.split_once(&format!(" {sign} ")) {
        Some((_, text)) => Words::Behind(text.trim()),
        None => Words::Nothing,
    }
}
