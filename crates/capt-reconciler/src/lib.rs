//! What CAPT does: observe, decide, apply; no Kubernetes client.

pub mod template;
