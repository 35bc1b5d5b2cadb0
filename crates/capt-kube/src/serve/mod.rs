//! What the manager answers over HTTP.

pub mod diagnostics;
pub mod health;
pub mod http;
pub mod metrics;
mod page;
pub(crate) mod places;

use anyhow::Context;
use tokio::net::TcpListener;

/// Listens on an address as Go programs write it: `:9440` is every address of the machine. Nothing for an empty
/// address or `0`, which turn a server off.
///
/// # Errors
/// When the address makes no sense or is in use.
pub async fn bind(address: &str) -> anyhow::Result<Option<TcpListener>> {
    let address = address.trim();
    if address.is_empty() || address == "0" {
        return Ok(None);
    }
    let listener = match address.strip_prefix(':') {
        Some(port) => match TcpListener::bind(format!("[::]:{port}")).await {
            Ok(listener) => Ok(listener),
            // There are machines without IPv6.
            Err(_) => TcpListener::bind(format!("0.0.0.0:{port}")).await,
        },
        None => TcpListener::bind(address).await,
    };
    listener.map(Some).with_context(|| format!("cannot listen on {address}"))
}
