//! The webhook server: TLS with a certificate from files, AdmissionReviews in, answers out.
//!
//! What is answered is decided by [`capt_reconciler::admission`]; here is only how a call gets there. Every replica
//! serves, leading or not: the API server asks any of them.

mod answer;
mod server;

pub use answer::{ALL_BODIES, MAX_BODY};
pub use server::{AGE, CONNECTIONS, HANDSHAKE, Server};
