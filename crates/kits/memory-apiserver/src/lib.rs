//! A Kubernetes API server in one process, in memory, for tests and sandboxes.
//!
//! [`MemoryApiServer`] answers as kube-apiserver 1.35 does: discovery, custom resources with their schemas, patches and
//! server-side apply, watches, finalizers, garbage collection. It is reached without a socket, by [`MemoryApiServer::client`],
//! or over HTTP on loopback, by [`MemoryApiServer::serve`]. Its time is tokio's, so a test can pause it; [`Faults`] make
//! things go wrong on demand; the [`Journal`] tells who wrote what.

#![doc = include_str!("../README.md")]

mod access;
mod api;
mod body;
mod builtin;
mod clock;
mod control;
mod convert;
mod crd;
mod discovery;
mod error;
mod faults;
mod fields;
mod golang;
mod http;
mod identity;
mod journal;
mod json;
mod jsonpath;
mod kind;
mod manifest;
mod meta;
mod names;
mod openapi;
mod patch;
mod protobuf;
mod request;
mod routing;
mod scale;
mod schema;
mod selectors;
mod server;
mod service;
mod store;
mod table;
mod view;

pub use access::Question;
pub use faults::{Fault, FaultId, Faults, Stopped};
pub use http::Serving;
pub use journal::{Journal, RequestCount, WriteRecord};
pub use manifest::ManifestError;
pub use server::{Builder, MemoryApiServer};
pub use service::{ResponseBody, Service};

pub(crate) use server::Inner;
