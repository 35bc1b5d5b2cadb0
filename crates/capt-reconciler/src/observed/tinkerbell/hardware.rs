//! Hardware, and the record of the addresses we wrote to it.

use serde::{Deserialize, Serialize};

use capt_api::contract::{
    INSTALLATION_FAILED_ANNOTATION, MACHINE_UID_ANNOTATION, OWNER_NAME_LABEL, OWNER_NAMESPACE_LABEL,
    PROVISIONED_ANNOTATION, REINSTALL_ANNOTATION, RESERVATION_ANNOTATION, SET_ASIDE_ANNOTATION,
    TEMPLATE_OVERRIDE_ANNOTATION, TINKERBELL_GROUP,
};
use capt_api::meta::{Meta, ObjectKey};
pub use capt_api::tinkerbell::ReservationRecord;

use crate::observed::decode::lenient;

crate::observed::decode::kind! {
    /// One server.
    Hardware, "hardware", TINKERBELL_GROUP, (), |_dt| "v1alpha1", scope NamespaceResourceScope,
    {
        /// The server, as its owner describes it.
        #[serde(default, deserialize_with = "lenient")]
        spec: HardwareSpec,
    }
}

/// The parts of a Hardware's spec that we read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HardwareSpec {
    /// The server's BMC.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub bmc_ref: Option<BmcReference>,
    /// Disks; the first one gets the operating system.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "lenient")]
    pub disks: Vec<Disk>,
    /// Network interfaces.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "lenient")]
    pub interfaces: Vec<Interface>,
    /// Metadata served to the machine.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub metadata: Option<HardwareMetadata>,
    /// Name under which the agent on this server asks for work, where it is not the MAC.
    #[serde(rename = "agentID", skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub agent_id: Option<Box<str>>,
    /// Bootstrap data served to the machine; secret, and kept as a fingerprint only.
    #[serde(skip_serializing)]
    pub user_data: Option<UserData>,
}

/// What we remember of `spec.userData`: enough to tell whether it is the wanted text, nothing of the text itself.
/// Bootstrap data is secret and several KiB; neither belongs in a cache.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserData(u64, usize);

impl UserData {
    /// Fingerprint of a text.
    pub fn of(text: &str) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self(hasher.finish(), text.len())
    }

    /// Whether the text is empty.
    pub fn is_empty(self) -> bool {
        self.1 == 0
    }
}

impl std::fmt::Debug for UserData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserData({} bytes)", self.1)
    }
}

impl<'de> Deserialize<'de> for UserData {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::of(&text))
    }
}

/// Names the BMC's Machine, in the Hardware's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BmcReference {
    /// Name of the Machine.
    pub name: String,
}

/// A disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Device path, such as `/dev/sda`.
    pub device: String,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Interface {
    /// Whether Tinkerbell answers this interface's DHCP requests at all.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub disable_dhcp: Option<bool>,
    /// What DHCP says to this interface.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub dhcp: Option<Dhcp>,
    /// Whether the interface may boot from the network; without it Tinkerbell gives no DHCP answer at all.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub netboot: Option<Netboot>,
}

/// An interface's netboot settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Netboot {
    /// Whether the server may boot from the network; tink-controller switches it on for a Workflow, and off after it.
    #[serde(rename = "allowPXE", skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub allow_pxe: Option<bool>,
    /// Whether Workflows may run on the server.
    #[serde(rename = "allowWorkflow", skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub allow_workflow: Option<bool>,
}

/// What DHCP says to an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dhcp {
    /// The interface's MAC, lower case with colons.
    #[serde(deserialize_with = "lenient")]
    pub mac: String,
    /// The reserved address.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub ip: Option<Ip>,
}

/// A reserved address. Written whole or not at all: Tinkerbell refuses the Hardware when a part is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ip {
    /// The address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Dotted netmask of an IPv4 address; absent for IPv6.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub netmask: String,
    /// The gateway.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// 4 or 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<i32>,
}

/// Metadata served to the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HardwareMetadata {
    /// The instance.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub instance: Option<Instance>,
}

/// The instance that the metadata describes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Instance {
    /// Identifier; by convention the MAC.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
}

