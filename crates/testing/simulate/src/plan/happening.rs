//! What can happen in a world.

use std::fmt;
use std::time::Duration;

use capt_simulators::bmc::JobFault;
use capt_simulators::tinkerbell::WorkflowFault;

/// Something that happens.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub when: When,
    /// What.
    pub what: Happening,
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// So long after the start.
    After(Duration),
    /// As soon as the manager has made so many writes; Events and Leases do not count.
    Writes(u64),
}

/// How the server refuses or loses a request of the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 409.
    Conflict,
    /// 500.
    Broken,
    /// 503.
    Unavailable,
    /// 429, to be tried again after a second.
    Busy,
    /// It is never answered, and has no effect.
    LostBefore,
    /// It takes effect and is never answered.
    LostAfter,
    /// The connection breaks before it has an effect.
    BrokenBefore,
    /// The connection breaks after it took effect.
    BrokenAfter,
    /// It is served seconds later.
    Slow,
}

/// What happens. Machines and servers are named by their place in the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A server is made known.
    Rack(usize),
    /// A Machine, its bootstrap data and its TinkerbellMachine are created, if there is none.
    Create(usize),
    /// A TinkerbellMachine is deleted.
    Delete(usize),
    /// Some requests of the manager fail.
    Refuse {
        /// How.
        how: Refusal,
        /// To which resource; to any without.
        resource: Option<&'static str>,
        /// Whether reads fail, too.
        reads: bool,
        /// How many such requests pass before.
        after: u64,
        /// How many fail.
        times: u64,
    },
    /// Open watches of the manager end: of one resource, or all.
    EndWatches(Option<&'static str>),
    /// The server forgets all history and ends all watches: 410 Gone.
    Compact,
    /// The managers are killed, and one starts again at once or later.
    Kill(Duration),
    /// The manager stops in the midst: so many writes from now, with the answer to the last one lost or not. It starts
    /// again later.
    Crash {
        /// After how many writes.
        writes: u64,
        /// Whether the last answer is lost.
        lost: bool,
    },
    /// A second manager starts beside the first, without election.
    Second,
    /// The IPAM provider is down for a while.
    ProviderDown(Duration),
    /// Jobs on a BMC go wrong: so many times, or until the end.
    Bmc(usize, JobFault, Option<u32>),
    /// Workflows go wrong, so many times.
    Workflows(WorkflowFault, u32),
    /// Somebody takes the owner labels off a Hardware.
    StripLabels(usize),
    /// Somebody takes the finalizers off a Hardware.
    StripFinalizers(usize),
    /// Somebody empties `userData`.
    WipeUserData(usize),
    /// Somebody takes the address off a Hardware.
    WipeAddress(usize),
    /// Somebody takes the mark that the Hardware is provisioned.
    Unmark(usize),
    /// Somebody applies the Hardware's first manifest anew with `kubectl replace`: all that CAPT wrote is gone.
    Replace(usize),
    /// Somebody deletes a Hardware and waits for CAPT to let it go.
    DeleteHardware(usize),
    /// Somebody deletes a Hardware, finalizers and all, and creates it anew.
    Recreate(usize),
    /// Somebody sets a server aside.
    SetAside(usize),
    /// Somebody deletes the Workflows on a Hardware.
    DeleteWorkflows(usize),
    /// Somebody deletes the Templates in a server's namespace.
    DeleteTemplates(usize),
    /// Somebody deletes the BMC Jobs in a server's namespace.
    DeleteJobs(usize),
    /// The BMC Machine of a server goes, and comes back later or never.
    DeleteBmc(usize, Option<Duration>),
    /// A Cluster is paused for a while.
    PauseCluster(usize, Duration),
    /// A machine is paused for a while.
    PauseMachine(usize, Duration),
    /// Somebody deletes the bootstrap data.
    DeleteSecret(usize),
    /// Somebody asks for a new installation.
    Reinstall(usize),
    /// Somebody makes an odd object in the namespace of this machine.
    Odd(usize, Odd),
    /// Somebody deletes the namespace of this machine with everything in it.
    DeleteNamespace(usize),
}

