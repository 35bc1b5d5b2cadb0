//! The stand-ins for programs that cannot run here: Tinkerbell with its agents, and BMCs.

use std::collections::HashMap;
use std::time::Duration;

use capt_simulators::{RUFIO, Running, Simulators, TINKERBELL, bmc, tinkerbell};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{SIMULATORS, Stage};

/// Running stand-ins; they stop when this is dropped.
pub struct StandIns {
    /// The stand-ins, for faults.
    pub running: Running,
    _stop: DropGuard,
}

impl Stage {
    /// Starts Tinkerbell and rufio, with this much time between two writes to one object.
    ///
    /// # Errors
    /// When no client can be made.
    pub async fn simulators(&self, step: Duration) -> anyhow::Result<StandIns> {
        self.simulators_with(step, bmc::Options { latency: step, ..bmc::Options::default() }).await
    }

    /// The same with other BMCs.
    ///
    /// # Errors
    /// When no client can be made.
    pub async fn simulators_with(&self, step: Duration, bmc: bmc::Options) -> anyhow::Result<StandIns> {
        let tinkerbell = tinkerbell::Options { step, coarse: true, ..tinkerbell::Options::default() };
        let mut clients = HashMap::new();
        for name in [TINKERBELL, RUFIO] {
            clients.insert(name, self.plane.client(SIMULATORS, name).await?);
        }
        let token = CancellationToken::new();
        let admin = self.objects.client().clone();
        let running = Simulators::builder(move |name| clients.get(name).unwrap_or(&admin).clone())
            .ipam([])
            .cluster_api(None)
            .tinkerbell(tinkerbell)
            .bmc(bmc)
            .power(self.power.clone())
            .token(token.clone())
            .start();
        Ok(StandIns { running, _stop: token.drop_guard() })
    }
}
