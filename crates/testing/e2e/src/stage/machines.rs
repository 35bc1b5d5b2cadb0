//! Machines made by the real Cluster API core without kubeadm: their bootstrap data is a Secret that is there already.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::objects::{Objects, text, told, until};
use capt_simulators::fixtures;
use capt_simulators::kinds::{
    BMC_JOB, CLUSTER, IN_CLUSTER_POOL, Kind, MACHINE, MACHINE_DEPLOYMENT, SECRET, TINKERBELL_CLUSTER,
    TINKERBELL_MACHINE, TINKERBELL_MACHINE_TEMPLATE, WORKFLOW,
};

use super::checks::summary;

/// The bootstrap data's Secret.
const BOOTSTRAP: &str = "static-bootstrap";
const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";

/// Makes a Cluster whose endpoint is nobody's, and the bootstrap data of its machines.
///
/// # Errors
/// When the server refuses one of the objects.
pub async fn cluster(objects: &Objects, name: &str) -> anyhow::Result<()> {
    let secret = json!({
        "metadata": { "name": BOOTSTRAP, "labels": { CLUSTER_NAME_LABEL: name } },
        "type": "cluster.x-k8s.io/secret",
        "stringData": { "value": "#cloud-config\n# PROVIDER_ID\n", "format": "cloud-config" },
    });
    objects.create(SECRET, &secret).await?;
    // Port 1 refuses at once, so nobody waits for a cluster that is not there.
    let endpoint = json!({ "host": "127.0.0.1", "port": 1 });
    let infra = json!({ "metadata": { "name": name }, "spec": { "controlPlaneEndpoint": endpoint } });
    objects.create(TINKERBELL_CLUSTER, &infra).await?;
    let reference = fixtures::reference(TINKERBELL_CLUSTER, name);
    let cluster = json!({ "metadata": { "name": name }, "spec": { "infrastructureRef": reference } });
    objects.create(CLUSTER, &cluster).await.context("the Cluster")?;
    Ok(())
}

/// Makes a MachineDeployment and its template; its machines take servers of this `type`, and addresses of the pool.
///
/// # Errors
/// When the server refuses one of the objects.
pub async fn deployment(
    objects: &Objects,
    cluster: &str,
    name: &str,
    replicas: usize,
    pool: Option<(Kind, &str)>,
) -> anyhow::Result<()> {
    let machine = of_type("worker", pool);
    let template = json!({ "metadata": { "name": name }, "spec": { "template": { "spec": machine } } });
    objects.create(TINKERBELL_MACHINE_TEMPLATE, &template).await?;
    let reference = fixtures::reference(TINKERBELL_MACHINE_TEMPLATE, name);
    let labels = json!({ CLUSTER_NAME_LABEL: cluster, "deployment": name });
    let deployment = json!({
        "metadata": { "name": name, "labels": { CLUSTER_NAME_LABEL: cluster } },
        "spec": {
            "clusterName": cluster,
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "clusterName": cluster,
                    "version": "v1.33.5",
                    "bootstrap": { "dataSecretName": BOOTSTRAP },
                    "infrastructureRef": reference,
                },
            },
        },
    });
    objects.create(MACHINE_DEPLOYMENT, &deployment).await.context("the MachineDeployment")?;
    Ok(())
}

/// Makes one Machine with a name of its own, as a person does.
///
/// # Errors
/// When the server refuses one of the objects.
pub async fn machine(objects: &Objects, cluster: &str, name: &str, spec: &Value) -> anyhow::Result<()> {
    let metadata = json!({ "name": name, "labels": { CLUSTER_NAME_LABEL: cluster } });
    objects.create(TINKERBELL_MACHINE, &json!({ "metadata": metadata, "spec": spec })).await?;
    let reference = fixtures::reference(TINKERBELL_MACHINE, name);
    let machine = json!({
        "metadata": metadata,
        "spec": {
            "clusterName": cluster,
            "version": "v1.33.5",
            "bootstrap": { "dataSecretName": BOOTSTRAP },
            "infrastructureRef": reference,
        },
    });
    objects.create(MACHINE, &machine).await.with_context(|| format!("Machine {name}"))?;
    Ok(())
}

/// The spec of a TinkerbellMachine that takes a server of this `type`, with an address from a pool if one is named.
pub fn spec(kind: &str, pool: Option<&str>) -> Value {
    of_type(kind, pool.map(|pool| (IN_CLUSTER_POOL, pool)))
}

