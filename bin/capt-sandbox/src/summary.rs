//! How it went, in numbers.

use serde::Serialize;

use crate::board::Address;
use crate::faults::Shown;

/// How it went, as `--output json` tells it.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Machines that the objects ask for.
    pub machines: usize,
    /// Machines that were provisioned.
    pub provisioned: usize,
    /// The addresses they had.
    pub addresses: Vec<Address>,
    /// Machines that were released.
    pub released: usize,
    /// IPAddresses that were left.
    pub addresses_in_use_after: usize,
    /// The manager's writes for each machine, from its first to its last.
    pub writes_per_machine: f64,
    /// The manager's writes by phase.
    pub writes: Writes,
    /// From the start of the control plane until nothing was left.
    pub seconds: f64,
    /// How long each phase took.
    pub phases: Phases,
    /// How the faults that were asked for showed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Shown>,
    /// How often a rule was broken.
    pub violations: usize,
    /// What was broken, in words.
    pub violation_details: Vec<String>,
}

/// The manager's writes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Writes {
    /// Until all machines were provisioned.
    pub provision: u64,
    /// From then on.
    pub release: u64,
}

/// Seconds that the phases took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Phases {
    /// Putting the objects on the control plane.
    pub install: f64,
    /// From there until all machines were provisioned.
    pub provision: f64,
    /// From the deletion until nothing was left.
    pub release: f64,
}

/// Two digits behind the point.
pub(crate) fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