/// An odd object, as operators have made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// Hardware without an interface.
    NoInterface,
    /// Hardware whose interface has no DHCP.
    NoDhcp,
    /// Hardware without a disk.
    NoDisk,
    /// Hardware that neither PXE nor a Workflow may touch.
    NoNetboot,
    /// Hardware that a person marked as provisioned.
    Provisioned,
    /// Hardware with an agent ID of its own.
    OtherAgent,
    /// Hardware with an IPv6 address.
    SixthVersion,
    /// Hardware that carries the labels of a machine that does not exist.
    LabelsOfNobody,
    /// Hardware with the MAC of another one.
    SameMac,
    /// Hardware whose BMC Machine does not exist.
    NoBmcMachine,
    /// A machine that names Hardware which does not exist.
    NoHardware,
    /// A machine that names a pool which does not exist.
    NoPool,
    /// A machine that names a kind of pool which does not exist.
    NoPoolKind,
    /// A machine of a pool with prefix 0.
    NoPrefix,
    /// A machine whose template cannot be rendered.
    BadTemplate,
    /// A machine whose selector no server understands.
    NoSelection,
    /// A machine whose name is longer than a label.
    LongName,
    /// A machine without a Machine.
    NoOwner,
    /// A Machine without a version.
    NoVersion,
    /// A machine whose bootstrap data never comes.
    NoBootstrapData,
    /// A machine whose bootstrap data is empty.
    EmptyBootstrapData,
    /// A machine whose bootstrap data is no text.
    BinaryBootstrapData,
    /// A machine whose bootstrap data has no provider ID.
    NoProviderId,
    /// A machine whose claim's name is taken by somebody else's.
    ForeignClaim,
}

impl Odd {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::NoInterface,
        Self::NoDhcp,
        Self::NoDisk,
        Self::NoNetboot,
        Self::Provisioned,
        Self::OtherAgent,
        Self::SixthVersion,
        Self::LabelsOfNobody,
        Self::SameMac,
        Self::NoBmcMachine,
        Self::NoHardware,
        Self::NoPool,
        Self::NoPoolKind,
        Self::NoPrefix,
        Self::BadTemplate,
        Self::NoSelection,
        Self::LongName,
        Self::NoOwner,
        Self::NoVersion,
        Self::NoBootstrapData,
        Self::EmptyBootstrapData,
        Self::BinaryBootstrapData,
        Self::NoProviderId,
        Self::ForeignClaim,
    ];
}

impl Happening {
    /// What it counts as in figures.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rack(_) => "servers",
            Self::Create(_) => "machines",
            Self::Delete(_) => "machines deleted in the midst",
            Self::Refuse { how, .. } => how.kind(),
            Self::EndWatches(_) => "watches ended",
            Self::Compact => "history forgotten (410)",
            Self::Kill(_) => "managers killed",
            Self::Crash { .. } => "crashes after a write",
            Self::Second => "second managers",
            Self::ProviderDown(_) => "IPAM provider down",
            Self::Bmc(..) => "BMC faults",
            Self::Workflows(..) => "Workflow faults",
            Self::StripLabels(_) => "owner labels stripped",
            Self::StripFinalizers(_) => "finalizers stripped",
            Self::WipeUserData(_) => "user data wiped",
            Self::WipeAddress(_) => "addresses wiped",
            Self::Unmark(_) => "provisioned marks taken",
            Self::Replace(_) => "Hardware replaced by its manifest",
            Self::DeleteHardware(_) => "Hardware deleted",
            Self::Recreate(_) => "Hardware purged and created anew",
            Self::SetAside(_) => "servers set aside",
            Self::DeleteWorkflows(_) => "Workflows deleted",
            Self::DeleteTemplates(_) => "Templates deleted",
            Self::DeleteJobs(_) => "Jobs deleted",
            Self::DeleteBmc(..) => "BMC Machines deleted",
            Self::PauseCluster(..) => "Clusters paused",
            Self::PauseMachine(..) => "machines paused",
            Self::DeleteSecret(_) => "bootstrap data deleted",
            Self::Reinstall(_) => "reinstalls asked for",
            Self::Odd(..) => "odd objects",
            Self::DeleteNamespace(_) => "namespaces deleted",
        }
    }
}

impl Refusal {
    fn kind(self) -> &'static str {
        match self {
            Self::Conflict => "requests refused with 409",
            Self::Broken => "requests refused with 500",
            Self::Unavailable => "requests refused with 503",
            Self::Busy => "requests refused with 429",
            Self::LostBefore => "requests lost",
            Self::LostAfter => "answers lost",
            Self::BrokenBefore => "connections broken before an effect",
            Self::BrokenAfter => "connections broken after the effect",
            Self::Slow => "requests served late",
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(time) => write!(f, "at {:.3} s", time.as_secs_f64()),
            Self::Writes(writes) => write!(f, "after write {writes}"),
        }
    }
}
