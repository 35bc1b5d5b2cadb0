//! All stand-ins together.

use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::bmc::{self, JobFault, PowerStates, Rufio};
use crate::cluster_api::{self, ClusterApiControllers};
use crate::faults::Faults;
use crate::ipam::{self, IpamProvider};
use crate::tinkerbell::{self, Tinkerbell, WorkflowFault};

/// Name of the IPAM provider, for a server's journal.
pub const IPAM_PROVIDER: &str = "ipam-provider";
/// Name of Tinkerbell, for a server's journal.
pub const TINKERBELL: &str = "tinkerbell";
/// Name of rufio, for a server's journal.
pub const RUFIO: &str = "rufio";
/// Name of Cluster API, for a server's journal.
pub const CLUSTER_API: &str = "cluster-api";

/// Which stand-ins are to run, and how.
pub struct Builder<C> {
    clients: C,
    ipam: Vec<ipam::Options>,
    tinkerbell: Option<tinkerbell::Options>,
    bmc: Option<bmc::Options>,
    cluster_api: Option<cluster_api::Options>,
    power: PowerStates,
    token: CancellationToken,
}

/// Starting point for all stand-ins.
pub struct Simulators;

impl Simulators {
    /// All stand-ins as they are by default; `clients` makes the client of the one with this name, such as
    /// [`IPAM_PROVIDER`].
    pub fn builder<C: Fn(&str) -> Client>(clients: C) -> Builder<C> {
        Builder {
            clients,
            ipam: vec![ipam::Options::default()],
            tinkerbell: Some(tinkerbell::Options::default()),
            bmc: Some(bmc::Options::default()),
            cluster_api: Some(cluster_api::Options::default()),
            power: PowerStates::default(),
            token: CancellationToken::new(),
        }
    }
}

impl<C: Fn(&str) -> Client> Builder<C> {
    /// IPAM providers in place of the default one; none for none.
    #[must_use]
    pub fn ipam(mut self, providers: impl IntoIterator<Item = ipam::Options>) -> Self {
        self.ipam = providers.into_iter().collect();
        self
    }

    /// How Tinkerbell behaves; `None` leaves it out.
    #[must_use]
    pub fn tinkerbell(mut self, options: impl Into<Option<tinkerbell::Options>>) -> Self {
        self.tinkerbell = options.into();
        self
    }

    /// How rufio behaves; `None` leaves it out.
    #[must_use]
    pub fn bmc(mut self, options: impl Into<Option<bmc::Options>>) -> Self {
        self.bmc = options.into();
        self
    }

    /// How Cluster API behaves; `None` leaves it out.
    #[must_use]
    pub fn cluster_api(mut self, options: impl Into<Option<cluster_api::Options>>) -> Self {
        self.cluster_api = options.into();
        self
    }

    /// The power of the servers, where somebody wants to listen before the start.
    #[must_use]
    pub fn power(mut self, power: PowerStates) -> Self {
        self.power = power;
        self
    }

    /// Cancelling this stops all stand-ins.
    #[must_use]
    pub fn token(mut self, token: CancellationToken) -> Self {
        self.token = token;
        self
    }

    /// Starts them. Must be called inside a tokio runtime.
    pub fn start(self) -> Running {
        let (clients, token, power) = (self.clients, self.token, self.power);
        let ipam_client = clients(IPAM_PROVIDER);
        let start_ipam = |options| IpamProvider::start(&ipam_client, options, &token);
        let start_tinkerbell = |options| Tinkerbell::start(&clients(TINKERBELL), options, Some(power.clone()), &token);
        let start_cluster_api = |options| ClusterApiControllers::start(&clients(CLUSTER_API), options, &token);
        Running {
            ipam: self.ipam.into_iter().map(start_ipam).collect(),
            tinkerbell: self.tinkerbell.map(start_tinkerbell),
            rufio: self.bmc.map(|options| Rufio::start(&clients(RUFIO), options, power.clone(), &token)),
            cluster_api: self.cluster_api.map(start_cluster_api),
            power: power.clone(),
        }
    }
}

/// Stand-ins that run. Dropping this leaves them running; [`Self::stop`] ends them.
pub struct Running {
    ipam: Vec<IpamProvider>,
    tinkerbell: Option<Tinkerbell>,
    rufio: Option<Rufio>,
    cluster_api: Option<ClusterApiControllers>,
    power: PowerStates,
}

impl Running {
    /// The IPAM providers, in the order they were given.
    pub fn ipam(&self) -> &[IpamProvider] {
        &self.ipam
    }

    /// The power of the servers.
    pub fn power(&self) -> &PowerStates {
        &self.power
    }

    /// Faults of Workflows; none without Tinkerbell.
    pub fn workflow_faults(&self) -> Option<&Faults<WorkflowFault>> {
        self.tinkerbell.as_ref().map(Tinkerbell::faults)
    }

    /// Faults of BMC Jobs; none without rufio.
    pub fn job_faults(&self) -> Option<&Faults<JobFault>> {
        self.rufio.as_ref().map(Rufio::faults)
    }

    /// Stops them all, and returns when they have stopped.
    pub async fn stop(&self) {
        for provider in &self.ipam {
            provider.stop().await;
        }
        if let Some(tinkerbell) = &self.tinkerbell {
            tinkerbell.stop().await;
        }
        if let Some(rufio) = &self.rufio {
            rufio.stop().await;
        }
        if let Some(cluster_api) = &self.cluster_api {
            cluster_api.stop().await;
        }
    }
}
