#![doc = include_str!("../README.md")]

pub mod bmc;
pub mod cluster_api;
pub mod conditions;
pub mod contract;
pub mod infra;
mod kind;
pub mod meta;
#[cfg(feature = "schema")]
mod schema;
pub mod tinkerbell;
mod value;

#[cfg(feature = "schema")]
pub use schema::crds;
pub use value::{LabelSelector, LabelSelectorRequirement, Members, Quantity, Time};

pub use k8s_openapi;
pub use kube::core as kube_core;
