//! The chores behind `cargo xtask`, as a library so that tests can run them.

pub mod arrows;
pub mod bench;
pub mod check_model;
pub mod crds;
pub mod dist;
pub mod e2e;
pub mod fuzz;
pub mod generated;
pub mod image;
pub mod manifests;
pub mod names;
pub mod public_api;
pub mod rbac;
pub mod references;
pub mod release;
pub mod simulate;
pub mod workspace;
