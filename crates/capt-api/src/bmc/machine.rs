//! Machine: one BMC.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::{API_VERSION, Connection};
use crate::conditions::ConditionStatus;
use crate::contract::BMC_GROUP;
use crate::kind::open_enum;
use crate::{Members, Time};

crate::kind::kind! {
    /// One BMC.
    Machine, "machines", BMC_GROUP, (), |_dt| API_VERSION, scope NamespaceResourceScope,
    {
        /// How it is reached.
        spec: MachineSpec,
        /// What rufio knows of it.
        status: MachineStatus,
    }
}

crate::kind::constructor!(Machine, MachineSpec);

/// Desired state of a BMC's Machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineSpec {
    /// How the BMC is reached.
    pub connection: Connection,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

open_enum! {
    /// Whether a server is switched on.
    PowerState {
        /// It is.
        On = "on",
        /// It is not.
        Off = "off",
        /// The BMC was not asked yet, or did not say.
        Unknown = "unknown",
    }
}

/// Observed state of a BMC's Machine.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineStatus {
    /// Whether the server is switched on.
    pub power_state: Option<PowerState>,
    /// Contactable.
    pub conditions: Option<Vec<MachineCondition>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// One condition of a BMC's Machine.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineCondition {
    /// Contactable.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why not, in the BMC's words.
    pub message: Option<String>,
    /// When it was last set.
    pub last_update_time: Option<Time>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
