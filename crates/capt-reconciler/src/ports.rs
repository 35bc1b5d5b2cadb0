//! The ports: what the reconcilers need of the world outside. `capt-kube` implements them on Kubernetes.

use std::future::Future;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::observed::bmc::Job;
use crate::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine, Pool};
use crate::observed::infra::{PoolReference, TinkerbellCluster, TinkerbellMachine};
use crate::observed::tinkerbell::{Hardware, Template, Workflow};
use capt_api::kube_core::Selector;
use capt_api::meta::ObjectKey;
use jiff::Timestamp;

use crate::effect::{Kind, Write};
use crate::notice::Notice;

/// Whether the server serves an optional kind, and whether we know all its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The server said that it does not serve the kind.
    Absent,
    /// The kind is served; its objects are still being read.
    Syncing,
    /// The kind is served and all its objects are in the store.
    Ready,
}

impl Presence {
    /// Its name in diagnostics and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "Absent",
            Self::Syncing => "Syncing",
            Self::Ready => "Ready",
        }
    }
}

/// What we know of a pool.
#[derive(Clone, Debug, Default)]
pub enum PoolView {
    /// Nothing: we may not read it, or have not read it yet.
    #[default]
    Unknown,
    /// The server knows no such kind.
    KindNotServed,
    /// There is no such pool.
    NotFound,
    /// The pool.
    Found(Arc<Pool>),
}

/// Somebody who uses an address already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressUse {
    /// Kind of the object, such as `Hardware`.
    pub kind: &'static str,
    /// The object.
    pub key: ObjectKey,
    /// As what it uses the address, such as `gateway`.
    pub role: &'static str,
}

/// Reads from memory. Every answer reflects our own writes at once and never goes back behind them.
pub trait Stores: Send + Sync {
    /// A TinkerbellMachine.
    fn tinkerbell_machine(&self, key: &ObjectKey) -> Option<Arc<TinkerbellMachine>>;
    /// A TinkerbellCluster.
    fn tinkerbell_cluster(&self, key: &ObjectKey) -> Option<Arc<TinkerbellCluster>>;
    /// A Cluster API Machine.
    fn machine(&self, key: &ObjectKey) -> Option<Arc<Machine>>;
    /// A Cluster API Cluster.
    fn cluster(&self, key: &ObjectKey) -> Option<Arc<Cluster>>;
    /// A Hardware.
    fn hardware(&self, key: &ObjectKey) -> Option<Arc<Hardware>>;
    /// Every Hardware that carries this machine's owner labels, by namespace and name.
    fn hardware_of(&self, machine: &ObjectKey) -> Vec<Arc<Hardware>>;
    /// Visits Hardware that [is free](crate::machine::ownership::is_free) as far as it tells itself, is not being
    /// reserved right now and matches the selector, by namespace and name, until told to stop.
    fn visit_free_hardware(&self, selector: &Selector, visit: &mut dyn FnMut(&Arc<Hardware>) -> ControlFlow<()>);
    /// Visits Hardware that matches the selector and that no machine takes by itself although no machine that exists has
    /// it: [kept back](crate::machine::ownership::obstacle), or labelled for a machine that does not exist. Not
    /// necessarily all of it: only a few are ever told of.
    fn visit_parked_hardware(&self, selector: &Selector, visit: &mut dyn FnMut(&Arc<Hardware>) -> ControlFlow<()>);
    /// Every Hardware that has an interface with this MAC, which is in lower case.
    fn hardware_with_mac(&self, mac: &str) -> Vec<ObjectKey>;
    /// Every TinkerbellMachine that names this Hardware: by its provider ID, or by `hardwareName` in the namespace where
    /// that looks for it.
    fn machines_on(&self, hardware: &ObjectKey) -> Vec<Arc<TinkerbellMachine>>;
    /// The TinkerbellMachine that has this UID.
    fn machine_with_uid(&self, uid: &str) -> Option<ObjectKey>;
    /// A Template.
    fn template(&self, key: &ObjectKey) -> Option<Arc<Template>>;
    /// A Workflow.
    fn workflow(&self, key: &ObjectKey) -> Option<Arc<Workflow>>;
    /// A BMC Job.
    fn job(&self, key: &ObjectKey) -> Option<Arc<Job>>;
    /// Every Template that was made for a machine of this name, in whatever namespace.
    fn templates_of(&self, machine: &ObjectKey) -> Vec<Arc<Template>>;
    /// Every Workflow that was made for a machine of this name, in whatever namespace.
    fn workflows_of(&self, machine: &ObjectKey) -> Vec<Arc<Workflow>>;
    /// Every BMC Job that was made for a machine of this name, in whatever namespace.
    fn jobs_of(&self, machine: &ObjectKey) -> Vec<Arc<Job>>;
    /// Every Job, whoever made it, for this BMC Machine.
    fn jobs_of_bmc(&self, bmc: &ObjectKey) -> Vec<Arc<Job>>;
    /// Whether the stores hold every object of this kind in this namespace. Where they do not, the absence of an
    /// object means nothing until it was [looked at](Writer::look).
    fn covers(&self, kind: Kind, namespace: &str) -> bool {
        let _ = (kind, namespace);
        true
    }
    /// False if the server said not long ago that we may not delete Jobs.
    fn may_delete_jobs(&self) -> bool {
        true
    }
    /// Whether BMC kinds are served.
    fn bmc(&self) -> Presence;
    /// Whether IPAddressClaim and IPAddress are served.
    fn ipam(&self) -> Presence;
    /// What the server said last when the objects of this kind could not be read.
    fn trouble_with(&self, kind: Kind) -> Option<String> {
        let _ = kind;
        None
    }
    /// A claim.
    fn claim(&self, key: &ObjectKey) -> Option<Arc<IPAddressClaim>>;
    /// Every claim whose controller owner has this UID.
    fn claims_of(&self, owner_uid: &str) -> Vec<Arc<IPAddressClaim>>;
    /// An IPAddress.
    fn address(&self, key: &ObjectKey) -> Option<Arc<IPAddress>>;
    /// The pool that a machine in this namespace names. The first question about a kind of pool makes the store start
    /// to watch it.
    fn pool(&self, namespace: &str, reference: &PoolReference) -> PoolView;
    /// Who uses this address, as an address of Hardware (also one being written right now), as a gateway or as a
    /// control-plane endpoint; `except` is the Hardware it is meant for.
    fn address_users(&self, address: IpAddr, except: &ObjectKey) -> Vec<AddressUse>;
    /// Whether there is more to this use than a name that somebody wrote down: an endpoint counts once a machine of its
    /// cluster holds a server.
    fn is_in_earnest(&self, user: &AddressUse) -> bool {
        let _ = user;
        true
    }
}

