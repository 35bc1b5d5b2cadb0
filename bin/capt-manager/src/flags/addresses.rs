//! Where the manager tells of itself.

use clap::Args;

use super::syntax::boolean;

/// Where metrics are by default, for who is on the same machine. As with the Go manager.
pub const METRICS: &str = "localhost:8080";
/// Where diagnostics are served by default, to clients that the API server authorizes. As with Cluster API's managers.
pub const DIAGNOSTICS: &str = ":8443";
/// Where they are served by default on the same machine: no address of another Kubernetes program by custom.
pub const LOCAL_DIAGNOSTICS: &str = "127.0.0.1:8089";

/// Addresses of metrics and diagnostics.
#[derive(Debug, Args)]
pub struct Addresses {
    /// Address of plain metrics; none if empty or 0.
    #[arg(long, default_value = METRICS)]
    pub metrics_bind_addr: String,

    /// Address where metrics and diagnostics are served, and the log level can be changed; none if empty or 0.
    ///
    /// It serves HTTPS and asks the API server about each caller, by TokenReview and SubjectAccessReview on the path. The
    /// certificate is that of the webhooks; without one it is self-signed.
    #[arg(long, default_value = DIAGNOSTICS)]
    pub diagnostics_address: String,

    /// Serve plain metrics, and nothing else, at the diagnostics address.
    #[arg(long, default_value = "false", value_parser = boolean,
          action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_name = "BOOL")]
    pub insecure_diagnostics: bool,

    /// Address where diagnostics are served, and the log level can be changed, without authentication; none if empty or 0.
    /// It must be one of loopback: what can be reached from outside is refused.
    #[arg(long, default_value = LOCAL_DIAGNOSTICS)]
    pub local_diagnostics_address: String,
}

impl Addresses {
    /// Whether the plain metrics need no listener of their own, because the diagnostics are at the same port: they are the very
    /// same there if insecure, and nobody asked for others if the address is the default.
    pub fn metrics_are_in_diagnostics(&self) -> bool {
        let port = |address: &str| address.trim().rsplit_once(':').map(|(_, port)| port.to_owned());
        let same = port(&self.metrics_bind_addr).is_some_and(|of| Some(of) == port(&self.diagnostics_address));
        same && (self.insecure_diagnostics || self.metrics_bind_addr == METRICS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_apis_recipe_for_insecure_diagnostics_takes_no_port_twice() {
        let are_in = |metrics: &str, diagnostics: &str, insecure_diagnostics| {
            let local_diagnostics_address = String::new();
            let (metrics_bind_addr, diagnostics_address) = (metrics.to_owned(), diagnostics.to_owned());
            let addresses =
                Addresses { metrics_bind_addr, diagnostics_address, insecure_diagnostics, local_diagnostics_address };
            addresses.metrics_are_in_diagnostics()
        };
        assert!(are_in(METRICS, "localhost:8080", true));
        assert!(are_in(METRICS, ":8080", false), "nobody asked for plain metrics");
        assert!(are_in(":9090", ":9090", true));
        assert!(!are_in(":9090", ":9090", false), "that is a mistake, and is told as one");
        for (metrics, diagnostics) in [(METRICS, DIAGNOSTICS), ("0", "0"), ("", ""), (":8080", "")] {
            assert!(!are_in(metrics, diagnostics, true), "{metrics} {diagnostics}");
        }
    }
}
