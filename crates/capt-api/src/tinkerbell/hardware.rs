//! Hardware.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::{API_VERSION, HardwareMetadata, IsoBoot, Netboot, ReservationRecord};
use crate::contract::{
    BMC_GROUP, OWNER_NAME_LABEL, OWNER_NAMESPACE_LABEL, PROVISIONED_ANNOTATION, RESERVATION_ANNOTATION,
    TINKERBELL_GROUP,
};
use crate::meta::{Meta, ObjectKey};
use crate::{Members, Quantity};

crate::kind::kind! {
    /// One server. Its `userData` may hold secrets, which `Debug` shows as they are.
    Hardware, "hardware", TINKERBELL_GROUP, (), |_dt| API_VERSION, scope NamespaceResourceScope,
    {
        /// The server, as its owner describes it.
        spec: HardwareSpec,
        /// What Tinkerbell reports.
        status: HardwareStatus,
    }
}

crate::kind::constructor!(Hardware, HardwareSpec);

impl Hardware {
    /// The TinkerbellMachine whose labels this Hardware carries.
    pub fn reserved_for(&self) -> Option<ObjectKey> {
        let name = self.label(OWNER_NAME_LABEL)?;
        Some(ObjectKey::new(self.label(OWNER_NAMESPACE_LABEL).unwrap_or_default(), name))
    }

    /// Whether an operating system of CAPT's is installed.
    pub fn is_provisioned(&self) -> bool {
        self.annotation(PROVISIONED_ANNOTATION) == Some("true")
    }

    /// The addresses that CAPT wrote to it from pools; a broken record counts as none.
    pub fn reservations(&self) -> Vec<ReservationRecord> {
        self.annotation(RESERVATION_ANNOTATION).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The BMC Machine of this server.
    pub fn bmc(&self) -> Option<ObjectKey> {
        let bmc = self.spec.as_ref()?.bmc_ref.as_ref()?;
        Some(ObjectKey::new(self.namespace(), &bmc.name))
    }

    /// All addresses that stand on its interfaces, as text.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let interfaces = self.spec.iter().filter_map(|spec| spec.interfaces.as_ref()).flatten();
        interfaces.filter_map(|interface| interface.dhcp.as_ref()?.ip.as_ref()?.address.as_deref())
    }
}

/// Desired state of a Hardware.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HardwareSpec {
    /// Name under which the agent on this server asks for work, where it is not the MAC.
    #[serde(rename = "agentID")]
    pub agent_id: Option<String>,
    /// What Tinkerbell does by itself for this server.
    pub auto: Option<AutoCapabilities>,
    /// The server's BMC.
    pub bmc_ref: Option<BmcReference>,
    /// Disks; the first one gets the operating system.
    pub disks: Option<Vec<Disk>>,
    /// Network interfaces.
    pub interfaces: Option<Vec<Interface>>,
    /// Metadata served to the machine.
    pub metadata: Option<HardwareMetadata>,
    /// Objects that templates may read, by the name they have there.
    pub references: Option<BTreeMap<String, ObjectReference>>,
    /// What the server has, by name of the resource, such as memory.
    pub resources: Option<BTreeMap<String, Quantity>>,
    /// Not used by Tinkerbell any more.
    pub tink_version: Option<i64>,
    /// Bootstrap data served to the machine; may hold secrets.
    pub user_data: Option<String>,
    /// Vendor data served to the machine.
    pub vendor_data: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Observed state of a Hardware.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HardwareStatus {
    /// State, in Tinkerbell's words.
    pub state: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// What Tinkerbell does by itself for a server.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoCapabilities {
    /// Whether Tinkerbell may make Workflows for it by rules.
    pub enrollment_enabled: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Names the BMC's Machine, in the Hardware's namespace.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BmcReference {
    /// API group of the Machine.
    pub api_group: Option<String>,
    /// `Machine`.
    pub kind: String,
    /// Name of the Machine.
    pub name: String,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

impl BmcReference {
    /// The Machine of this name.
    pub fn new(name: impl Into<String>) -> Self {
        let (api_group, kind) = (Some(BMC_GROUP.to_owned()), "Machine".to_owned());
        Self { api_group, kind, name: name.into(), other: Members::new() }
    }
}

/// An object that templates may read.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectReference {
    /// API group.
    pub group: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Plural name of the kind.
    pub resource: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A disk.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Device path, such as `/dev/sda`.
    pub device: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A network interface.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    /// Whether Tinkerbell leaves this interface's DHCP requests to others.
    pub disable_dhcp: Option<bool>,
    /// What DHCP says to this interface.
    pub dhcp: Option<Dhcp>,
    /// Booting from an ISO image.
    pub isoboot: Option<IsoBoot>,
    /// Booting from the network; without it Tinkerbell gives no DHCP answer at all.
    pub netboot: Option<Netboot>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// What DHCP says to an interface.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dhcp {
    /// Architecture, such as `x86_64`.
    pub arch: Option<String>,
    /// Name of the boot file (option 67); together with the server only.
    pub boot_file_name: Option<String>,
    /// Routes (option 121).
    pub classless_static_routes: Option<Vec<StaticRoute>>,
    /// Domain (option 15).
    pub domain_name: Option<String>,
    /// Host name (option 12).
    pub hostname: Option<String>,
    /// Name of the interface.
    pub iface_name: Option<String>,
    /// The reserved address.
    pub ip: Option<Ip>,
    /// Lease time in seconds.
    pub lease_time: Option<i64>,
    /// The interface's MAC, lower case with colons.
    pub mac: Option<String>,
    /// Addresses of DNS servers.
    pub name_servers: Option<Vec<String>>,
    /// The TFTP server (option 66); together with the boot file only.
    pub tftp_server_name: Option<String>,
    /// Addresses of time servers.
    pub time_servers: Option<Vec<String>>,
    /// Whether the interface boots in UEFI mode.
    pub uefi: Option<bool>,
    /// VLAN, or several, with commas between them.
    pub vlan_id: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// One route that DHCP tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StaticRoute {
    /// Destination, as an IPv4 prefix.
    pub destination_descriptor: String,
    /// Address of the router.
    pub router: String,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A reserved address. Tinkerbell refuses the Hardware when only a part of it is there.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ip {
    /// The address.
    pub address: Option<String>,
    /// Dotted netmask of an IPv4 address; absent for IPv6.
    pub netmask: Option<String>,
    /// The gateway.
    pub gateway: Option<String>,
    /// 4 or 6.
    pub family: Option<i64>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
