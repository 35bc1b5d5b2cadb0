//! What CAPT does: observe, decide, apply; no Kubernetes client.

pub mod effect;
pub mod outcome;
pub mod ports;
pub mod template;
