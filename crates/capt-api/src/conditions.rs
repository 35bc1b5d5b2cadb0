//! Condition types and reasons, one constant each, stable once released; and the type of a condition.

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as kubernetes;
use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::kind::open_enum;
use crate::{Members, Time};

open_enum! {
    /// Whether a condition holds.
    ConditionStatus {
        /// It holds.
        True = "True",
        /// It does not hold.
        False = "False",
        /// Nobody can tell.
        Unknown = "Unknown",
    }
}

/// One aspect of an object's state. It reads standard conditions and those of Cluster API's v1beta1, which have a severity
/// and may lack reason and message.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Severity of a condition of Cluster API's v1beta1 that does not hold: `Error`, `Warning` or `Info`.
    pub severity: Option<String>,
    /// Why, for programs.
    pub reason: Option<String>,
    /// Why, for people.
    pub message: Option<String>,
    /// When the status last changed.
    pub last_transition_time: Option<Time>,
    /// Generation of the object that the condition was set for.
    pub observed_generation: Option<i64>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl Condition {
    /// Whether it holds.
    pub fn is_true(&self) -> bool {
        self.status == ConditionStatus::True
    }

    /// The first condition of this type.
    pub fn find<'a>(conditions: Option<&'a Vec<Self>>, type_: &str) -> Option<&'a Self> {
        conditions?.iter().find(|condition| condition.type_ == type_)
    }
}

impl From<kubernetes::Condition> for Condition {
    fn from(condition: kubernetes::Condition) -> Self {
        let moment: jiff::Timestamp = condition.last_transition_time.0;
        Self {
            type_: condition.type_,
            status: condition.status.into(),
            severity: None,
            reason: Some(condition.reason),
            message: Some(condition.message),
            last_transition_time: Some(moment.into()),
            observed_generation: condition.observed_generation,
            other: Members::new(),
        }
    }
}

/// Summary of the machine or cluster; what the owning Machine shows.
pub const READY: &str = "Ready";
/// Whether reconciliation is paused (Cluster API's).
pub const PAUSED: &str = "Paused";
/// Whether Hardware carries our labels.
pub const HARDWARE_RESERVED: &str = "HardwareReserved";
/// Whether the machine's address claims are fulfilled; absent without a pool.
pub const IP_ADDRESS_CLAIMS_FULFILLED: &str = "IPAddressClaimsFulfilled";
/// Whether the machine's Workflow ended well.
pub const WORKFLOW_SUCCEEDED: &str = "WorkflowSucceeded";
/// Present while the machine is being deleted; says what deletion waits for.
pub const DELETING: &str = "Deleting";

/// Condition reasons, which are also the reasons of events.
pub mod reasons {
    /// `Ready` is true.
    pub const READY: &str = "Ready";
    /// `Paused` is true.
    pub const PAUSED: &str = "Paused";
    /// `Paused` is false.
    pub const NOT_PAUSED: &str = "NotPaused";

    /// No owner Machine yet.
    pub const WAITING_FOR_OWNER: &str = "WaitingForOwnerMachine";
    /// The owner Machine's Cluster does not exist (yet).
    pub const WAITING_FOR_CLUSTER: &str = "WaitingForCluster";
    /// The TinkerbellCluster is missing or not ready.
    pub const WAITING_FOR_CLUSTER_INFRASTRUCTURE: &str = "WaitingForClusterInfrastructure";
    /// The bootstrap provider has not made its data yet.
    pub const WAITING_FOR_BOOTSTRAP_DATA: &str = "WaitingForBootstrapData";
    /// The bootstrap Secret is there and holds nothing usable.
    pub const BOOTSTRAP_DATA_INVALID: &str = "BootstrapDataInvalid";
    /// The owner Machine lacks what a machine needs.
    pub const MACHINE_INVALID: &str = "MachineInvalid";