/// How a write, or the one read we make, went wrong. The text is the server's and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The object is no longer what we decided on (409, a failed precondition, 404, or already there). The stores hold
    /// the object as it is now: decide again.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The namespace is being deleted: nothing can be made in it any more.
    #[error("the namespace is being deleted: {0}")]
    NamespaceEnds(String),
    /// The server refuses this write as it is (invalid, forbidden, refused by a webhook).
    #[error("refused by the server: {0}")]
    Rejected(String),
    /// The server did not answer, or not properly: try again later. The write may have taken effect.
    #[error("{0}")]
    Transient(String),
}

/// A question about a BMC's Machine, which is neither listed nor watched: rufio changes it all the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BmcQuestion {
    /// The BMC Machine.
    pub key: ObjectKey,
    /// Whether rufio is to read the power state anew.
    pub anew: bool,
}

/// What we know of a BMC's Machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BmcView {
    /// There is no such object.
    Missing,
    /// We may not read it, or the server would not say; in words.
    Unreadable(String),
    /// It is there.
    Found(BmcState),
}

/// The state of a BMC's Machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BmcState {
    /// `on`, `off` or `unknown`; empty before rufio's first look.
    pub power_state: String,
    /// Whether rufio could reach the BMC at its last look.
    pub contactable: Option<bool>,
    /// When it last changed whether rufio could reach the BMC, by rufio's clock; the power state is not older than that.
    pub contactable_since: Option<Timestamp>,
    /// The BMC's words, where it could not be reached.
    pub message: String,
    /// Whether this answer is to a question that made rufio read the power state anew.
    pub anew: bool,
}

/// Bootstrap data of a machine. It never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct BootstrapData(String);

impl BootstrapData {
    /// Takes the secret text in.
    pub fn new(text: String) -> Self {
        Self(text)
    }
    /// The text, for the one write that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for BootstrapData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BootstrapData(secret)")
    }
}

/// What the bootstrap Secret holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootstrapSecret {
    /// There is no such Secret.
    Missing,
    /// The Secret has no key `value`.
    KeyMissing,
    /// The value is empty.
    Empty,
    /// The value is no text; what it is instead.
    NotText(String),
    /// The value unpacks to more than this many bytes, which no Hardware can carry.
    TooLarge(usize),
    /// The data.
    Found(BootstrapData),
}

/// Writes to the API server, and the reads that no store answers.
pub trait Writer: Send + Sync {
    /// Performs one write. When it returns, the stores hold the server's answer; after a
    /// [`Conflict`](WriteError::Conflict) they hold the object as the server has it now.
    ///
    /// A write with a [`Hold`](crate::effect::Hold) is refused as a conflict, without a request, when another machine
    /// is about to write the same thing.
    fn write(&self, write: &Write) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Reads a bootstrap Secret; Secrets are never listed, watched or cached.
    fn bootstrap_secret(&self, key: &ObjectKey) -> impl Future<Output = Result<BootstrapSecret, WriteError>> + Send;

    /// Has the Workflows and Jobs of a namespace watched, so that the stores [cover](Stores::covers) it. Does nothing if
    /// they do already.
    fn watch_namespace(&self, namespace: &str) -> impl Future<Output = Result<(), WriteError>> + Send {
        let _ = namespace;
        std::future::ready(Ok(()))
    }

    /// Brings the stores up to date about a Template, Workflow or Job where they do not [cover](Stores::covers) it.
    fn look(&self, kind: Kind, key: &ObjectKey) -> impl Future<Output = Result<(), WriteError>> + Send {
        let _ = (kind, key);
        std::future::ready(Ok(()))
    }

    /// Reads a BMC's Machine. To have the power state read anew it is set to `unknown`: rufio reads it at any change of
    /// the object, and writes it only if it is not what stands there, so that nothing else tells an old reading
    /// from a new one.
    fn ask_bmc(&self, question: &BmcQuestion) -> impl Future<Output = BmcView> + Send;

    /// Hands an event over. Never waits and never fails the caller.
    fn event(&self, event: Event);
}

/// An event about one of our objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The kind that the event is about.
    pub kind: crate::effect::Kind,
    /// The object.
    pub key: ObjectKey,
    /// Its UID.
    pub uid: String,
    /// What is told.
    pub notice: Notice,
}

/// The time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
