//! How CAPT does it on Kubernetes: client, watches, stores, writes, queues.
//!
//! ```text
//!  API server ──watch──▶ watch ──▶ cache (stores, indexes) ──change──▶ wake ──key──▶ queue
//!      ▲                             ▲            │                                     │
//!      │                           answer       reads                                   ▼
//!      └───────── request ──────── api ◀──────── ports ◀──────────────────── controller, reconciler
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`manager`] | the whole, wired: start here |
//! | [`client`] | clients of the API server: timeouts, limits |
//! | [`watch`] | is a kind served, and its objects, for ever |
//! | [`decode`] | decoding that one bad object cannot break |
//! | [`store`], [`cache`], [`pools`] | all objects in memory, with indexes, written through |
//! | [`wake`] | whom a change concerns, and who waits for what |
//! | [`queue`], [`controller`] | which object is worked on when, and by whom |
//! | [`bootstrap`] | what the value of a bootstrap Secret is |
//! | [`external`] | Tinkerbell in another cluster |
//! | [`resync`] | every object once in a while |
//! | [`ports`], [`api`], [`errors`], [`events`], [`clock`] | what the reconcilers need of the world outside |
//! | [`chance`] | what jitter is made of |
//! | [`metrics`] | what is counted, and what Prometheus reads |
//! | [`lease`] | who leads: one replica works, the others stand by |
//! | [`serve`] | what is answered over HTTP: health, metrics, diagnostics |
//! | [`webhook`] | the webhook server: TLS, certificate from files |
//! | [`quiet`] | what never reaches a log |
//! | [`snapshot`] | what goes on, in numbers |

pub mod api;
mod bmc;
pub mod bootstrap;
pub mod cache;
pub mod chance;
pub mod client;
pub mod clock;
pub mod controller;
pub mod decode;
pub mod errors;
pub mod events;
pub mod external;
pub mod lease;
pub mod manager;
pub mod metrics;
pub mod pools;
pub mod ports;
pub mod queue;
pub mod quiet;
pub mod resync;
pub mod serve;
pub mod snapshot;
pub mod store;
pub mod wake;
pub mod watch;
pub mod webhook;

pub use client::Clients;
pub use manager::{Manager, Settings};
