//! What is run: how many machines, among how many Hardware, with what, by whom.

use clap::ValueEnum;
use serde::Serialize;

/// A program that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// Ours.
    CaptManager,
    /// The Go provider.
    GoCapt,
}

impl Program {
    /// Its name: of its process, and as a user of the API server.
    pub fn name(self) -> &'static str {
        match self {
            Self::CaptManager => "capt-manager",
            Self::GoCapt => "go-capt",
        }
    }
}

/// A number of machines to be made and unmade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// What tables call it.
    pub name: &'static str,
    /// Machines made, all at once.
    pub machines: usize,
    /// Hardware there is, all of it fit.
    pub hardware: usize,
    /// Addresses come from a pool; else each Hardware has one.
    pub ipam: bool,
    /// Each Hardware has a BMC.
    pub bmc: bool,
    /// Who runs it, one after another.
    pub programs: &'static [Program],
    /// It is run several times.
    pub repeated: bool,
}

/// Both programs, static addresses: what both can do.
pub const COMPARE: &str = "compare";
/// Ours, with pools and BMCs.
pub const IPAM: &str = "ipam-and-bmc";
/// Ours, with many machines.
pub const LARGE: &str = "large";

/// The workloads, in their order.
pub fn workloads(quick: bool) -> Vec<Workload> {
    let both: &[Program] = &[Program::CaptManager, Program::GoCapt];
    let ours: &[Program] = &[Program::CaptManager];
    let (machines, hardware) = if quick { (100, 500) } else { (500, 2_500) };
    let compare =
        Workload { name: COMPARE, machines, hardware, ipam: false, bmc: false, programs: both, repeated: true };
    let ipam = Workload { name: IPAM, ipam: true, bmc: true, programs: ours, repeated: false, ..compare };
    let large = Workload { name: LARGE, machines: 2_000, hardware: 10_000, programs: ours, repeated: false, ..compare };
    if quick { vec![compare, ipam] } else { vec![compare, ipam, large] }
}
