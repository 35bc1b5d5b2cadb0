//! How a BMC is reached.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with_macros::skip_serializing_none;

use crate::Members;

/// How a BMC is reached.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Address or host name of the BMC.
    pub host: String,
    /// Port of IPMI; 623 when left out.
    pub port: Option<i64>,
    /// The Secret with user name and password.
    pub auth_secret_ref: Option<SecretReference>,
    /// Whether certificates are taken unseen.
    #[serde(rename = "insecureTLS")]
    pub insecure_tls: bool,
    /// Options of the protocols.
    pub provider_options: Option<ProviderOptions>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Names a Secret.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SecretReference {
    /// Name of the Secret.
    pub name: Option<String>,
    /// Namespace of the Secret.
    pub namespace: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Options of the protocols that a BMC is spoken to with.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderOptions {
    /// Names of protocols in the order in which they are tried.
    pub preferred_order: Option<Vec<String>>,
    /// Intel AMT.
    #[serde(rename = "intelAMT")]
    pub intel_amt: Option<IntelAmtOptions>,
    /// IPMI.
    pub ipmitool: Option<IpmitoolOptions>,
    /// Redfish.
    pub redfish: Option<RedfishOptions>,
    /// A web service of the operator's own.
    pub rpc: Option<RpcOptions>,
    /// A switch of Home Assistant.
    pub homeassistant: Option<HomeAssistantOptions>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Options of Intel AMT.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IntelAmtOptions {
    /// `http` or `https`.
    pub host_scheme: Option<String>,
    /// Port.
    pub port: Option<i64>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Options of IPMI.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpmitoolOptions {
    /// Number of the cipher suite, as ipmitool takes it.
    pub cipher_suite: Option<String>,
    /// Port.
    pub port: Option<i64>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Options of Redfish.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedfishOptions {
    /// Port.
    pub port: Option<i64>,
    /// Name of the system, where the BMC has several.
    pub system_name: Option<String>,
    /// Whether the password is sent with each request.
    pub use_basic_auth: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A switch of Home Assistant.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HomeAssistantOptions {
    /// Identifier of the switch.
    #[serde(rename = "switchEntityID")]
    pub switch_entity_id: String,
    /// Seconds between off and on.
    pub power_operation_delay_seconds: Option<i64>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// A web service of the operator's own.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RpcOptions {
    /// URL of the service.
    #[serde(rename = "consumerURL")]
    pub consumer_url: String,
    /// How requests look.
    pub request: Option<RpcRequest>,
    /// How requests are signed.
    pub signature: Option<RpcSignature>,
    /// Keys of the signatures.
    pub hmac: Option<RpcHmac>,
    /// What may change.
    pub experimental: Option<RpcExperimental>,
    /// Whether notifications are kept out of the log.
    pub log_notifications_disabled: Option<bool>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// How requests to a web service look.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RpcRequest {
    /// Content type.
    pub http_content_type: Option<String>,
    /// Method.
    pub http_method: Option<String>,
    /// Headers that every request has.
    pub static_headers: Option<BTreeMap<String, Vec<String>>>,
    /// Format of the time stamp, as Go writes formats.
    pub timestamp_format: Option<String>,
    /// Header with the time stamp.
    pub timestamp_header: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// How requests to a web service are signed.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RpcSignature {
    /// Whether the header's name goes without the name of the algorithm.
    pub append_algo_to_header_disabled: Option<bool>,
    /// Header with the signature.
    pub header_name: Option<String>,
    /// Headers that are signed with the body.
    pub included_payload_headers: Option<Vec<String>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Keys of the signatures of a web service.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RpcHmac {
    /// Whether a signature goes without the name of its algorithm before it.
    pub prefix_sig_disabled: Option<bool>,
    /// Secrets with keys, by algorithm.
    pub secrets: Option<BTreeMap<String, Vec<SecretReference>>>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}

/// Options of a web service that may change.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RpcExperimental {
    /// Body of a request, in place of the usual one.
    pub custom_request_payload: Option<String>,
    /// Where the usual body goes in it.
    pub dot_path: Option<String>,
    /// Members that this type does not name.
    #[serde(flatten)]
    pub other: Members,
}
