//! Kinds of Tinkerbell (`tinkerbell.org/v1alpha1`).

mod hardware;
mod metadata;
mod netboot;
mod reservation;
mod rules;
mod template;
mod workflow;

pub use hardware::*;
pub use metadata::*;
pub use netboot::*;
pub use reservation::*;
pub use rules::*;
pub use template::*;
pub use workflow::*;

/// The only version of these kinds that is served.
pub const API_VERSION: &str = "v1alpha1";
