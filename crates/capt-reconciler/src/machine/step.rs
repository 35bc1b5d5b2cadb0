//! What a decision can be.

use capt_api::conditions::Reason;
use std::time::Duration;

use capt_api::meta::ObjectKey;

use crate::effect::{Kind, Write};
use crate::outcome::Interest;
use crate::ports::BmcQuestion;

/// One step of a machine's life: one effect, a wait with its reason, or the end.
#[derive(Clone, Debug)]
pub enum Step {
    /// Perform this write, then decide again.
    Do(Box<Write>),
    /// Read this bootstrap Secret, then decide again.
    ReadBootstrapData(ObjectKey),
    /// Have the Workflows and Jobs of this namespace watched, then decide again.
    Watch(String),
    /// Look at this object, which no watch tells of, then decide again.
    Look(Kind, ObjectKey),
    /// Look at the BMC's Machine, then decide again.
    AskBmc(BmcQuestion),
    /// Nothing can be done until something else changes.
    Wait(Box<Wait>),
    /// The machine is paused: touch nothing.
    Paused,
    /// All is done.
    Done,
}

impl From<Write> for Step {
    fn from(write: Write) -> Self {
        Self::Do(Box::new(write))
    }
}

impl From<Wait> for Step {
    fn from(wait: Wait) -> Self {
        Self::Wait(Box::new(wait))
    }
}

/// The concern that waits, each with its own condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Getting Hardware.
    Hardware,
    /// Getting an address.
    Address,
    /// Getting the operating system onto the server.
    Workflow,
    /// Deletion.
    Deleting,
}

impl Concern {
    /// The condition that tells of the concern.
    pub fn condition(self) -> &'static str {
        use capt_api::conditions as c;
        match self {
            Self::Hardware => c::HARDWARE_RESERVED,
            Self::Address => c::IP_ADDRESS_CLAIMS_FULFILLED,
            Self::Workflow => c::WORKFLOW_SUCCEEDED,
            Self::Deleting => c::DELETING,
        }
    }
}

/// A wait: for whom, why, and until when at the latest.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What waits.
    pub concern: Concern,
    /// Why, for programs.
    pub reason: Reason,
    /// Text for a person; names the objects.
    pub message: String,
    /// Whether this is a normal part of the machine's life, which ends by itself.
    pub expected: bool,
    /// When to look again in any case.
    pub requeue: Option<Duration>,
    /// Whether nothing wakes the machine when the wait is over: it looks again less and less often.
    pub unwatched: bool,
    /// What else wakes the machine.
    pub interest: Interest,
}

impl Wait {
    /// A wait that is a normal part of the machine's life.
    pub fn expected(concern: Concern, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            concern,
            reason,
            message: message.into(),
            expected: true,
            requeue: None,
            unwatched: false,
            interest: Interest::default(),
        }
    }

    /// A wait that a person may have to end.
    pub fn problem(concern: Concern, reason: Reason, message: impl Into<String>) -> Self {
        Self { expected: false, ..Self::expected(concern, reason, message) }
    }

    /// The same wait, looking again after this long.
    pub fn again_after(self, requeue: Duration) -> Self {
        Self { requeue: Some(requeue), ..self }
    }

    /// The same wait, woken also by this.
    pub fn woken_by(self, interest: Interest) -> Self {
        Self { interest, ..self }
    }
}