    /// Hardware carries our labels.
    pub const RESERVED: &str = "Reserved";
    /// No free Hardware fits the machine's affinity.
    pub const NO_HARDWARE_AVAILABLE: &str = "NoHardwareAvailable";
    /// The machine's Hardware is labelled for another machine.
    pub const HARDWARE_TAKEN: &str = "HardwareTaken";
    /// The machine's Hardware does not exist.
    pub const HARDWARE_NOT_FOUND: &str = "HardwareNotFound";
    /// The machine's Hardware is being deleted.
    pub const HARDWARE_TERMINATING: &str = "HardwareTerminating";
    /// Event: labels, finalizer or mark that somebody removed from the Hardware of a machine were put back.
    pub const HARDWARE_RESTORED: &str = "HardwareRestored";
    /// Event: bootstrap data that somebody removed or changed was put back.
    pub const USER_DATA_RESTORED: &str = "UserDataRestored";
    /// Another Hardware has an interface with the same MAC.
    pub const MAC_DUPLICATE: &str = "MACAddressDuplicate";
    /// A person asked for a new installation, and it has begun.
    pub const REINSTALLING: &str = "Reinstalling";
    /// Event: an installation went wrong, and its Hardware is noted as one to be taken last.
    pub const INSTALLATION_FAILED: &str = "InstallationFailed";
    /// The Hardware lacks a field that a machine needs; the message names it.
    pub const HARDWARE_UNFIT: &str = "HardwareUnfit";

    /// All claims are resolved, valid and written.
    pub const FULFILLED: &str = "Fulfilled";
    /// An address that a person wrote is used; IPAM is skipped.
    pub const STATIC_ADDRESS: &str = "StaticAddress";
    /// Claims are not all there yet.
    pub const CLAIMS_BEING_CREATED: &str = "ClaimsBeingCreated";
    /// The claim has no address yet.
    pub const WAITING_FOR_IP_ADDRESS: &str = "WaitingForIPAddress";
    /// The pool object is missing.
    pub const POOL_NOT_FOUND: &str = "PoolNotFound";
    /// The server knows no such kind of pool.
    pub const POOL_KIND_NOT_SERVED: &str = "PoolKindNotServed";
    /// The kinds IPAddressClaim and IPAddress are not served.
    pub const IPAM_NOT_INSTALLED: &str = "IPAMNotInstalled";
    /// The provider's own: allocation failed.
    pub const ALLOCATION_FAILED: &str = "AllocationFailed";
    /// The provider's own: the pool is not ready.
    pub const POOL_NOT_READY: &str = "PoolNotReady";
    /// The pool has no free address.
    pub const POOL_EXHAUSTED: &str = "PoolExhausted";
    /// The pool is paused.
    pub const POOL_PAUSED: &str = "PoolPaused";
    /// The Cluster is paused.
    pub const CLUSTER_PAUSED: &str = "ClusterPaused";
    /// No provider put its finalizer on the claim for some time.
    pub const NO_PROVIDER_RESPONDED: &str = "NoProviderResponded";
    /// A claim of the needed name is being deleted.
    pub const CLAIM_TERMINATING: &str = "ClaimTerminating";
    /// The claim or its address belongs to somebody else.
    pub const CLAIM_CONFLICT: &str = "ClaimConflict";
    /// The address, prefix or gateway is unusable.
    pub const ADDRESS_INVALID: &str = "AddressInvalid";
    /// The address is in use elsewhere.
    pub const ADDRESS_DUPLICATE: &str = "AddressDuplicate";
    /// The machine's Hardware has no interface for the address.
    pub const INTERFACE_NOT_FOUND: &str = "InterfaceNotFound";
    /// Somebody changed the Hardware's address to one that is not the lease's.
    pub const HARDWARE_ADDRESS_CONFLICT: &str = "HardwareAddressConflict";
    /// The lease of an address in use is gone or going.
    pub const ADDRESS_RELEASED_IN_USE: &str = "AddressReleasedInUse";
    /// The lease of a provisioned machine now holds another address.
    pub const ADDRESS_CHANGED: &str = "AddressChanged";

