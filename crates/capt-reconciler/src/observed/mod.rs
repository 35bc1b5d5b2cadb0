//! What is cached of objects: projections of them, made where the watch decodes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`infra`] | our own kinds: TinkerbellCluster, TinkerbellMachine, TinkerbellMachineTemplate |
//! | [`cluster_api`] | Cluster, Machine, IPAddressClaim, IPAddress, any pool |
//! | [`tinkerbell`] | Hardware, Template, Workflow |
//! | [`bmc`] | rufio's Job |
//! | [`decode`] | how they decode: metadata without what nobody reads, odd members as absent |
//!
//! A projection leaves out what no decision needs. It is never put back: we write patches, made from values of our own.
//! Programs that read an object, change it and write it back take the types of [`capt_api`], which lose nothing.

pub mod bmc;
pub mod cluster_api;
pub mod decode;
pub mod infra;
pub mod tinkerbell;
