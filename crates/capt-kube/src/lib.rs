//! How CAPT does it on Kubernetes: client, watches, stores, writes, queues.
//!
//! ```text
//!  API server ──watch──▶ watch ──▶ cache (stores, indexes, handlers) ──key──▶ controller (queue, workers)
//!      ▲                             ▲            │                                │
//!      │                           answer       reads                              ▼
//!      └───────── request ──────── api ◀──────── ports ◀────────────────────── reconciler
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`manager`] | the whole, wired: start here |
//! | [`client`] | clients of the API server: timeouts, limits |
//! | [`watch`] | is a kind served, and its objects, for ever |
//! | [`decode`] | decoding that one bad object cannot break |
//! | [`store`], [`cache`] | all objects in memory, with indexes, written through; whom a change of one concerns |
//! | [`owner`] | whose an object is |
//! | [`controller`] | which key is worked on when and by whom, and who waits for what |
//! | [`bootstrap`] | what the value of a bootstrap Secret is |
//! | [`external`] | Tinkerbell in another cluster |
//! | [`resync`] | every object once in a while |
//! | [`ports`], [`api`], [`errors`], [`events`], [`clock`] | what the reconcilers need of the world outside |
//! | [`chance`] | what jitter is made of |
//! | [`metrics`] | what is counted, and what Prometheus reads |
//! | [`lease`] | who leads: one replica works, the others stand by |
//! | [`http`] | a server of plain HTTP for a few readers |
//! | [`serve`] | what is answered over HTTP: health, metrics, diagnostics |
//! | [`certificates`] | the certificate that is served with, from files that are replaced |
//! | [`webhook`] | the webhook server |
//! | [`quiet`] | what never reaches a log |
//! | [`snapshot`] | what goes on, in numbers: for diagnostics and, as a collector, for metrics |

pub mod api;
mod bmc;
pub mod bootstrap;
pub mod cache;
pub mod certificates;
pub mod chance;
pub mod client;
pub mod clock;
pub mod controller;
pub mod decode;
pub mod errors;
pub mod events;
pub mod external;
pub mod http;
pub mod lease;
pub mod manager;
pub mod metrics;
pub mod owner;
pub mod ports;
pub mod quiet;
mod request;
pub mod resync;
pub mod serve;
pub mod snapshot;
pub mod store;
pub mod watch;
pub mod webhook;

pub use client::Clients;
pub use manager::{Manager, Settings};
