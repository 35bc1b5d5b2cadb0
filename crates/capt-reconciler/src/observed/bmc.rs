//! rufio's Job (`bmc.tinkerbell.org/v1alpha1`), and its actions.

use serde::{Deserialize, Serialize};

use capt_api::contract::BMC_GROUP;

pub use capt_api::bmc::{API_VERSION, JobOutcome};

crate::observed::decode::kind! {
    /// A list of actions for one BMC.
    Job, "jobs", BMC_GROUP, (), |_dt| "v1alpha1", scope NamespaceResourceScope,
    {
        /// What is to be done.
        #[serde(default)]
        spec: JobSpec,
        /// How far it is.
        #[serde(default, deserialize_with = "crate::observed::decode::lenient")]
        status: Option<JobStatus>,
    }
}

/// Desired state of a Job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    /// The BMC.
    pub machine_ref: BmcMachineReference,
    /// The actions, run one after the other.
    #[serde(default)]
    pub tasks: Vec<Action>,
}

/// Names a BMC's Machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BmcMachineReference {
    /// Name of the Machine.
    pub name: String,
    /// Namespace of the Machine.
    pub namespace: String,
}

/// Observed state of a Job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Running, Completed, Failed.
    #[serde(default)]
    pub conditions: Vec<JobCondition>,
}

/// One condition of a Job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCondition {
    /// Running, Completed or Failed.
    #[serde(rename = "type", default)]
    pub type_: String,
    /// True, False or Unknown.
    #[serde(default)]
    pub status: String,
    /// The BMC's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Job {
    /// How the Job ended, by its conditions.
    pub fn outcome(&self) -> JobOutcome {
        let conditions = self.status.as_ref().map_or(&[][..], |status| &status.conditions);
        let is_true = |type_: &str| conditions.iter().find(|c| c.type_ == type_ && c.status == "True");
        if let Some(failed) = is_true("Failed") {
            JobOutcome::Failed(failed.message.clone().unwrap_or_default())
        } else if is_true("Completed").is_some() {
            JobOutcome::Completed
        } else {
            JobOutcome::Pending
        }
    }
}

impl Job {
    /// Whether rufio has said anything about it yet. It says nothing of a Job whose BMC Machine does not exist.
    pub fn has_begun(&self) -> bool {
        self.status.as_ref().is_some_and(|status| !status.conditions.is_empty())
    }

    /// Whether it is over: nothing of it will be done any more.
    pub fn is_over(&self) -> bool {
        self.outcome() != JobOutcome::Pending
    }

    /// Whether one of its actions may leave the server switched on. An action that we do not know may.
    pub fn may_switch_on(&self) -> bool {
        self.spec.tasks.iter().any(|action| match action.power_action.as_deref() {
            Some("off" | "soft" | "status") => false,
            Some(_) => true,
            None => {
                action.boot_device.is_none()
                    && action.one_time_boot_device_action.is_none()
                    && action.virtual_media_action.is_none()
            }
        })
    }
}

/// One BMC action; exactly one member is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// Change or read the power state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_action: Option<String>,
    /// Set the boot device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_device: Option<BootDevice>,
    /// Set the boot device for the next boot only (deprecated).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_time_boot_device_action: Option<OneTimeBootDevice>,
    /// Insert or eject virtual media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_media_action: Option<VirtualMedia>,
}

/// Where the server boots from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootDevice {
    /// Name of the device, such as `pxe` or `disk`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
    /// Whether the setting outlives the next boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent: Option<bool>,
    /// Whether the server boots in UEFI mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efi_boot: Option<bool>,
}

/// Where the server boots from the next time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneTimeBootDevice {
    /// Names of devices, the first of which counts.
    pub device: Vec<String>,
    /// Whether the server boots in UEFI mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efi_boot: Option<bool>,
}

/// Virtual media of a BMC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualMedia {
    /// Kind of the media, such as `CD`.
    pub kind: String,
    /// URL of the media; empty ejects it.
    #[serde(default, skip_serializing_if = "String::is_empty", rename = "mediaURL")]
    pub media_url: String,
}
