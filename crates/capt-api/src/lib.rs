//! Types of Cluster API Provider Tinkerbell (CAPT) and the parts it uses of its neighbours.
//!
//! | module | what it holds |
//! |---|---|
//! | [`infra`] | our own kinds: TinkerbellCluster, TinkerbellMachine, TinkerbellMachineTemplate |
//! | [`cluster_api`] | partial types of Cluster API: Cluster, Machine, IPAddressClaim, IPAddress, any pool |
//! | [`tinkerbell`] | partial types of Tinkerbell: Hardware, Template, Workflow |
//! | [`bmc`] | partial type of rufio's Job |
//! | [`contract`] | every label, annotation, finalizer and name that others can see |
//! | [`conditions`] | condition types and reasons |
//! | [`meta`] | object keys and the lean decoding of metadata |
//!
//! The partial types ignore the fields they do not name. They are made for reading: write such objects with patches,
//! never with a replace, or the unnamed fields are lost.
//!
//! Without default features the crate needs no Kubernetes client and no runtime; feature `schema` adds `crds`.

pub mod bmc;
pub mod cluster_api;
pub mod conditions;
pub mod contract;
pub mod infra;
pub mod meta;
#[cfg(feature = "schema")]
mod schema;
pub mod tinkerbell;

#[cfg(feature = "schema")]
pub use schema::crds;

pub use k8s_openapi;
pub use kube::core as kube_core;
