//! A second API server that stands for a workload cluster.

use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use real_control_plane::api_server::{ADMIN, ApiServer};
use real_control_plane::certificates::Authority;
use serde_json::json;

use super::Stage;
use super::objects::{Objects, until};
use capt_simulators::kinds::{CONFIG_MAP, NAMESPACE, SECRET};

/// A workload cluster: an API server without nodes of its own.
pub struct Workload {
    /// Its API server; its port is the cluster's endpoint.
    pub server: ApiServer,
    /// Its objects, as an administrator.
    pub objects: Objects,
}

impl Stage {
    /// Starts the API server of a workload cluster.
    ///
    /// The cluster's authority is made first and given to Cluster API in the Secret `<cluster>-ca`, as users do who
    /// bring their own: so the server can be there before the Cluster is.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn workload(&self, cluster: &str) -> anyhow::Result<Workload> {
        let authority = Authority::new("kubernetes")?;
        let secret = json!({
            "metadata": {
                "name": format!("{cluster}-ca"),
                "labels": { "cluster.x-k8s.io/cluster-name": cluster },
            },
            "type": "cluster.x-k8s.io/secret",
            "data": {
                "tls.crt": BASE64.encode(authority.certificate()),
                "tls.key": BASE64.encode(authority.private_key()),
            },
        });
        self.objects.create(SECRET, &secret).await?;
        let server = self.plane.second_server(&self.programs, &authority, &format!("workload-{cluster}")).await?;
        let objects = Objects::new(server.client(ADMIN, "capt-e2e").await?);
        Ok(Workload { server, objects })
    }
}

impl Workload {
    /// What kubeadm leaves behind on the first control-plane node; kubeadm's provider looks for it.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn initialize(&self) -> anyhow::Result<()> {
        let system = self.objects.of("kube-system");
        until("the workload cluster has its namespaces", Duration::from_secs(30), async || {
            let found = self.objects.cluster().find(NAMESPACE, "kube-system").await?;
            Ok(found.map(drop).ok_or_else(|| "no kube-system".to_owned()))
        })
        .await?;
        let configuration = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
        let map = json!({
            "metadata": { "name": "kubeadm-config" },
            "data": { "ClusterConfiguration": configuration },
        });
        system.create(CONFIG_MAP, &map).await.context("kubeadm-config")?;
        Ok(())
    }
}
