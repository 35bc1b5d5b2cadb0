//! What the user says.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::example::{Provider, Size};
use crate::faults::Fault;

/// Runs the life of a cluster whose machines get their addresses from a pool: an API server in memory, simulators of
/// IPAM, Tinkerbell, BMCs and Cluster API, and CAPT's own controllers, in this one process. It ends when every machine
/// was provisioned and released.
///
/// Exit status: 0 if all went well, 1 if a rule was broken, something got stuck or a fault was not reported, 2 if the input cannot be used.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Flags {
    /// Worker machines of the built-in example.
    #[arg(long, default_value_t = 2, value_parser = up_to(50_000))]
    pub workers: usize,

    /// Control-plane machines of the built-in example.
    #[arg(long, default_value_t = 1, value_parser = up_to(100))]
    pub control_plane: usize,

    /// Servers of the built-in example; by default one more than machines.
    #[arg(long, value_parser = up_to(100_000))]
    pub hardware: Option<usize>,

    /// The IPAM provider whose pool the built-in example uses.
    #[arg(long, value_enum, default_value_t)]
    pub provider: Provider,

    /// Stay up after provisioning, and take everything down at Ctrl-C.
    #[arg(long)]
    pub keep: bool,

    /// Use this control plane in place of the embedded one: only the simulators run here, a manager must run elsewhere.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// What is written to standard output.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,

    /// Give up when provisioning, or release, takes longer than this; by default a minute and more for many machines.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,

    /// Inject this fault, show how CAPT reports it, resolve it, and go on; may be given several times.
    #[arg(long, value_enum, value_name = "FAULT", conflicts_with_all = ["files", "kubeconfig"])]
    pub fault: Vec<Fault>,

    /// YAML files to apply in place of the built-in example.
    #[arg(value_name = "FILE", conflicts_with_all = ["workers", "control_plane", "hardware", "provider"])]
    pub files: Vec<PathBuf>,
}

/// What is written to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Progress and a table; live on a terminal.
    #[default]
    Text,
    /// One JSON object at the end.
    Json,
}

impl Flags {
    /// Size of the built-in example.
    pub fn size(&self) -> Size {
        let (control_plane, workers) = (self.control_plane, self.workers);
        Size { control_plane, workers, hardware: self.hardware.unwrap_or(control_plane + workers + 1) }
    }

    /// The faults that were asked for, each once.
    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        Fault::value_variants().iter().copied().filter(|fault| self.fault.contains(fault))
    }

    /// How long provisioning, or release, may take.
    pub fn timeout(&self, machines: usize) -> Duration {
        let default = 60 + u64::try_from(machines / 10).unwrap_or(u64::MAX);
        Duration::from_secs(self.timeout.unwrap_or(default))
    }
}

fn up_to(most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if number <= most => Ok(number),
        _ => Err(format!("not a number from 0 to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_spare_server_unless_told_otherwise() {
        let hardware = |args: &[&str]| Flags::parse_from([&["capt-sandbox"], args].concat()).size().hardware;
        assert_eq!(hardware(&[]), 4);
        assert_eq!(hardware(&["--workers", "10", "--control-plane", "3"]), 14);
        assert_eq!(hardware(&["--hardware", "7"]), 7);
    }

    #[test]
    fn files_and_the_size_of_the_built_in_example_exclude_each_other() {
        assert!(Flags::try_parse_from(["capt-sandbox", "a.yaml", "b.yaml"]).is_ok());
        assert!(Flags::try_parse_from(["capt-sandbox", "--workers", "3", "a.yaml"]).is_err());
        assert!(Flags::try_parse_from(["capt-sandbox", "--workers", "50001"]).is_err());
    }
}
