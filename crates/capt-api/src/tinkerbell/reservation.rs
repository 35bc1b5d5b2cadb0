//! The record of the addresses that we wrote to a Hardware.

use serde::{Deserialize, Serialize};

/// One address we wrote to a Hardware, as recorded in its annotation in the same patch (decision 8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReservationRecord {
    /// Namespace of the claim.
    pub claim_namespace: String,
    /// Name of the claim.
    pub claim_name: String,
    /// UID of the claim; dead after `clusterctl move` or a restore.
    #[serde(rename = "claimUID")]
    pub claim_uid: String,
    /// UID of the TinkerbellMachine; dead after `clusterctl move` or a restore.
    #[serde(rename = "machineUID")]
    pub machine_uid: String,
    /// Lower-case MAC of the interface.
    pub mac: String,
    /// The address, in canonical text.
    pub address: String,
    /// The netmask we wrote, if any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub netmask: String,
    /// The gateway we wrote, if any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway: String,
}
