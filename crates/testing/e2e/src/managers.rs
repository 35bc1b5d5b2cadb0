//! How the managers are started, for scenarios and measurements alike.

use std::path::Path;

use anyhow::Context;
use real_control_plane::api_server::free_port;
use tokio::process::Command;

/// Where Go CAPT looks for its webhooks' certificate, below its temporary folder; it has a flag for it that it does not heed.
pub const GO_CERTIFICATES: &str = "k8s-webhook-server/serving-certs";

/// capt-manager at this API server, with ports of its own; its webhooks listen on `webhooks` with the certificate of a folder.
///
/// # Errors
/// When there is no free port.
pub fn capt_manager(
    program: &Path,
    kubeconfig: &Path,
    health: u16,
    webhooks: u16,
    certificates: &Path,
) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    command
        .env("KUBECONFIG", kubeconfig)
        .env_remove("RUST_LOG")
        .arg(format!("--webhook-port={webhooks}"))
        .arg(format!("--webhook-cert-dir={}", certificates.display()))
        .args(["--diagnostics-address=0", "--local-diagnostics-address=0", "--webhook-host=127.0.0.1"])
        .args(ports(health)?);
    Ok(command)
}

/// Go CAPT at this API server. Its webhooks listen on a port of its choice, whatever its flags say; the certificate of its webhooks is in [`GO_CERTIFICATES`] below
/// `temporary`.
///
/// # Errors
/// When there is no free port.
pub fn go_capt(program: &Path, kubeconfig: &Path, health: u16, temporary: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    command.env("KUBECONFIG", kubeconfig).env("TMPDIR", temporary).args(ports(health)?);
    Ok(command)
}

fn ports(health: u16) -> anyhow::Result<[String; 2]> {
    let metrics = free_port().context("metrics")?;
    Ok([format!("--health-addr=127.0.0.1:{health}"), format!("--metrics-bind-addr=127.0.0.1:{metrics}")])
}
