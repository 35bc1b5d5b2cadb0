//! TinkerbellMachine.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use serde::{Deserialize, Serialize};

use super::{Initialization, is_false};
use crate::observed::bmc::Action;
use capt_api::contract::{INFRASTRUCTURE_GROUP, INFRASTRUCTURE_VERSION};

crate::observed::decode::kind! {
    /// One machine of a cluster, on one Tinkerbell Hardware.
    TinkerbellMachine, "tinkerbellmachines", INFRASTRUCTURE_GROUP, (), |_dt| INFRASTRUCTURE_VERSION,
    scope NamespaceResourceScope,
    {
        /// What the user wants.
        #[serde(default)]
        spec: TinkerbellMachineSpec,
        /// What we report.
        #[serde(default)]
        status: Option<TinkerbellMachineStatus>,
    }
}

/// Desired state of a TinkerbellMachine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TinkerbellMachineSpec {
    /// Go template of the image URL; the cluster's when left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_lookup_format: String,
    /// Registry and path that hold the machine image; the cluster's when left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image_lookup_base_registry: String,
    /// Distribution part of the image's name; the cluster's when left out.
    #[serde(default, skip_serializing_if = "String::is_empty", rename = "imageLookupOSDistro")]
    pub image_lookup_os_distro: String,
    /// Version part of the image's name; the cluster's when left out.
    #[serde(default, skip_serializing_if = "String::is_empty", rename = "imageLookupOSVersion")]
    pub image_lookup_os_version: String,
    /// Text of this machine's Tinkerbell template.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub template_override: String,
    /// Which Hardware fits this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_affinity: Option<HardwareAffinity>,
    /// How the server is booted into the installer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_options: Option<BootOptions>,
    /// The pool that the machine's address comes from. With it, an IPAddressClaim is made, and the address is written
    /// to the first interface of the machine's Hardware before anything boots. Fixed once Hardware is selected.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "ipamPoolRef")]
    pub ipam_pool_ref: Option<PoolReference>,
    /// Name of the machine's Hardware; set by the controller, once.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hardware_name: String,
    /// Provider ID of the machine; set by the controller, once.
    #[serde(default, skip_serializing_if = "String::is_empty", rename = "providerID")]
    pub provider_id: String,
}

/// Names a pool in the machine's namespace, or a cluster-scoped pool (a core TypedLocalObjectReference).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolReference {
    /// API group of the pool, for example `ipam.cluster.x-k8s.io`.
    #[serde(default)]
    pub api_group: String,
    /// Kind of the pool, for example `InClusterIPPool`.
    pub kind: String,
    /// Name of the pool.
    pub name: String,
}

impl std::fmt::Display for PoolReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} {}", self.kind, self.api_group, self.name)
    }
}

/// Rules that select Hardware.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HardwareAffinity {
    /// Terms of which one must match. Without any, all Hardware matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<HardwareAffinityTerm>,
    /// Terms that make Hardware more wanted: the weights of all that match are summed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferred: Vec<WeightedHardwareAffinityTerm>,
}

/// One rule over Hardware.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HardwareAffinityTerm {
    /// Selects Hardware by its labels.
    pub label_selector: LabelSelector,
}

/// A rule over Hardware and what it is worth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightedHardwareAffinityTerm {
    /// Added to the score of Hardware that matches, 1 to 100.
    pub weight: i32,
    /// The rule.
    pub hardware_affinity_term: HardwareAffinityTerm,
}

/// How the server is booted into the installer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootOptions {
    /// URL of the ISO image; needed for boot modes `iso` and `isoboot`.
    #[serde(default, skip_serializing_if = "String::is_empty", rename = "isoURL")]
    pub iso_url: String,
    /// The boot mode; without one the server has to boot from the network by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_mode: Option<BootMode>,
    /// Actions of boot mode `customboot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customboot_config: Option<CustombootConfig>,
}

/// Ways to boot a server through its BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BootMode {
    /// Boot from the network.
    Netboot,
    /// Boot from an ISO image, as virtual media (earlier name).
    Isoboot,
    /// Boot from an ISO image, as virtual media.
    Iso,
    /// Run the user's own BMC actions.
    Customboot,
    /// A value that this program does not know.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// BMC actions around a Workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustombootConfig {
    /// Run before the Workflow starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preparing_actions: Vec<Action>,
    /// Run after the Workflow ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_actions: Vec<Action>,
}

/// Observed state of a TinkerbellMachine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TinkerbellMachineStatus {
    /// Whether the machine is provisioned (contract v1beta1).
    #[serde(default, skip_serializing_if = "is_false")]
    pub ready: bool,
    /// The same for contract v1beta2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialization: Option<Initialization>,
    /// The machine's addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<MachineAddress>,
    /// State of the machine's Workflow: 0 pending, 1 running, 2 failed, 3 timed out, 4 succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_status: Option<i64>,
    /// Namespace of the machine's Hardware.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target_namespace: String,
    /// Standard conditions.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::observed::decode::lenient_list"
    )]
    pub conditions: Vec<Condition>,
    /// Kept for older objects; never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
    /// Kept for older objects; never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// One address of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineAddress {
    /// Hostname, ExternalIP, InternalIP, ExternalDNS or InternalDNS.
    #[serde(rename = "type")]
    pub type_: String,
    /// The address.
    pub address: String,
}
