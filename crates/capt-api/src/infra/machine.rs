//! TinkerbellMachine.

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use super::Initialization;
use crate::bmc::Action;
use crate::conditions::{Condition, READY};
use crate::contract::{INFRASTRUCTURE_GROUP, INFRASTRUCTURE_VERSION, IPAM_GROUP};
use crate::kind::open_enum;
use crate::{LabelSelector, Members};

crate::kind::kind! {
    /// One machine of a cluster, on one Tinkerbell Hardware.
    TinkerbellMachine, "tinkerbellmachines", INFRASTRUCTURE_GROUP, (), |_dt| INFRASTRUCTURE_VERSION,
    scope NamespaceResourceScope,
    {
        /// What the user wants.
        spec: TinkerbellMachineSpec,
        /// What we report.
        status: TinkerbellMachineStatus,
    }
}

crate::kind::constructor!(TinkerbellMachine, TinkerbellMachineSpec);

impl TinkerbellMachine {
    /// The condition of this type.
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        Condition::find(self.status.as_ref()?.conditions.as_ref(), type_)
    }

    /// The summary of what it does or waits for; absent once it is ready, and before anybody looked at it.
    ///
    /// ```
    /// use capt_api::infra::TinkerbellMachine;
    /// use capt_api::kube_core::ObjectList;
    ///
    /// let machines: ObjectList<TinkerbellMachine> = serde_json::from_str(
    ///     r#"{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachineList", "metadata": {}, "items": [
    ///         {"metadata": {"name": "worker-1"}, "status": {"conditions": [{"type": "Ready", "status": "False",
    ///             "reason": "PoolExhausted", "message": "pool rack-1 has no free address"}]}},
    ///         {"metadata": {"name": "worker-2"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}]}"#,
    /// )?;
    /// let waiting: Vec<_> = machines.iter().filter_map(TinkerbellMachine::waiting).collect();
    /// assert_eq!(waiting.len(), 1);
    /// assert_eq!(waiting[0].message.as_deref(), Some("pool rack-1 has no free address"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn waiting(&self) -> Option<&Condition> {
        self.condition(READY).filter(|ready| !ready.is_true())
    }

    /// Its addresses of this type.
    pub fn addresses(&self, type_: &AddressType) -> impl Iterator<Item = &str> {
        let all = self.status.iter().filter_map(|status| status.addresses.as_ref()).flatten();
        all.filter(move |address| address.type_ == *type_).map(|address| address.address.as_str())
    }
}

/// Desired state of a TinkerbellMachine.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TinkerbellMachineSpec {
    /// Go template of the image URL; the cluster's when left out.
    pub image_lookup_format: Option<String>,
    /// Registry and path that hold the machine image; the cluster's when left out.
    pub image_lookup_base_registry: Option<String>,
    /// Distribution part of the image's name; the cluster's when left out.
    #[serde(rename = "imageLookupOSDistro")]
    pub image_lookup_os_distro: Option<String>,
    /// Version part of the image's name; the cluster's when left out.
    #[serde(rename = "imageLookupOSVersion")]
    pub image_lookup_os_version: Option<String>,
    /// Text of this machine's Tinkerbell template.
    pub template_override: Option<String>,
    /// Which Hardware fits this machine.
    pub hardware_affinity: Option<HardwareAffinity>,
    /// How the server is booted into the installer.
    pub boot_options: Option<BootOptions>,
    /// The pool that the machine's address comes from. With it, an IPAddressClaim is made, and the address is written
    /// to the first interface of the machine's Hardware before anything boots. Fixed once Hardware is selected.
    #[serde(rename = "ipamPoolRef")]
    pub ipam_pool_ref: Option<PoolReference>,
    /// Name of the machine's Hardware; set by the controller, once.
    pub hardware_name: Option<String>,
    /// Provider ID of the machine; set by the controller, once.
    #[serde(rename = "providerID")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 512)))]
    pub provider_id: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

impl HardwareAffinity {
    /// Only Hardware with all of these labels.
    pub fn labels<K: Into<String>, V: Into<String>>(labels: impl IntoIterator<Item = (K, V)>) -> Self {
        let term =
            HardwareAffinityTerm { label_selector: LabelSelector::labels(labels), ..HardwareAffinityTerm::default() };
        Self { required: Some(vec![term]), ..Self::default() }
    }
}

/// Names a pool in the machine's namespace, or a cluster-scoped pool (a core TypedLocalObjectReference).
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend(
    "x-kubernetes-map-type" = "atomic",
    "x-kubernetes-validations" = [{
        "message": "apiGroup is required: it names the API group of the pool",
        "rule": "has(self.apiGroup) && self.apiGroup != ''",
    }]
)))]
pub struct PoolReference {
    /// API group of the pool, for example `ipam.cluster.x-k8s.io`.
    pub api_group: Option<String>,
    /// Kind of the pool, for example `InClusterIPPool`.
    pub kind: String,
    /// Name of the pool.
    pub name: String,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

impl PoolReference {
    /// A pool of any provider.
    pub fn new(api_group: impl Into<String>, kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { api_group: Some(api_group.into()), kind: kind.into(), name: name.into(), other: Members::new() }
    }

