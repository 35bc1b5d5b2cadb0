//! What CAPT does: observe, decide, apply; no Kubernetes client.
//!
//! Start with [`machine::decide`]: the life of a machine, top to bottom.

pub mod admission;
pub mod backoff;
pub mod clock;
pub mod cluster;
pub mod conditions;
pub mod conversion;
pub mod effect;
pub mod machine;
pub mod notice;
pub mod observed;
pub mod outcome;
pub mod patch;
pub mod pause;
pub mod ports;
mod settings;
pub mod template;
mod trouble;

pub use settings::Settings;
