//! Partial types of Tinkerbell (`tinkerbell.org/v1alpha1`).

mod hardware;
mod workflow;

pub use hardware::*;
pub use workflow::*;
