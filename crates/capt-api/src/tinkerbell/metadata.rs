//! Metadata that Tinkerbell serves to a machine.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::Members;

/// Metadata served to the machine.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HardwareMetadata {
    /// Number of the bonding mode.
    pub bonding_mode: Option<i64>,
    /// What the operator adds.
    pub custom: Option<CustomMetadata>,
    /// Where the server stands.
    pub facility: Option<Facility>,
    /// The instance.
    pub instance: Option<Instance>,
    /// Who made the server.
    pub manufacturer: Option<Manufacturer>,
    /// State of the server.
    pub state: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Metadata that the operator adds.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CustomMetadata {
    /// The operating system that was there before.
    pub preinstalled_operating_system_version: Option<OperatingSystem>,
    /// Private networks.
    pub private_subnets: Option<Vec<String>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Where a server stands.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facility {
    /// Code of the place.
    pub facility_code: Option<String>,
    /// Plan of the server.
    pub plan_slug: Option<String>,
    /// Version of the plan.
    pub plan_version_slug: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Who made a server.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manufacturer {
    /// Identifier.
    pub id: Option<String>,
    /// Short name.
    pub slug: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// The instance that the metadata describes.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Whether it may boot from the network.
    pub allow_pxe: Option<bool>,
    /// Whether it always boots from the network.
    pub always_pxe: Option<bool>,
    /// Hash of root's password.
    pub crypted_root_password: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Identifier; by convention the MAC.
    pub id: Option<String>,
    /// Addresses.
    pub ips: Option<Vec<InstanceIp>>,
    /// URL of an iPXE script.
    pub ipxe_script_url: Option<String>,
    /// Whether the network is ready.
    pub network_ready: Option<bool>,
    /// The operating system.
    pub operating_system: Option<OperatingSystem>,
    /// Whether a rescue system is to be booted.
    pub rescue: Option<bool>,
    /// Public keys for SSH.
    pub ssh_keys: Option<Vec<String>>,
    /// State of the instance.
    pub state: Option<String>,
    /// Disks, file systems and RAIDs.
    pub storage: Option<Storage>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// User data; may hold secrets.
    pub userdata: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// One address of an instance.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceIp {
    /// The address.
    pub address: Option<String>,
    /// 4 or 6.
    pub family: Option<i64>,
    /// The gateway.
    pub gateway: Option<String>,
    /// Whether it is used for management.
    pub management: Option<bool>,
    /// Dotted netmask.
    pub netmask: Option<String>,
    /// Whether it is reached from everywhere.
    pub public: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// An operating system.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperatingSystem {
    /// Distribution.
    pub distro: Option<String>,
    /// Tag of the image.
    pub image_tag: Option<String>,
    /// Short name with version.
    pub os_slug: Option<String>,
    /// Short name.
    pub slug: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Disks, file systems and RAIDs of an instance.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Storage {
    /// Disks and their partitions.
    pub disks: Option<Vec<StorageDisk>>,
    /// File systems.
    pub filesystems: Option<Vec<Filesystem>>,
    /// RAIDs.
    pub raid: Option<Vec<Raid>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A disk and its partitions.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StorageDisk {
    /// Device path.
    pub device: Option<String>,
    /// Partitions.
    pub partitions: Option<Vec<Partition>>,
    /// Whether the table of partitions is made anew.
    pub wipe_table: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A partition.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// Label.
    pub label: Option<String>,
    /// Number in the table.
    pub number: Option<i64>,
    /// Size; its unit is up to who reads it.
    pub size: Option<i64>,
    /// Where it starts.
    pub start: Option<i64>,
    /// GUID of its type.
    pub type_guid: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A file system.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Filesystem {
    /// Where and how it is mounted.
    pub mount: Option<Mount>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Where and how a file system is mounted.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    /// How it is made.
    pub create: Option<MountCreate>,
    /// Device path.
    pub device: Option<String>,
    /// Files that are put into it.
    pub files: Option<Vec<MountFile>>,
    /// Format, such as `ext4`.
    pub format: Option<String>,
    /// Mount point.
    pub point: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// How a file system is made.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MountCreate {
    /// Whether it is made even where there is one.
    pub force: Option<bool>,
    /// Options of the program that makes it.
    pub options: Option<Vec<String>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A file that is put into a file system.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MountFile {
    /// Text of the file.
    pub contents: Option<String>,
    /// Number of its group.
    pub gid: Option<i64>,
    /// Mode bits.
    pub mode: Option<i64>,
    /// Path.
    pub path: Option<String>,
    /// Number of its user.
    pub uid: Option<i64>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A RAID.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Raid {
    /// Device paths.
    pub devices: Option<Vec<String>>,
    /// Level.
    pub level: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// How many of the devices are spare.
    pub spare: Option<i64>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
