//! Clients of the API server: timeouts, limits, and one for each purpose.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use kube::client::ClientBuilder;
use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use tower::BoxError;
use tower::limit::ConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::util::MapErrLayer;

use crate::metrics::Requests;

/// The server has to begin its answer within this time. Not one of the many 10-second limits, so that logs tell them
/// apart. It bounds the response's headers only: watches live on.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(9);

/// How many writes are under way at once, unless the settings say otherwise.
pub const MAX_WRITES: usize = 32;

/// One client for each purpose, so that no watch waits behind writes.
#[derive(Clone)]
pub struct Clients {
    /// Lists, watches and discovery.
    pub watches: Client,
    /// Writes, single reads, events.
    pub writes: Client,
    /// The requests of both, counted.
    pub requests: Requests,
    /// Clients of the cluster where Tinkerbell is, if it is another one.
    pub external: Option<Box<Clients>>,
}

impl Clients {
    /// Clients of the cluster that `KUBECONFIG`, the pod we run in, or the user's own kubeconfig names, in this order.
    ///
    /// # Errors
    /// When none of them can be read or used. The error names files, never their content.
    pub async fn infer(max_writes: usize) -> anyhow::Result<Self> {
        let named = std::env::var_os("KUBECONFIG").is_some_and(|files| !files.is_empty());
        let in_cluster = if named { None } else { Config::incluster().ok() };
        let config = match in_cluster {
            Some(config) => config,
            None => Self::of_kubeconfig(named).await?,
        };
        Self::from_config(config, max_writes)
    }

    /// What the files of `KUBECONFIG`, or the user's own kubeconfig, name.
    async fn of_kubeconfig(named: bool) -> anyhow::Result<Config> {
        let config = Config::from_kubeconfig(&KubeConfigOptions::default()).await;
        // The error's text holds those of its causes.
        config.map_err(|error| match std::env::var_os("KUBECONFIG").filter(|_| named) {
            Some(files) => anyhow!("no Kubernetes cluster is configured: KUBECONFIG={}: {error}", files.to_string_lossy()),
            None => anyhow!(
                "no Kubernetes cluster is configured: KUBECONFIG is not set, this is no pod, and ~/.kube/config cannot be used: \
                 {error}"
            ),
        })
    }

    /// Clients of the configured cluster.
    ///
    /// # Errors
    /// When the configuration's certificates or credentials cannot be used.
    pub fn from_config(config: Config, max_writes: usize) -> anyhow::Result<Self> {
        Self::counted(config, max_writes, Requests::default())
    }

    /// The same clients, with Tinkerbell in the configured cluster.
    ///
    /// # Errors
    /// When the configuration's certificates or credentials cannot be used.
    pub fn with_external_config(self, config: Config, max_writes: usize) -> anyhow::Result<Self> {
        let external = Self::counted(config, max_writes, self.requests.clone())?;
        Ok(self.with_external(external))
    }

    /// The same clients, with Tinkerbell in another cluster.
    #[must_use]
    pub fn with_external(self, external: impl Into<Self>) -> Self {
        Self { external: Some(Box::new(external.into())), ..self }
    }

    /// The clients of the cluster where Tinkerbell is.
    pub fn of_tinkerbell(&self) -> &Self {
        self.external.as_deref().unwrap_or(self)
    }

    fn counted(mut config: Config, max_writes: usize, requests: Requests) -> anyhow::Result<Self> {
        let agent = format!("capt-manager/{}", env!("CARGO_PKG_VERSION"));
        config.headers.push((http::header::USER_AGENT, agent.parse().context("user agent")?));
        let count = requests.layer(config.cluster_url.authority().map_or("", http::uri::Authority::as_str));
        let timeout = TimeoutLayer::new(RESPONSE_TIMEOUT);
        let named = named(config.cluster_url.to_string().trim_end_matches('/'));
        let watches =
            ClientBuilder::try_from(config.clone())?.with_layer(&count).with_layer(&timeout).with_layer(&named).build();
        let writes = ClientBuilder::try_from(config)?
            .with_layer(&count)
            .with_layer(&ConcurrencyLimitLayer::new(max_writes))
            .with_layer(&timeout)
            .with_layer(&named)
            .build();
        Ok(Self { watches, writes, requests, external: None })
    }
}

/// Puts the server's address before what went wrong on the way to it.
fn named(server: &str) -> MapErrLayer<impl Fn(BoxError) -> BoxError + Clone + use<>> {
    let server: Arc<str> = server.into();
    MapErrLayer::new(move |cause| Box::new(NoAnswer { server: server.clone(), cause }) as BoxError)
}

/// A request that got no answer, and from whom.
#[derive(Debug, thiserror::Error)]
#[error("{server}")]
pub struct NoAnswer {
    /// The server's URL.
    pub server: Arc<str>,
    /// Why.
    #[source]
    pub cause: BoxError,
}

/// One client for everything, as tests and sandboxes have it. Its requests are not counted.
impl From<Client> for Clients {
    fn from(client: Client) -> Self {
        Self { watches: client.clone(), writes: client, requests: Requests::default(), external: None }
    }
}
