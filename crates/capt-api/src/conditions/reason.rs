//! Reasons of conditions and events.

use std::fmt;

/// Defines [`Reason`]: a value and its text for each.
macro_rules! reasons {
    ( $( $(#[$doc:meta])* $variant:ident = $text:literal, )+ ) => {
        /// Why a condition is as it is, which is also the reason of the Event that tells it.
        ///
        /// ```
        /// use capt_api::conditions::Reason;
        ///
        /// assert_eq!(Reason::PoolExhausted.as_str(), "PoolExhausted");
        /// assert_eq!(Reason::parse("PoolExhausted"), Some(Reason::PoolExhausted));
        /// assert_eq!(Reason::parse("SomebodyElses"), None);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Reason {
            $( $(#[$doc])* $variant, )+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$( Self::$variant ),+];

            /// The reason as it stands in a condition.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )+
                }
            }

            /// The reason that stands in a condition; none if it is nobody's of ours.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $( $text => Some(Self::$variant), )+
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    /// `Ready` is true.
    Ready = "Ready",
    /// `Paused` is true.
    Paused = "Paused",
    /// `Paused` is false.
    NotPaused = "NotPaused",

    /// No owner Machine yet.
    WaitingForOwner = "WaitingForOwnerMachine",
    /// The owner Machine's Cluster does not exist (yet).
    WaitingForCluster = "WaitingForCluster",
    /// The TinkerbellCluster is missing or not ready.
    WaitingForClusterInfrastructure = "WaitingForClusterInfrastructure",
    /// The bootstrap provider has not made its data yet.
    WaitingForBootstrapData = "WaitingForBootstrapData",
    /// The bootstrap Secret is there and holds nothing usable.
    BootstrapDataInvalid = "BootstrapDataInvalid",
    /// The owner Machine lacks what a machine needs.
    MachineInvalid = "MachineInvalid",

    /// Hardware carries our labels.
    Reserved = "Reserved",
    /// No free Hardware fits the machine's affinity.
    NoHardwareAvailable = "NoHardwareAvailable",
    /// The machine's Hardware is labelled for another machine.
    HardwareTaken = "HardwareTaken",
    /// The machine's Hardware does not exist.
    HardwareNotFound = "HardwareNotFound",
    /// The machine's Hardware is being deleted.
    HardwareTerminating = "HardwareTerminating",
    /// Event: labels, finalizer or mark that somebody removed from the Hardware of a machine were put back.
    HardwareRestored = "HardwareRestored",
    /// Event: bootstrap data that somebody removed or changed was put back.
    UserDataRestored = "UserDataRestored",
    /// Another Hardware has an interface with the same MAC.
    MacDuplicate = "MACAddressDuplicate",
    /// A person asked for a new installation, and it has begun.
    Reinstalling = "Reinstalling",
    /// Event: an installation went wrong, and its Hardware is noted as one to be taken last.
    InstallationFailed = "InstallationFailed",
    /// The Hardware lacks a field that a machine needs; the message names it.
    HardwareUnfit = "HardwareUnfit",

    /// All claims are resolved, valid and written.
    Fulfilled = "Fulfilled",
    /// An address that a person wrote is used; IPAM is skipped.
    StaticAddress = "StaticAddress",
    /// Claims are not all there yet.
    ClaimsBeingCreated = "ClaimsBeingCreated",
    /// The claim has no address yet.
    WaitingForIpAddress = "WaitingForIPAddress",
    /// The pool object is missing.
    PoolNotFound = "PoolNotFound",
    /// The server knows no such kind of pool.
    PoolKindNotServed = "PoolKindNotServed",
    /// The kinds IPAddressClaim and IPAddress are not served.
    IpamNotInstalled = "IPAMNotInstalled",
    /// The provider's own: allocation failed.
    AllocationFailed = "AllocationFailed",
    /// The provider's own: the pool is not ready.
    PoolNotReady = "PoolNotReady",
    /// The pool has no free address.
    PoolExhausted = "PoolExhausted",
    /// The pool is paused.
    PoolPaused = "PoolPaused",
    /// The Cluster is paused.
    ClusterPaused = "ClusterPaused",
    /// No provider put its finalizer on the claim for some time.
    NoProviderResponded = "NoProviderResponded",
    /// A claim of the needed name is being deleted.
    ClaimTerminating = "ClaimTerminating",
    /// The claim or its address belongs to somebody else.
    ClaimConflict = "ClaimConflict",
    /// The address, prefix or gateway is unusable.
    AddressInvalid = "AddressInvalid",
    /// The address is in use elsewhere.
    AddressDuplicate = "AddressDuplicate",
    /// The machine's Hardware has no interface for the address.
    InterfaceNotFound = "InterfaceNotFound",
    /// Somebody changed the Hardware's address to one that is not the claim's.
    HardwareAddressConflict = "HardwareAddressConflict",
    /// The claim or IPAddress of an address in use is gone or going.
    AddressReleasedInUse = "AddressReleasedInUse",
    /// The claim of a provisioned machine now holds another address.
    AddressChanged = "AddressChanged",

    /// The Workflow ended well.
    Succeeded = "Succeeded",
    /// The Hardware was provisioned before; no Workflow is needed.
    AlreadyProvisioned = "AlreadyProvisioned",
    /// The Workflow has not started.
    WorkflowPending = "WorkflowPending",
    /// The Workflow runs.
    WorkflowRunning = "WorkflowRunning",
    /// The Workflow failed.
    WorkflowFailed = "WorkflowFailed",
    /// The Workflow timed out.
    WorkflowTimedOut = "WorkflowTimedOut",
    /// No usable template text.
    TemplateInvalid = "TemplateInvalid",
    /// The namespace of the Hardware, in another cluster, cannot be watched.
    NamespaceNotWatched = "NamespaceNotWatched",
    /// A Template or Workflow of the machine's name belongs to somebody else.
    WorkflowConflict = "WorkflowConflict",

    /// Deletion: the Workflow is being stopped.
    StoppingWorkflow = "StoppingWorkflow",
    /// Deletion: the server is being switched off.
    WaitingForPowerOff = "WaitingForPowerOff",
    /// Deletion: switching the server off failed; it is tried again.
    PowerOffFailed = "PowerOffFailed",
    /// Deletion: a Job that may switch the server on does not end.
    PowerOffBlocked = "PowerOffBlocked",
    /// Deletion: the Job that switches the server off does not end.
    PowerOffOverdue = "PowerOffOverdue",
    /// Deletion: the BMC Machine that the Hardware names does not exist.
    BmcNotFound = "BMCNotFound",
    /// Deletion: rufio cannot reach the BMC.
    BmcNotContactable = "BMCNotContactable",
    /// Deletion: a claim is not gone yet.
    WaitingForAddressRelease = "WaitingForAddressRelease",

    /// TinkerbellCluster: nobody named a control-plane endpoint.
    EndpointNotSet = "ControlPlaneEndpointNotSet",
    /// Event: a Workflow was made for the machine.
    WorkflowCreated = "WorkflowCreated",
    /// Event: the machine is provisioned.
    Provisioned = "Provisioned",
    /// Event: Hardware whose server is off was released.
    Released = "Released",
    /// Event: Hardware is released although nothing proves that its server is off.
    ReleasedWithoutPowerOff = "ReleasedWithoutPowerOff",
    /// Event: an address was written to Hardware.
    AddressWritten = "AddressWritten",
    /// Event: a reservation that somebody wiped was written back.
    AddressRestored = "AddressRestored",
    /// Event: no gateway is known for the address.
    GatewayUnknown = "GatewayUnknown",
    /// Event: the server rejected a write.
    WriteRejected = "WriteRejected",
    /// A write goes on failing without a proper answer; the message has the server's words.
    WriteFailed = "WriteFailed",
    /// Somebody undoes what we write, each time.
    WriteUndone = "WriteUndone",
    /// Event: the bootstrap data does not tell the node its provider ID.
    ProviderIdMissing = "ProviderIDMissing",
    /// The Hardware is ours and its server installed, but it may boot from the network again.
    NetbootAllowed = "NetbootAllowed",
    /// The Hardware is ours and its server installed, but somebody changed its address.
    HardwareEdited = "HardwareEdited",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// As texts of conditions are compared in tests and tools.
impl PartialEq<&str> for Reason {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}
