//! A stand-in for the kubelets: every provisioned server becomes a Node of the workload cluster.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Stage;
use super::objects::{Objects, name, text};
use super::workload::Workload;
use capt_simulators::kinds::{NODE, TINKERBELL_MACHINE};

/// Time between two looks at the machines.
const LOOK: Duration = Duration::from_millis(500);

/// Running kubelets; they stop when this is dropped.
pub struct Kubelets {
    _stop: DropGuard,
}

impl Stage {
    /// Starts the kubelets of a workload cluster.
    ///
    /// The first one leaves behind what `kubeadm init` leaves. A Node goes when Cluster API deletes it.
    pub fn kubelets(&self, workload: &Workload) -> Kubelets {
        let token = CancellationToken::new();
        let (machines, nodes) = (self.objects.clone(), workload.objects.cluster());
        tokio::spawn(token.clone().run_until_cancelled_owned(async move {
            loop {
                // A server that does not answer is asked again.
                let _ = register(&machines, &nodes).await;
                tokio::time::sleep(LOOK).await;
            }
        }));
        Kubelets { _stop: token.drop_guard() }
    }
}

async fn register(machines: &Objects, nodes: &Objects) -> anyhow::Result<()> {
    for machine in machines.list(TINKERBELL_MACHINE).await? {
        let id = text(&machine, "/spec/providerID");
        let runs = machine.pointer("/status/ready") == Some(&Value::Bool(true));
        let stays = text(&machine, "/metadata/deletionTimestamp").is_empty();
        if !runs || !stays || nodes.find(NODE, name(&machine)).await?.is_some() {
            continue;
        }
        let labels = json!({ "kubernetes.io/hostname": name(&machine) });
        let node = json!({ "metadata": { "name": name(&machine), "labels": labels }, "spec": { "providerID": id } });
        nodes.create(NODE, &node).await?;
        let ready = json!({ "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "stand-in" });
        let info = json!({
            "kubeletVersion": "v1.33.5", "architecture": "amd64", "operatingSystem": "linux", "osImage": "none",
            "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "", "machineID": "",
            "systemUUID": "",
        });
        let status = json!({ "status": { "conditions": [ready], "nodeInfo": info } });
        nodes.merge_status(NODE, name(&machine), &status).await?;
    }
    Ok(())
}
