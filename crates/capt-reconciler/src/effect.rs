//! Writes as data: what a decision wants done, before anybody does it.

use crate::notice::Notice;
use std::fmt;
use std::net::IpAddr;

use capt_api::meta::ObjectKey;
use serde_json::Value;

/// The kinds we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Our cluster.
    TinkerbellCluster,
    /// Our machine.
    TinkerbellMachine,
    /// Tinkerbell's server.
    Hardware,
    /// Tinkerbell's template.
    Template,
    /// Tinkerbell's run.
    Workflow,
    /// rufio's list of BMC actions.
    Job,
    /// Cluster API's request for an address.
    IPAddressClaim,
}

impl Kind {
    /// The kind's name, as manifests, Events and messages have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TinkerbellCluster => "TinkerbellCluster",
            Self::TinkerbellMachine => "TinkerbellMachine",
            Self::Hardware => "Hardware",
            Self::Template => "Template",
            Self::Workflow => "Workflow",
            Self::Job => "Job",
            Self::IPAddressClaim => "IPAddressClaim",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an object is written.
#[derive(Clone, PartialEq)]
pub enum Verb {
    /// Create it. The body is the whole object, `apiVersion` and `kind` left to the port.
    Create(Value),
    /// Merge patch of the main resource.
    Merge(Value),
    /// JSON patch of the main resource.
    Json(Value),
    /// Merge patch of the status subresource.
    Status(Value),
    /// Delete the object that has this UID, and no other.
    Delete {
        /// UID precondition.
        uid: String,
    },
}

impl Verb {
    /// Its name in a log; nothing of its body.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Merge(_) | Self::Json(_) => "patch",
            Self::Status(_) => "patch status",
            Self::Delete { .. } => "delete",
        }
    }

    /// What was done, once it is.
    pub fn done(&self) -> &'static str {
        match self {
            Self::Create(_) => "created",
            Self::Merge(_) | Self::Json(_) => "patched",
            Self::Status(_) => "patched status",
            Self::Delete { .. } => "deleted",
        }
    }
}

/// What must be kept from other machines while the write is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The Hardware that is written.
    Hardware,
    /// This address, for the Hardware that is written.
    Address(IpAddr),
}

/// The stage of a machine's (or cluster's) life that wants a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Our finalizer, our owner.
    Adopt,
    /// Hardware gets our labels, finalizer and bootstrap data.
    Reserve,
    /// The machine records its Hardware and provider ID.
    Record,
    /// Claims are made or put right.
    Claim,
    /// The address goes to the Hardware.
    Address,
    /// Template and Workflow are made.
    Boot,
    /// Hardware is marked as provisioned.
    Provisioned,
    /// Deletion: Workflow and Template go.
    Stop,
    /// Deletion: the server is switched off.
    PowerOff,
    /// Deletion: Hardware is released.
    ReleaseHardware,
    /// Deletion: claims go.
    ReleaseClaims,
    /// Deletion: our finalizer goes.
    Finish,
    /// What we found is written to the object's status.
    Report,
}

impl Stage {
    /// The stage's name, for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Reserve => "reserve",
            Self::Record => "record",
            Self::Claim => "claim",
            Self::Address => "address",
            Self::Boot => "boot",
            Self::Provisioned => "provisioned",
            Self::Stop => "stop",
            Self::PowerOff => "power-off",
            Self::ReleaseHardware => "release-hardware",
            Self::ReleaseClaims => "release-claims",
            Self::Finish => "finish",
            Self::Report => "report",
        }
    }
}

/// One write.
#[derive(Clone, PartialEq)]
pub struct Write {
    /// Which stage wants it.
    pub stage: Stage,
    /// Kind of the object.
    pub kind: Kind,
    /// The object.
    pub key: ObjectKey,
    /// How.
    pub verb: Verb,
    /// What is kept from others meanwhile.
    pub hold: Option<Hold>,
    /// What is told to the user once the write is done.
    pub notices: Vec<Notice>,
}

impl Write {
    /// A write that holds nothing and is not worth an event.
    pub fn new(stage: Stage, kind: Kind, key: ObjectKey, verb: Verb) -> Self {
        Self { stage, kind, key, verb, hold: None, notices: Vec::new() }
    }

    /// The same write, told once it is done.
    pub fn telling(mut self, notice: Notice) -> Self {
        self.notices.push(notice);
        self
    }

    /// The same write, holding something while it is under way.
    pub fn holding(self, hold: Hold) -> Self {
        Self { hold: Some(hold), ..self }
    }
}

/// Bodies stay out of logs: one of them holds bootstrap data.
impl fmt::Debug for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(_) => f.write_str("create"),
            Self::Merge(_) | Self::Json(_) => f.write_str("patch"),
            Self::Status(_) => f.write_str("patch status of"),
            Self::Delete { uid } => write!(f, "delete (UID {uid})"),
        }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?} {} {}", self.stage.as_str(), self.verb, self.kind, self.key)
    }
}