fn of_type(kind: &str, pool: Option<(Kind, &str)>) -> Value {
    let mut spec = json!({
        "hardwareAffinity": { "required": [{ "labelSelector": { "matchLabels": { "type": kind } } }] },
    });
    if let (Some((kind, pool)), Some(spec)) = (pool, spec.as_object_mut()) {
        spec.insert("ipamPoolRef".to_owned(), fixtures::reference(kind, pool));
    }
    spec
}

/// The same for a server that its BMC boots from the network.
pub fn netboot_spec(kind: &str, pool: Option<&str>) -> Value {
    let mut spec = spec(kind, pool);
    if let Some(spec) = spec.as_object_mut() {
        spec.insert("bootOptions".to_owned(), json!({ "bootMode": "netboot" }));
    }
    spec
}

/// Waits until this TinkerbellMachine is ready, and returns it.
///
/// # Errors
/// When that takes longer than `patience`.
pub async fn ready(objects: &Objects, name: &str, patience: Duration) -> anyhow::Result<Value> {
    until(&format!("{name} is ready"), patience, async || {
        let machine = objects.get(TINKERBELL_MACHINE, name).await?;
        if is_ready(&machine) {
            return Ok(Ok(machine));
        }
        if told(&machine, "WorkflowSucceeded").contains("WorkflowFailed") {
            boot_again(objects).await?;
        }
        Ok(Err(summary(&[machine])))
    })
    .await
}

/// Does what the condition of a failed Workflow says, where rufio failed its boot Job because of the Tasks of the Job that
/// tink-controller had made first: on a busy machine the collector takes those late (the recorded case of a Job of a used name).
/// Any other failure stays.
async fn boot_again(objects: &Objects) -> anyhow::Result<()> {
    for job in objects.list(BMC_JOB).await? {
        let fell_over_tasks = told(&job, "Failed").contains("already exists");
        let owners = job.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
        for workflow in owners.filter(|owner| fell_over_tasks && text(owner, "/kind") == "Workflow") {
            let workflow = text(workflow, "/name");
            println!(
                "          rufio fell over Tasks of an earlier boot Job; Workflow {workflow} is deleted, to boot again"
            );
            objects.delete(WORKFLOW, workflow).await?;
        }
    }
    Ok(())
}

/// Waits until this TinkerbellMachine is gone.
///
/// # Errors
/// When that takes longer than `patience`.
pub async fn gone(objects: &Objects, name: &str, patience: Duration) -> anyhow::Result<()> {
    until(&format!("{name} is gone"), patience, async || {
        let machine = objects.find(TINKERBELL_MACHINE, name).await?;
        Ok(machine.map_or(Ok(()), |machine| {
            Err(format!("{} ({})", summary(std::slice::from_ref(&machine)), told(&machine, "Deleting")))
        }))
    })
    .await
}

/// Wants another number of machines.
///
/// # Errors
/// When the server refuses it.
pub async fn scale(objects: &Objects, name: &str, replicas: usize) -> anyhow::Result<()> {
    objects.merge(MACHINE_DEPLOYMENT, name, &json!({ "spec": { "replicas": replicas } })).await.map(drop)
}

/// Makes a pool with these ranges of addresses.
///
/// # Errors
/// When the server refuses it.
pub async fn pool(objects: &Objects, kind: Kind, name: &str, addresses: &str) -> anyhow::Result<()> {
    let spec = json!({ "addresses": [addresses], "prefix": 16, "gateway": "10.0.0.1" });
    objects.create(kind, &json!({ "metadata": { "name": name }, "spec": spec })).await.context("the pool")?;
    Ok(())
}

/// Whether a TinkerbellMachine is ready.
pub fn is_ready(machine: &Value) -> bool {
    machine.pointer("/status/ready") == Some(&Value::Bool(true))
}

/// Waits until there are exactly so many TinkerbellMachines and all of them are ready.
///
/// # Errors
/// When that takes longer than `patience`.
pub async fn all_ready(objects: &Objects, wanted: usize, patience: Duration) -> anyhow::Result<Vec<Value>> {
    until(&format!("{wanted} machines are ready"), patience, async || {
        let machines = objects.list(TINKERBELL_MACHINE).await?;
        let ready = machines.iter().filter(|machine| is_ready(machine)).count();
        let waiting: Vec<Value> = machines.iter().filter(|machine| !is_ready(machine)).cloned().collect();
        let sight = format!("{ready} of {} are; {}", machines.len(), summary(&waiting));
        Ok(if ready == wanted && machines.len() == wanted { Ok(machines) } else { Err(sight) })
    })
    .await
}