    /// A pool of the in-cluster provider, in the machine's namespace.
    pub fn in_cluster(name: impl Into<String>) -> Self {
        Self::new(IPAM_GROUP, "InClusterIPPool", name)
    }

    /// A pool of the in-cluster provider that serves all namespaces.
    pub fn global_in_cluster(name: impl Into<String>) -> Self {
        Self::new(IPAM_GROUP, "GlobalInClusterIPPool", name)
    }
}

/// As messages name a pool.
impl std::fmt::Display for PoolReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} {}", self.kind, self.api_group.as_deref().unwrap_or_default(), self.name)
    }
}

/// Rules that select Hardware.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HardwareAffinity {
    /// Terms of which one must match. Without any, all Hardware matches.
    pub required: Option<Vec<HardwareAffinityTerm>>,
    /// Terms that make Hardware more wanted: the weights of all that match are summed.
    pub preferred: Option<Vec<WeightedHardwareAffinityTerm>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// One rule over Hardware.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HardwareAffinityTerm {
    /// Selects Hardware by its labels.
    #[cfg_attr(feature = "schema", schemars(schema_with = "crate::schema::label_selector"))]
    pub label_selector: LabelSelector,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// A rule over Hardware and what it is worth.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WeightedHardwareAffinityTerm {
    /// Added to the score of Hardware that matches, 1 to 100.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub weight: i32,
    /// The rule.
    pub hardware_affinity_term: HardwareAffinityTerm,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// How the server is booted into the installer.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BootOptions {
    /// URL of the ISO image; needed for boot modes `iso` and `isoboot`.
    #[serde(rename = "isoURL")]
    #[cfg_attr(feature = "schema", schemars(extend("format" = "uri")))]
    pub iso_url: Option<String>,
    /// The boot mode; without one the server has to boot from the network by itself.
    pub boot_mode: Option<BootMode>,
    /// Actions of boot mode `customboot`.
    pub customboot_config: Option<CustombootConfig>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

open_enum! {
    /// Ways to boot a server through its BMC.
    BootMode {
        /// Boot from the network.
        Netboot = "netboot",
        /// Boot from an ISO image, as virtual media (earlier name).
        Isoboot = "isoboot",
        /// Boot from an ISO image, as virtual media.
        Iso = "iso",
        /// Run the user's own BMC actions.
        Customboot = "customboot",
    }
}

/// BMC actions around a Workflow.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustombootConfig {
    /// Run before the Workflow starts.
    pub preparing_actions: Option<Vec<Action>>,
    /// Run after the Workflow ended.
    pub post_actions: Option<Vec<Action>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

/// Observed state of a TinkerbellMachine.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TinkerbellMachineStatus {
    /// Whether the machine is provisioned (contract v1beta1).
    pub ready: Option<bool>,
    /// The same for contract v1beta2.
    pub initialization: Option<Initialization>,
    /// The machine's addresses.
    pub addresses: Option<Vec<MachineAddress>>,
    /// State of the machine's Workflow: 0 pending, 1 running, 2 failed, 3 timed out, 4 succeeded.
    #[cfg_attr(feature = "schema", schemars(with = "Option<i64>", extend("x-no-format" = true)))]
    pub instance_status: Option<i64>,
    /// Namespace of the machine's Hardware.
    pub target_namespace: Option<String>,
    /// Standard conditions.
    #[cfg_attr(feature = "schema", schemars(default, schema_with = "crate::schema::conditions"))]
    pub conditions: Option<Vec<Condition>>,
    /// Kept for older objects; never written.
    pub error_reason: Option<String>,
    /// Kept for older objects; never written.
    pub error_message: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}

open_enum! {
    /// What an address of a machine is.
    AddressType {
        /// A host name.
        Hostname = "Hostname",
        /// An address that is reached from outside the cluster's network.
        ExternalIp = "ExternalIP",
        /// An address of the cluster's network.
        InternalIp = "InternalIP",
        /// A DNS name that is resolved outside the cluster's network.
        ExternalDns = "ExternalDNS",
        /// A DNS name of the cluster's network.
        InternalDns = "InternalDNS",
    }
}

/// One address of a machine.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MachineAddress {
    /// Hostname, ExternalIP, InternalIP, ExternalDNS or InternalDNS.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub type_: AddressType,
    /// The address.
    pub address: String,
    /// Members that this type does not name.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: Members,
}
