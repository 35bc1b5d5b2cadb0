//! Kinds of BMCs (`bmc.tinkerbell.org/v1alpha1`), as rufio serves them.

mod action;
mod connection;
mod job;
mod machine;
mod task;

pub use action::*;
pub use connection::*;
pub use job::*;
pub use machine::*;
pub use task::*;

/// The only version of these kinds that is served.
pub const API_VERSION: &str = "v1alpha1";
