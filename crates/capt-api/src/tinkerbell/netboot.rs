//! How an interface boots.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::Members;

/// Booting from an ISO image.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IsoBoot {
    /// URL of the image.
    #[serde(rename = "sourceISO")]
    pub source_iso: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Booting from the network.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Netboot {
    /// Whether the server may boot from the network; tink-controller switches it on for a Workflow, and off after it.
    #[serde(rename = "allowPXE")]
    pub allow_pxe: Option<bool>,
    /// Whether Workflows may run on the server.
    pub allow_workflow: Option<bool>,
    /// iPXE.
    pub ipxe: Option<Ipxe>,
    /// The system that installs.
    pub osie: Option<Osie>,
    /// PXELINUX.
    pub pxelinux: Option<PxeLinux>,
    /// Raspberry Pi.
    pub rpi: Option<RaspberryPi>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// iPXE.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ipxe {
    /// Name of the program, in place of the one for the architecture.
    pub binary: Option<String>,
    /// Text of the script.
    pub contents: Option<String>,
    /// URL of the script.
    pub url: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// The system that installs.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Osie {
    /// URL under which kernel and initrd are found.
    #[serde(rename = "baseURL")]
    pub base_url: Option<String>,
    /// File name of the initrd.
    pub initrd: Option<String>,
    /// File name of the kernel.
    pub kernel: Option<String>,
    /// Parameters of the kernel.
    pub kernel_params: Option<Vec<String>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// PXELINUX.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PxeLinux {
    /// Text of its configuration.
    pub config: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A Raspberry Pi.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RaspberryPi {
    /// Text of its `config.txt`.
    pub config_txt: Option<String>,
    /// Path of its firmware.
    pub firmware_path: Option<String>,
    /// Serial number, under which it asks for its files.
    pub serial_num: String,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
