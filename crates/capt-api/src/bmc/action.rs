//! What a BMC can be asked to do.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::Members;
use crate::kind::open_enum;

open_enum! {
    /// What is done about a server's power.
    PowerAction {
        /// Switch it on.
        On = "on",
        /// Switch it off at once.
        Off = "off",
        /// Ask its operating system to shut down.
        Soft = "soft",
        /// Only read whether it is on.
        Status = "status",
        /// Switch it off and on again.
        Cycle = "cycle",
        /// Reset it.
        Reset = "reset",
    }
}

/// One BMC action; exactly one member is set.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 1)))]
pub struct Action {
    /// Change or read the power state.
    pub power_action: Option<PowerAction>,
    /// Set the boot device.
    pub boot_device: Option<BootDevice>,
    /// Set the boot device for the next boot only (deprecated).
    pub one_time_boot_device_action: Option<OneTimeBootDevice>,
    /// Insert or eject virtual media.
    pub virtual_media_action: Option<VirtualMedia>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

impl Action {
    /// Does this about the power.
    pub fn power(action: PowerAction) -> Self {
        Self { power_action: Some(action), ..Self::default() }
    }

    /// Sets the boot device.
    pub fn boot_from(device: impl Into<String>, efi_boot: bool) -> Self {
        let device = BootDevice { device: Some(device.into()), efi_boot: Some(efi_boot), ..BootDevice::default() };
        Self { boot_device: Some(device), ..Self::default() }
    }

    /// Inserts virtual media of this kind; an empty URL ejects them.
    pub fn virtual_media(kind: impl Into<String>, url: impl Into<String>) -> Self {
        let media = VirtualMedia { kind: kind.into(), media_url: Some(url.into()), other: Members::new() };
        Self { virtual_media_action: Some(media), ..Self::default() }
    }

    /// Whether it may leave the server switched on. An action that this version of the crate does not know may.
    pub fn may_switch_on(&self) -> bool {
        match &self.power_action {
            Some(PowerAction::Off | PowerAction::Soft | PowerAction::Status) => false,
            Some(_) => true,
            None => {
                self.boot_device.is_none()
                    && self.one_time_boot_device_action.is_none()
                    && self.virtual_media_action.is_none()
            }
        }
    }
}

/// Where the server boots from.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BootDevice {
    /// Name of the device, such as `pxe` or `disk`.
    pub device: Option<String>,
    /// Whether the setting outlives the next boot.
    pub persistent: Option<bool>,
    /// Whether the server boots in UEFI mode.
    pub efi_boot: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// Where the server boots from the next time.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OneTimeBootDevice {
    /// Names of devices, the first of which counts.
    pub device: Vec<String>,
    /// Whether the server boots in UEFI mode.
    pub efi_boot: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// Virtual media of a BMC.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VirtualMedia {
    /// Kind of the media, such as `CD`.
    pub kind: String,
    /// URL of the media; empty ejects it.
    #[serde(rename = "mediaURL")]
    pub media_url: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}
