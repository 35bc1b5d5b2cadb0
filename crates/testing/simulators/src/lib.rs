//! Stand-ins for the programs around CAPT: IPAM providers, Tinkerbell, BMCs, Cluster API.
//!
//! Each is a small controller on a `kube::Client` of its own, so that a server's journal tells them apart. They know no
//! back door: any Kubernetes API server will do. All clocks are tokio's, so a test can pause time.
//!
//! Start them all with [`Simulators::builder`], or one with its own `start`. What can go wrong is switched on by the
//! options of each, and by [`Faults`] while it runs.

pub mod bmc;
pub mod cluster_api;
pub mod crds;
mod engine;
mod faults;
pub mod fixtures;
pub mod ipam;
pub mod kinds;
mod simulators;
pub mod tinkerbell;
mod until;

pub use faults::{FaultId, Faults};
pub use simulators::{Builder, CLUSTER_API, IPAM_PROVIDER, RUFIO, Running, Simulators, TINKERBELL};
pub use until::{NotReached, until};
