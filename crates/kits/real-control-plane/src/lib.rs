#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! | module | what it holds |
//! |---|---|
//! | [`pins`] | which programs, of which version |
//! | [`sets`] | which of them together, and what differs from version to version |
//! | [`build`] | building them, once for each pin |
//! | [`process`] | a process that is ended by its own id, whatever happens |
//! | [`control_plane`] | etcd, kube-apiserver and kube-controller-manager with users and an audit log |
//! | [`api_server`] | one kube-apiserver, for more than one on the same etcd |
//! | [`audit`] | who asked the server for what |
//! | [`history`] | everything that is written, in order and without gaps |
//! | [`certificates`] | a certificate authority for all of it |
//! | [`manifests`] | definitions and webhooks that call a process instead of a Service |

pub mod api_server;
pub mod audit;
pub mod build;
pub mod certificates;
pub mod control_plane;
pub mod history;
pub mod manifests;
pub mod pins;
pub mod process;
pub mod sets;
