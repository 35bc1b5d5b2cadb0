//! capt-manager as an operator runs it: the release binary, under the RBAC that is shipped.

use real_control_plane::api_server::free_port;
use real_control_plane::process::Process;
use tokio::process::Command;

use super::{CAPT, Stage};

impl Stage {
    /// Starts capt-manager. `name` is that of its process and log.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn manager(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let mut command = Command::new(&self.paths.manager);
        command
            .env("KUBECONFIG", self.plane.kubeconfig(CAPT))
            .env_remove("RUST_LOG")
            .arg(format!("--health-addr=127.0.0.1:{}", free_port()?))
            .arg(format!("--metrics-bind-addr=127.0.0.1:{}", free_port()?))
            .arg("--diagnostics-address=0")
            .args(arguments);
        Process::start(name, command, &self.log(name))
    }
}