    /// The Workflow ended well.
    pub const SUCCEEDED: &str = "Succeeded";
    /// The Hardware was provisioned before; no Workflow is needed.
    pub const ALREADY_PROVISIONED: &str = "AlreadyProvisioned";
    /// The Workflow has not started.
    pub const WORKFLOW_PENDING: &str = "WorkflowPending";
    /// The Workflow runs.
    pub const WORKFLOW_RUNNING: &str = "WorkflowRunning";
    /// The Workflow failed.
    pub const WORKFLOW_FAILED: &str = "WorkflowFailed";
    /// The Workflow timed out.
    pub const WORKFLOW_TIMED_OUT: &str = "WorkflowTimedOut";
    /// No usable template text.
    pub const TEMPLATE_INVALID: &str = "TemplateInvalid";
    /// The namespace of the Hardware, in another cluster, cannot be watched.
    pub const NAMESPACE_NOT_WATCHED: &str = "NamespaceNotWatched";
    /// A Template or Workflow of the machine's name belongs to somebody else.
    pub const WORKFLOW_CONFLICT: &str = "WorkflowConflict";

    /// Deletion: the Workflow is being stopped.
    pub const STOPPING_WORKFLOW: &str = "StoppingWorkflow";
    /// Deletion: the server is being switched off.
    pub const WAITING_FOR_POWER_OFF: &str = "WaitingForPowerOff";
    /// Deletion: switching the server off failed; it is tried again.
    pub const POWER_OFF_FAILED: &str = "PowerOffFailed";
    /// Deletion: a Job that may switch the server on does not end.
    pub const POWER_OFF_BLOCKED: &str = "PowerOffBlocked";
    /// Deletion: the Job that switches the server off does not end.
    pub const POWER_OFF_OVERDUE: &str = "PowerOffOverdue";
    /// Deletion: the BMC Machine that the Hardware names does not exist.
    pub const BMC_NOT_FOUND: &str = "BMCNotFound";
    /// Deletion: rufio cannot reach the BMC.
    pub const BMC_NOT_CONTACTABLE: &str = "BMCNotContactable";
    /// Deletion: a claim is not gone yet.
    pub const WAITING_FOR_ADDRESS_RELEASE: &str = "WaitingForAddressRelease";

    /// TinkerbellCluster: nobody named a control-plane endpoint.
    pub const ENDPOINT_NOT_SET: &str = "ControlPlaneEndpointNotSet";
    /// Event: a Workflow was made for the machine.
    pub const WORKFLOW_CREATED: &str = "WorkflowCreated";
    /// Event: the machine is provisioned.
    pub const PROVISIONED: &str = "Provisioned";
    /// Event: Hardware whose server is off was released.
    pub const RELEASED: &str = "Released";
    /// Event: Hardware is released although nothing proves that its server is off.
    pub const RELEASED_WITHOUT_POWER_OFF: &str = "ReleasedWithoutPowerOff";
    /// Event: an address was written to Hardware.
    pub const ADDRESS_WRITTEN: &str = "AddressWritten";
    /// Event: a reservation that somebody wiped was written back.
    pub const ADDRESS_RESTORED: &str = "AddressRestored";
    /// Event: no gateway is known for the address.
    pub const GATEWAY_UNKNOWN: &str = "GatewayUnknown";
    /// Event: the server rejected a write.
    pub const WRITE_REJECTED: &str = "WriteRejected";
    /// A write goes on failing without a proper answer; the message has the server's words.
    pub const WRITE_FAILED: &str = "WriteFailed";
    /// Somebody undoes what we write, each time.
    pub const WRITE_UNDONE: &str = "WriteUndone";
    /// Event: the bootstrap data does not tell the node its provider ID.
    pub const PROVIDER_ID_MISSING: &str = "ProviderIDMissing";
    /// The Hardware is ours and its server installed, but it may boot from the network again.
    pub const NETBOOT_ALLOWED: &str = "NetbootAllowed";
    /// The Hardware is ours and its server installed, but somebody changed its address.
    pub const HARDWARE_EDITED: &str = "HardwareEdited";
}