impl Interface {
    /// The interface's MAC as it stands there, empty when absent.
    pub fn mac(&self) -> &str {
        self.dhcp.as_ref().map_or("", |dhcp| dhcp.mac.as_str())
    }
}

impl Hardware {
    /// The TinkerbellMachine whose labels this Hardware carries.
    pub fn reserved_for(&self) -> Option<ObjectKey> {
        let name = self.label(OWNER_NAME_LABEL)?;
        Some(ObjectKey::new(self.label(OWNER_NAMESPACE_LABEL).unwrap_or_default(), name))
    }

    /// Whether any machine's name stands on it, in part or whole.
    pub fn is_reserved(&self) -> bool {
        self.label(OWNER_NAME_LABEL).is_some()
    }

    /// UID of the machine that reserved it; absent on what Go CAPT reserved.
    pub fn machine_uid(&self) -> Option<&str> {
        self.annotation(MACHINE_UID_ANNOTATION).filter(|uid| !uid.is_empty())
    }

    /// The reason for which a person keeps it back.
    pub fn set_aside(&self) -> Option<&str> {
        self.annotation(SET_ASIDE_ANNOTATION)
    }

    /// When and how its last installation went wrong.
    pub fn failed_installation(&self) -> Option<&str> {
        self.annotation(INSTALLATION_FAILED_ANNOTATION)
    }

    /// The request for a new installation that is being served, or was served last.
    pub fn reinstallation(&self) -> Option<&str> {
        self.annotation(REINSTALL_ANNOTATION)
    }

    /// Whether a new installation that a person asked for is under way: begun, and not ended well yet.
    pub fn is_being_reinstalled(&self) -> bool {
        self.reinstallation().is_some() && !self.is_provisioned()
    }

    /// Whether its first interface is closed to Workflows.
    pub fn forbids_workflows(&self) -> bool {
        let netboot = self.spec.interfaces.first().and_then(|first| first.netboot.as_ref());
        netboot.is_some_and(|netboot| netboot.allow_workflow == Some(false))
    }

    /// The MACs of its interfaces, in lower case.
    pub fn macs(&self) -> impl Iterator<Item = String> {
        let macs = self.spec.interfaces.iter().map(Interface::mac).filter(|mac| !mac.is_empty());
        macs.map(str::to_lowercase)
    }

    /// Whether an operating system of ours is installed.
    pub fn is_provisioned(&self) -> bool {
        self.annotation(PROVISIONED_ANNOTATION) == Some("true")
    }

    /// The BMC Machine of this server.
    pub fn bmc(&self) -> Option<ObjectKey> {
        self.spec.bmc_ref.as_ref().map(|bmc| ObjectKey::new(self.namespace(), &bmc.name))
    }

    /// The name of the Template to use in place of the generated one; an empty annotation counts as none.
    pub fn template_override(&self) -> Option<&str> {
        self.annotation(TEMPLATE_OVERRIDE_ANNOTATION).filter(|name| !name.is_empty())
    }

    /// The addresses we recorded as ours; a broken record counts as none.
    pub fn reservations(&self) -> Vec<ReservationRecord> {
        self.annotation(RESERVATION_ANNOTATION).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The index of the interface with this MAC, whatever its letters' case.
    pub fn interface_with_mac(&self, mac: &str) -> Option<usize> {
        self.spec
            .interfaces
            .iter()
            .position(|interface| interface.dhcp.as_ref().is_some_and(|dhcp| dhcp.mac.eq_ignore_ascii_case(mac)))
    }

    /// All addresses that stand on its interfaces, as text.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.ips().map(|ip| ip.address.as_str()).filter(|address| !address.is_empty())
    }

    /// All gateways that stand on its interfaces, as text.
    pub fn gateways(&self) -> impl Iterator<Item = &str> {
        self.ips().map(|ip| ip.gateway.as_str()).filter(|gateway| !gateway.is_empty())
    }

    fn ips(&self) -> impl Iterator<Item = &Ip> {
        self.spec.interfaces.iter().filter_map(|interface| interface.dhcp.as_ref()?.ip.as_ref())
    }
}
