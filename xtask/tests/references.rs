//! No dangling reference, in this repository and in made-up ones. Numbers that do not exist are put together at run time, so
//! that this file cites nothing itself.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;

use xtask::references::anchors::{Anchors, DECISIONS, DIFFERENCES, RULES};
use xtask::references::text::passages;
use xtask::references::{self, Source, citations, documents};
use xtask::workspace;

fn source(path: &str, text: impl Into<String>) -> Source {
    Source { path: path.to_owned(), text: text.into() }
}

fn anchors() -> Anchors {
    let pages = [
        source(DECISIONS, "# Decisions\n## 1. One\n## 2. Two\n## ~~3. Three~~\n"),
        source(DIFFERENCES, "| D1 | deletion | … |\n| D2 | finalizer | … |\n"),
        source(RULES, "| 1 | … |\n| 2 | … |\n| 3 | … |\n| 4 | … |\n"),
    ];
    let (anchors, complaints) = Anchors::read(&pages);
    assert!(complaints.is_empty(), "{complaints:?}");
    anchors
}

fn complaints(path: &str, text: impl Into<String>) -> Vec<String> {
    citations::check(&citations::Forms::new().unwrap(), &source(path, text), &anchors())
}

#[test]
fn nothing_in_this_repository_cites_what_is_not_there() {
    let complaints = references::check(&workspace::root().unwrap()).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_comments_of_this_repository_are_really_looked_at() {
    let root = workspace::root().unwrap();
    let sources = references::read(&root).unwrap();
    let cites = |word: &str| {
        let known = |source: &&Source| passages(source).iter().any(|passage| passage.text.contains(word));
        sources.iter().filter(|source| source.path.ends_with(".rs")).filter(known).count()
    };
    assert!(cites("decision 1") > 3 && cites("difference D") > 3, "comments cite decisions and differences");
    assert!(sources.iter().any(|source| source.path.starts_with("deploy/")), "manifests are read as well");
}

#[test]
fn a_number_that_exists_is_taken() {
    for text in [
        "// See decision 2.",
        "/// Decisions 1 and 3: why.",
        "//! Rules 1 to 4 hold (difference D2).",
        "let x = 1; // rule 3",
        "// of a long story, decision\n// 1 says why",
    ] {
        assert_eq!(complaints("a.rs", text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_number_that_does_not_exist_is_found_with_its_line() {
    let cases = [
        (format!("// why\n\n// decision {}", 4), "a.rs:3: there is no decision 4 in docs/decisions.md"),
        (format!("/// decisions 1 and {}", 7), "a.rs:1: there is no decision 7 in docs/decisions.md"),
        (format!("//! rules 1 to {}", 5), "a.rs:1: there is no rule 5 in docs/ARCHITECTURE.md"),
        (format!("// difference D{}", 3), "a.rs:1: there is no difference D3 in docs/compatibility.md"),
        (format!("// difference {}", 1), "a.rs:1: there is no difference 1 in docs/compatibility.md"),
        (format!("// decision D{}", 1), "a.rs:1: there is no decision D1 in docs/decisions.md"),
        (format!("// told by decision\n// {}, too", 9), "a.rs:1: there is no decision 9 in docs/decisions.md"),
    ];
    for (text, expected) in cases {
        assert_eq!(complaints("a.rs", text.clone()), [expected], "{text}");
    }
}

#[test]
fn a_form_that_leads_out_of_the_repository_is_found() {
    let forms = [
        format!("finding {} of some text", 8),
        format!("fact {}", 6),
        format!("defect D{}", 9),
        format!("section {}.4", 5),
        format!("by the order of precedence of {}.4", 5),
        format!("states of {}.3", 13),
        format!("as the {} says", ["IPAM", "design"].join(" ")),
        format!("the number of the {}", "design"),
        format!("see ({}{})", "F", 16),
        format!("as in {}{}", "D", 2),
        format!("the {} with teeth", "rules"),
        format!("told by the report ({} states)", "spec:"),
    ];
    for form in &forms {
        for (path, text) in [("a.rs", format!("/// {form}")), ("a.md", form.clone()), ("a.yaml", format!("# {form}"))] {
            assert_eq!(complaints(path, text).len(), 1, "{path}: {form}");
        }
    }
}

#[test]
fn code_and_the_words_of_kubernetes_are_no_citations() {
    for text in [
        "let d1 = D1 + F2;",
        "/// Any field of the spec; the UID of the review.",
        "// at most 7.5 s, as in 0.23 and of 10.0.0.1",
        "/// One rule: some resources of one group.",
        "/// The decision is made before 3 others.",
    ] {
        assert_eq!(complaints("a.rs", text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_page_of_differences_may_cite_its_own_rows_by_number_alone() {
    assert!(complaints(DIFFERENCES, "Better: D1, D2 and D1.").is_empty());
    assert_eq!(complaints(DIFFERENCES, format!("Better: D1 and D{}", 8)).len(), 1);
}

#[test]
fn a_gap_in_a_series_and_an_empty_one_are_found() {
    let pages = [source(DECISIONS, "## 1. One\n## 3. Three\n"), source(DIFFERENCES, "| D1 | x |")];
    let (_, complaints) = Anchors::read(&pages);
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints.iter().any(|complaint| complaint.contains(DECISIONS)));
    assert!(complaints.iter().any(|complaint| complaint.contains(RULES)));
}

fn of_a_page(text: &str) -> Vec<String> {
    let root: PathBuf = workspace::root().unwrap();
    let sources = references::read(&root).unwrap();
    documents::check(&root, &source("docs/made-up.md", text), &sources).unwrap()
}

#[test]
fn a_page_that_names_a_file_a_test_a_page_or_a_heading_that_is_not_there_is_found() {
    for text in [
        "`xtask/src/nowhere.rs`",
        "`xtask/tests/references.rs::no_such_test`",
        "[a](nowhere.md)",
        "[a](decisions.md#no-such-heading)",
        "[a](../NOWHERE.md)",
    ] {
        assert_eq!(of_a_page(text).len(), 1, "{text}");
    }
}

#[test]
fn a_page_that_names_what_is_there_is_taken() {
    for text in [
        "`xtask/src/main.rs`, `xtask` and `crates/*`",
        "`xtask/tests/references.rs::a_gap_in_a_series_and_an_empty_one_are_found`",
        "[a](decisions.md), [b](../README.md), [c](https://example.com/nowhere.md)",
        "[a](decisions.md#1-observe-decide-apply-one-step-at-a-time)",
        "```\n`xtask/src/nowhere.rs`\n```",
    ] {
        assert_eq!(of_a_page(text), Vec::<String>::new(), "{text}");
    }
}
