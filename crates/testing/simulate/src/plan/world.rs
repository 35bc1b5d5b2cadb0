//! What there is in a world.

use std::fmt;
use std::time::Duration;

use capt_simulators::ipam::Family;

/// A world before anything happens in it.
#[derive(Clone, Debug)]
pub struct World {
    /// Machines; they come one by one, by an event each.
    pub machines: Vec<MachinePlan>,
    /// Servers; they come by an event each, too.
    pub servers: Vec<ServerPlan>,
    /// Which IPAM provider there is.
    pub family: Family,
    /// How many addresses the pool of each namespace has.
    pub addresses: u8,
    /// How long the IPAM provider keeps an address after its claim went.
    pub reuse_grace: Duration,
    /// Time between two states of a Workflow.
    pub workflow_step: Duration,
    /// How long a call to a BMC takes.
    pub bmc_latency: Duration,
    /// How many BMC Jobs, Tasks and Machines are worked on at once.
    pub bmc_workers: usize,
    /// How often rufio looks at the power of servers.
    pub power_checks: Duration,
    /// How late the garbage collector is.
    pub collector: Duration,
    /// Whether tink-controller renders from a cache that may be behind.
    pub cached: bool,
    /// How late the manager's watches of some kinds are, by plural.
    pub late: Vec<(&'static str, Duration)>,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct MachinePlan {
    /// Its namespace.
    pub namespace: &'static str,
    /// Its name.
    pub name: String,
    /// Whether it takes its address from the pool.
    pub pool: bool,
    /// How its server boots.
    pub boot: Boot,
}

/// Boot modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// None: somebody presses the button.
    Button,
    /// `netboot`.
    Netboot,
    /// `isoboot`.
    Iso,
    /// `customboot`, with actions before and after.
    Custom,
}

/// A server.
#[derive(Clone, Debug)]
pub struct ServerPlan {
    /// Namespace of its Hardware.
    pub namespace: &'static str,
    /// Name of its Hardware; its BMC Machine is `bmc-` and this.
    pub name: String,
    /// Its number, for the MAC.
    pub number: u8,
    /// Whether it has a BMC.
    pub bmc: bool,
    /// Whether a person gave it an address.
    pub manual: bool,
}

impl MachinePlan {
    /// The machine in words.
    #[must_use]
    pub fn words(&self) -> String {
        let boot = match self.boot {
            Boot::Button => "",
            Boot::Netboot => ", netboot",
            Boot::Iso => ", isoboot",
            Boot::Custom => ", customboot",
        };
        let pool = if self.pool { ", address from the pool" } else { "" };
        format!("{}/{}{boot}{pool}", self.namespace, self.name)
    }
}

impl ServerPlan {
    /// The server in words.
    #[must_use]
    pub fn words(&self) -> String {
        let bmc = if self.bmc { "with a BMC" } else { "without a BMC" };
        let manual = if self.manual { ", with an address by hand" } else { "" };
        format!("{}/{} {bmc}{manual}", self.namespace, self.name)
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::InCluster => "in-cluster IPAM",
            Family::Metal3 => "Metal3 IPAM",
        };
        write!(f, "{family}, {} addresses", self.addresses)?;
        if !self.reuse_grace.is_zero() {
            write!(f, " kept for {:?}", self.reuse_grace)?;
        }
        write!(
            f,
            ", Workflow step {:?}, BMC call {:?}, {} rufio workers",
            self.workflow_step, self.bmc_latency, self.bmc_workers
        )?;
        write!(f, ", power looked at every {:?}, collector late by {:?}", self.power_checks, self.collector)?;
        if self.cached {
            f.write_str(", tink-controller renders from its cache")?;
        }
        for (plural, by) in &self.late {
            write!(f, ", watch of {plural} late by {by:?}")?;
        }
        Ok(())
    }
}
