//! The sandbox as a program, and one that stays up.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const EXPORT: &str = "export KUBECONFIG=";

pub fn sandbox() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_capt-sandbox"));
    command.env_remove("RUST_LOG");
    command
}

/// A sandbox that stays up. Whoever starts it sees to its end.
pub struct Kept {
    pub child: Child,
    /// What it writes after the line that names its kubeconfig.
    pub lines: Box<dyn Iterator<Item = String> + Send>,
    pub kubeconfig: PathBuf,
}

impl Kept {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = sandbox();
        command.arg("--keep").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let export = lines.find_map(|line| line.strip_prefix(EXPORT).map(PathBuf::from));
        Self { child, lines: Box::new(lines), kubeconfig: export.expect("it stays up") }
    }

    /// As Ctrl-C does.
    pub fn interrupt(&self) {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
    }
}
