//! Faults on demand: what is broken, how it shows, and how it is resolved.
//!
//! Most have to be told to the user, in a condition and in an event. The others have to be borne: everything ends as ever,
//! and what shows is only that they were there.

mod injected;
mod pools;

use std::time::Duration;

use capt_simulators::bmc;
use clap::ValueEnum;
use serde::Serialize;

pub use injected::Injected;

/// Something that goes wrong around CAPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// An action of one machine's Workflow fails; resolved by deleting the Workflow.
    WorkflowFailed,
    /// A BMC cannot switch its server off at the first attempt.
    PowerOffFailed,
    /// The pool has one address; resolved by extending it.
    PoolExhausted,
    /// A BMC never answers, so that its machine is never released; resolved by switching the server off by hand and annotating the machine.
    BmcNeverAnswers,
    /// The BMC Machine of a server is missing; resolved by creating it again.
    BmcMachineMissing,
    /// A BMC calls "off" an error, for its server is off already; no action needed.
    OffIsAnError,
    /// BMCs boot the servers, and the garbage collector comes ten seconds late; no action needed.
    LateCollector,
    /// Each call to a BMC takes a second, and rufio makes one at a time; no action needed.
    SlowBmcs,
}

/// How a machine told a fault.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// The fault.
    pub fault: Fault,
    /// The TinkerbellMachine.
    pub machine: String,
    /// Type of the condition.
    pub condition: String,
    /// Reason of condition and event.
    pub reason: String,
    /// Message of the condition.
    pub message: String,
    /// Message of the event.
    pub event: String,
}

/// What was seen of a fault that is no news for the user.
#[derive(Clone, Debug, Serialize)]
pub struct Borne {
    /// The fault.
    pub fault: Fault,
    /// What was seen of it.
    pub seen: String,
}

/// How a fault showed.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// A machine told it.
    Told(Told),
    /// It was borne.
    Borne(Borne),
}

impl Fault {
    /// Whether it strikes before machines are provisioned, not when they are released.
    pub fn is_injected_first(self) -> bool {
        self.shows_first() || self == Self::LateCollector
    }

    /// Whether it shows before machines are provisioned, not when they are released.
    pub fn shows_first(self) -> bool {
        matches!(self, Self::WorkflowFailed | Self::PoolExhausted)
    }

    /// What is broken, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::WorkflowFailed => "an action of one Workflow fails",
            Self::PowerOffFailed => "a BMC cannot switch its server off",
            Self::PoolExhausted => "the pool has one address",
            Self::BmcNeverAnswers => "a BMC never answers",
            Self::BmcMachineMissing => "the BMC Machine of a server is missing",
            Self::OffIsAnError => "a server is off already, and its BMC calls \"off\" an error",
            Self::LateCollector => "servers are booted by their BMCs, and the garbage collector comes ten seconds late",
            Self::SlowBmcs => "each call to a BMC takes a second, and rufio makes one at a time",
        }
    }

    /// What is done about it, in words; nothing where it is borne.
    pub fn remedy(self) -> Option<&'static str> {
        match self {
            Self::WorkflowFailed => Some("the failed Workflow is deleted"),
            Self::PowerOffFailed => Some("the BMC works at the next attempt"),
            Self::PoolExhausted => Some("the pool gets the rest of its addresses"),
            Self::BmcNeverAnswers => {
                Some("the server is switched off by hand, and its machine annotated with release-without-power-off")
            }
            Self::BmcMachineMissing => Some("the BMC Machine is made again"),
            Self::OffIsAnError | Self::LateCollector | Self::SlowBmcs => None,
        }
    }

    /// Whether a machine has to tell it.
    pub fn is_told(self) -> bool {
        self.sign().is_some()
    }

    /// Condition and reason that must tell it; none where it is borne.
    fn sign(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::WorkflowFailed => Some(("WorkflowSucceeded", "WorkflowFailed")),
            Self::PowerOffFailed => Some(("Deleting", "PowerOffFailed")),
            Self::PoolExhausted => Some(("IPAddressClaimsFulfilled", "PoolExhausted")),
            Self::BmcNeverAnswers => Some(("Deleting", "BMCNotContactable")),
            Self::BmcMachineMissing => Some(("Deleting", "BMCNotFound")),
            Self::OffIsAnError | Self::LateCollector | Self::SlowBmcs => None,
        }
    }

    /// rufio, as these faults want it from the start.
    pub fn rufio(faults: impl IntoIterator<Item = Self>) -> bmc::Options {
        faults.into_iter().fold(bmc::Options::default(), |options, fault| match fault {
            Self::SlowBmcs => bmc::Options { latency: Duration::from_secs(1), workers: 1, ..options },
            // It looks at the power every half hour, and would not find out before.
            Self::BmcNeverAnswers => bmc::Options { power_check_interval: Duration::from_secs(2), ..options },
            _ => options,
        })
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}
