//! TinkerbellCluster: defaults of the image lookup. Nothing to refuse: its one rule is in the schema.

use crate::observed::infra::TinkerbellClusterSpec;
use serde_json::{Value, json};

use super::Verdict;
use super::refusal::Refusal;
use super::request::{Operation, Request};
use crate::template::defaults;

const KIND: &str = "TinkerbellCluster";
const SPEC: &str = "/spec";

/// Fills in the fields of the image lookup that the schema leaves to the webhook.
pub(super) fn default(request: &Request<'_>) -> Result<Verdict, Refusal> {
    let (Operation::Create { object } | Operation::Update { object, .. }) = request.operation(KIND)? else {
        return Ok(Verdict::Allowed);
    };
    let spec: TinkerbellClusterSpec = object.decode(SPEC)?;
    // `add` replaces a member that is there, such as an explicit empty text.
    let add = |path: &str, value: Value| json!({ "op": "add", "path": path, "value": value });
    let mut patch = Vec::new();
    if spec.image_lookup_format.is_empty() {
        patch.push(add("/spec/imageLookupFormat", json!(defaults::FORMAT)));
    }
    if spec.image_lookup_os_version.is_empty() && spec.image_lookup_os_distro.to_lowercase() == defaults::OS_DISTRO {
        patch.push(add("/spec/imageLookupOSVersion", json!(defaults::UBUNTU_VERSION)));
    }
    if patch.is_empty() {
        return Ok(Verdict::Allowed);
    }
    if !object.has_object_at(SPEC) {
        patch.insert(0, add(SPEC, json!({})));
    }
    Ok(Verdict::Patched(patch))
}

/// Refuses only what is no TinkerbellCluster.
pub(super) fn validate(request: &Request<'_>) -> Result<Verdict, Refusal> {
    request.operation(KIND)?;
    Ok(Verdict::Allowed)
}
