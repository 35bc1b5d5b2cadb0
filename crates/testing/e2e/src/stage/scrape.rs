//! The manager's metrics, as Prometheus asks for them: over TLS, with the token of a ServiceAccount.

use anyhow::{Context, bail, ensure};
use kube::config::AuthInfo;
use kube::{Client, Config, Error};
use serde_json::{Value, json};

use super::Stage;

/// Who may read metrics.
const PROMETHEUS: &str = "prometheus";

/// Metrics at this port are for whom the shipped ClusterRole is bound to, and for nobody else.
///
/// # Errors
/// When others get them, or he does not.
pub async fn metrics_are_guarded(stage: &Stage, port: u16) -> anyhow::Result<()> {
    let kubectl = stage.kubectl()?;
    let account = |name: &str| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "default", "name": name}});
    let role = stage.root().join("deploy/components/monitoring/metrics_reader_role.yaml");
    let role = real_control_plane::manifests::read_file(&role)?;
    let name = role.first().and_then(|role| role.pointer("/metadata/name")).cloned().context("no role for metrics")?;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": PROMETHEUS},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": PROMETHEUS, "namespace": "default"}],
    });
    let objects: Vec<Value> = role.into_iter().chain([account(PROMETHEUS), account("stranger"), binding]).collect();
    kubectl.apply(&objects).await?;
    let token = async |name: &str| {
        let token = kubectl.run(&["create", "token", name, "--namespace=default"]).await?;
        anyhow::Ok(token.trim().to_owned())
    };
    for (token, expected) in [(None, 401), (Some("forged".to_owned()), 401), (Some(token("stranger").await?), 403)] {
        match ask(port, token, "/metrics").await {
            Err(Error::Api(status)) if status.code == expected => {}
            other => bail!("who should get {expected} for metrics got {other:?}"),
        }
    }
    let metrics = ask(port, Some(token(PROMETHEUS).await?), "/metrics").await?;
    ensure!(metrics.contains("# TYPE capt_store_ready gauge"), "metrics are {metrics}");
    match ask(port, Some(token(PROMETHEUS).await?), "/state").await {
        Err(Error::Api(status)) if status.code == 403 => Ok(()),
        other => bail!("who may see metrics got the state: {other:?}"),
    }
}

async fn ask(port: u16, token: Option<String>, path: &str) -> Result<String, Error> {
    let address = format!("https://127.0.0.1:{port}")
        .parse()
        .map_err(|error: http::uri::InvalidUri| Error::Service(Box::new(error)))?;
    let mut config = Config::new(address);
    config.accept_invalid_certs = true;
    config.auth_info = AuthInfo { token: token.map(Into::into), ..AuthInfo::default() };
    let request = http::Request::get(path).body(Vec::new()).map_err(Error::HttpError)?;
    Client::try_from(config)?.request_text(request).await
}
