//! Where the manager tells of itself: plain metrics, diagnostics for whom the API server allows, diagnostics on loopback.

use std::sync::Arc;

use anyhow::Context;
use capt_kube::Manager;
use capt_kube::certificates::Certificates;
use capt_kube::http;
use capt_kube::serve::diagnostics::{self, Guard, LogFilter, Told};
use capt_kube::serve::metrics;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::flags::{Addresses, DIAGNOSTICS, LOCAL_DIAGNOSTICS};

/// Addresses that are listened on, and not answered before [`Listeners::serve`].
pub struct Listeners {
    metrics: Option<TcpListener>,
    diagnostics: Option<TcpListener>,
    insecure: bool,
    local: Option<TcpListener>,
}

impl Listeners {
    /// Listens. A default address that is taken is no reason to fail: nobody asked for it, and the manager works without.
    ///
    /// # Errors
    /// When an address makes no sense, is in use, or may not be used.
    pub async fn bind(addresses: &Addresses) -> anyhow::Result<Self> {
        let Addresses { metrics_bind_addr, diagnostics_address, insecure_diagnostics, local_diagnostics_address } =
            addresses;
        let diagnostics = http::bind(diagnostics_address).await;
        let diagnostics = unless_default(diagnostics, diagnostics_address == DIAGNOSTICS, "--diagnostics-address")?;
        let local = diagnostics::bind_loopback(local_diagnostics_address).await;
        let is_default = local_diagnostics_address == LOCAL_DIAGNOSTICS;
        let local = unless_default(local, is_default, "--local-diagnostics-address")?;
        let metrics = if diagnostics.is_some() && addresses.metrics_are_in_diagnostics() {
            info!(address = diagnostics_address, "metrics are served with the diagnostics");
            None
        } else {
            http::bind(metrics_bind_addr).await.context("--metrics-bind-addr")?
        };
        Ok(Self { metrics, diagnostics, insecure: *insecure_diagnostics, local })
    }

    /// Answers, for ever.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn serve(
        self,
        manager: &Arc<Manager>,
        log: Arc<dyn LogFilter>,
        webhooks: Option<Arc<Certificates>>,
    ) -> anyhow::Result<()> {
        let told = {
            let manager = manager.clone();
            Arc::new(Told::new(move || manager.snapshot(), log))
        };
        let plain = async |listener: Option<TcpListener>| match listener {
            Some(listener) => metrics::serve(listener, manager.registry()).await,
            None => std::future::pending().await,
        };
        let local = async {
            match self.local {
                Some(listener) => diagnostics::serve_locally(listener, told.clone()).await,
                None => std::future::pending().await,
            }
        };
        let diagnostics = async {
            match self.diagnostics {
                Some(listener) if !self.insecure => {
                    let guard = Guard::new(manager.client());
                    diagnostics::serve_guarded(listener, told.clone(), manager.registry(), guard, webhooks).await
                }
                listener => {
                    plain(listener).await;
                    Ok(())
                }
            }
        };
        tokio::select! {
            () = plain(self.metrics) => Ok(()),
            () = local => Ok(()),
            ended = diagnostics => ended.context("--diagnostics-address"),
        }
    }
}

fn unless_default(
    bound: anyhow::Result<Option<TcpListener>>,
    is_default: bool,
    flag: &'static str,
) -> anyhow::Result<Option<TcpListener>> {
    match bound {
        Err(error) if is_default => {
            warn!(error = format!("{error:#}"), flag, "not served: the default address cannot be used");
            Ok(None)
        }
        bound => bound.context(flag),
    }
}
