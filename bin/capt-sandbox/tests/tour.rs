//! docs/tour.md: each of its commands on a sandbox that stays up, and the output that the page shows.
//!
//! `TOUR=write` writes what the commands print into the page.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "common/kept.rs"]
mod kept;
#[path = "common/kubectl.rs"]
mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use kept::Kept;
use program::kubectl;

/// A command of the page, and what it says the command prints.
struct Step {
    command: String,
    shown: String,
}

/// The page's blocks of commands: `$ command`, then its output. Between them stands prose, which is kept.
enum Part {
    Text(String),
    Step(Step),
}

#[test]
fn every_command_of_the_tour_prints_what_the_page_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Some(kubectl) = kubectl() else { return };
    let file = root.join("docs/tour.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let sandbox = Sandbox::start();
    let mut written = String::new();
    for part in parts(&page) {
        match part {
            Part::Text(text) => written.push_str(&text),
            Part::Step(step) => {
                let printed = sandbox.run(&kubectl, &step.command);
                if std::env::var_os("TOUR").is_none() {
                    let told = (bare(&step.shown), bare(&printed));
                    assert_eq!(told.0, told.1, "$ {}\n{printed}", step.command);
                }
                written.push_str(&format!("$ {}\n{printed}", step.command));
            }
        }
    }
    if std::env::var("TOUR").is_ok_and(|mode| mode == "write") {
        std::fs::write(&file, written).unwrap();
    }
    sandbox.end();
}

/// What starts the sandbox, and what ends it, is no step: the test does so itself.
fn parts(page: &str) -> Vec<Part> {
    let mut all = Vec::new();
    let mut text = String::new();
    let mut step: Option<Step> = None;
    for line in page.lines() {
        let command =
            line.strip_prefix("$ ").filter(|command| !command.starts_with("cargo ") && !command.starts_with("export "));
        let ends = line.starts_with("```") || line.starts_with("$ ");
        if ends && let Some(step) = step.take() {
            all.push(Part::Text(std::mem::take(&mut text)));
            all.push(Part::Step(step));
        }
        match (command, &mut step) {
            (Some(command), _) => step = Some(Step { command: command.to_owned(), shown: String::new() }),
            (None, Some(step)) => step.shown.push_str(&format!("{line}\n")),
            (None, None) => text.push_str(&format!("{line}\n")),
        }
    }
    all.push(Part::Text(text));
    all
}

/// What is the same on every run: no ages, no random parts of names, no order among servers and addresses.
fn bare(text: &str) -> Vec<String> {
    let mut text = text.to_owned();
    for (pattern, word) in [
        (r"(my-cluster-(?:control-plane|workers))(-[a-z0-9]+)+", "$1-NAME"),
        (r"10\.0\.0\.1\d\d", "ADDRESS"),
        (r"server-0\d\d", "SERVER"),
        (r"\b(?:\d+m)?\d+s\b", "AGE"),
        (r"[ \t]+", " "),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
    }
    let mut lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    lines.sort();
    lines
}

/// A sandbox that stays up, and a home for kubectl's caches.
struct Sandbox {
    kept: Kept,
    home: PathBuf,
}

impl Sandbox {
    fn start() -> Self {
        let home = std::env::temp_dir().join(format!("capt-tour-{}", std::process::id()));
        Self { kept: Kept::start(&["--hardware", "5"]), home }
    }

    fn run(&self, kubectl: &Path, command: &str) -> String {
        let script = format!("kubectl() {{ '{}' \"$@\"; }}\n{command}", kubectl.display());
        let output = Command::new("sh")
            .args(["-c", &script])
            .env("KUBECONFIG", &self.kept.kubeconfig)
            .env("HOME", &self.home)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    fn end(mut self) {
        self.kept.interrupt();
        let last = self.kept.lines.by_ref().last().unwrap();
        assert!(self.kept.child.wait().unwrap().success(), "{last}");
        assert!(last.contains("no rule was broken"), "{last}");
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A failed test leaves it running.
        let _ = self.kept.child.kill();
        let _ = self.kept.child.wait();
    }
}
