//! What one connects to at a Pod: its logs, its processes, its ports. This server runs no containers, and says so.

use super::{Call, Failure};
use crate::error::ApiError;
use crate::kind::{Behaviour, Kind};
use crate::meta;
use serde_json::Value;

/// The subresources, with what discovery says of them: kind and verbs.
pub(crate) const CONNECTIONS: [(&str, &str, &[&str]); 4] = [
    ("attach", "PodAttachOptions", &["create", "get"]),
    ("exec", "PodExecOptions", &["create", "get"]),
    ("log", "Pod", &["get"]),
    ("portforward", "PodPortForwardOptions", &["create", "get"]),
];

/// Whether it is a subresource to connect to.
pub(crate) fn is_connection(kind: &Kind, subresource: &str) -> bool {
    kind.behaviour == Behaviour::Pod && CONNECTIONS.iter().any(|(name, ..)| *name == subresource)
}

impl Call<'_> {
    /// Answers without content what a Pod says that has not begun to run. The refusals are those of
    /// `kubernetes/pkg/registry/core/pod/strategy.go`, but for the last: there the server would call the node.
    ///
    /// # Errors
    /// When the Pod is not there, has no such container, or would have to be asked.
    pub(crate) fn connect(&self) -> Result<(), Failure> {
        let pod = self.current()?;
        let containers = ["containers", "initContainers", "ephemeralContainers"].into_iter().flat_map(|list| {
            pod.value.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array).into_iter().flatten()
        });
        let asked = self.params.container.as_str();
        if !asked.is_empty() && !containers.map(|container| meta::text(container, "name")).any(|name| name == asked) {
            return Err(ApiError::bad_request(format!("container {asked} is not valid for pod {}", self.name)).into());
        }
        let node = pod.value.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
        if !node.is_empty() {
            let why =
                format!("node {node:?} cannot be asked about pod {:?}: this server runs no containers", self.name);
            return Err(ApiError::new(503, "ServiceUnavailable", why).into());
        }
        if self.subresource == "log" {
            return Ok(());
        }
        Err(ApiError::bad_request(format!("pod {} does not have a host assigned", self.name)).into())
    }
}
