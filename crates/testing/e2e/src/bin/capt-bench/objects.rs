//! The objects of a workload, as JSON.

use std::collections::BTreeMap;

use capt_simulators::fixtures::{self, owned_by, reference};
pub use capt_simulators::kinds::{
    BMC_JOB, BMC_MACHINE, CLAIM, CLUSTER as CAPI_CLUSTER, EVENT, HARDWARE, IN_CLUSTER_POOL, Kind,
    MACHINE as CAPI_MACHINE, SECRET, TEMPLATE, TINKERBELL_CLUSTER, TINKERBELL_MACHINE, WORKFLOW,
};
use serde_json::{Value, json};

use crate::workload::Workload;

/// Namespace of everything.
pub const NAMESPACE: &str = "bench";
/// Name of the cluster and its TinkerbellCluster.
pub const CLUSTER: &str = "bench";
/// Name of the pool.
const POOL: &str = "bench";

/// Path of a kind's objects in our namespace.
pub fn path(kind: Kind) -> String {
    let root = if kind.group.is_empty() { "api" } else { "apis" };
    format!("/{root}/{}/namespaces/{NAMESPACE}/{}", kind.api_version(), kind.plural)
}

/// The cluster, with its endpoint; complete, since no webhook fills in defaults.
pub fn cluster() -> Value {
    let infrastructure = reference(TINKERBELL_CLUSTER, CLUSTER);
    object(CAPI_CLUSTER, CLUSTER, &json!({ "infrastructureRef": infrastructure }))
}

/// The TinkerbellCluster of that cluster.
pub fn tinkerbell_cluster(cluster_uid: &str) -> Value {
    let spec = json!({
        "controlPlaneEndpoint": { "host": "10.255.255.1", "port": 6443 },
        "imageLookupFormat": "{{.BaseRegistry}}/{{.OSDistro}}-{{.OSVersion}}:{{.KubernetesVersion}}.gz",
        "imageLookupOSVersion": "20.04",
    });
    owned_by(object(TINKERBELL_CLUSTER, CLUSTER, &spec), CAPI_CLUSTER, CLUSTER, cluster_uid)
}

/// The pool, with an address for each machine and some more.
pub fn pool() -> Value {
    let spec = json!({ "addresses": ["10.128.0.10-10.128.255.250"], "prefix": 16, "gateway": "10.128.0.1" });
    object(IN_CLUSTER_POOL, POOL, &spec)
}

/// Name of the n-th Hardware, and of its BMC.
fn server(n: usize) -> String {
    format!("server-{n:05}")
}

/// The n-th Hardware.
pub fn hardware(workload: &Workload, n: usize) -> Value {
    let labels =
        BTreeMap::from([("type".to_owned(), "worker".to_owned()), ("rack".to_owned(), format!("rack-{:03}", n / 40))]);
    let mac = fixtures::mac(u32::try_from(n).unwrap_or(u32::MAX));
    let name = server(n);
    let bmc = workload.bmc.then_some(name.as_str());
    let mut hardware = fixtures::hardware(NAMESPACE, &name, &mac, &labels, bmc);
    let dhcp = hardware.pointer_mut("/spec/interfaces/0/dhcp").and_then(Value::as_object_mut);
    if let (false, Some(dhcp)) = (workload.ipam, dhcp) {
        let address = format!("10.{}.{}.{}", n / 62_500, n / 250 % 250, n % 250 + 2);
        let ip = json!({ "address": address, "netmask": "255.0.0.0", "gateway": "10.0.0.1", "family": 4 });
        dhcp.insert("ip".to_owned(), ip);
    }
    // As `kubectl apply` leaves it.
    let applied = hardware.to_string();
    if let Some(metadata) = hardware.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata
            .insert("annotations".to_owned(), json!({ "kubectl.kubernetes.io/last-applied-configuration": applied }));
    }
    hardware
}

/// The BMC of the n-th Hardware.
pub fn bmc_machine(n: usize) -> Value {
    fixtures::bmc_machine(NAMESPACE, &server(n))
}

/// Name of the n-th machine, and of what belongs to it.
pub fn machine_name(n: usize) -> String {
    format!("machine-{n:05}")
}

/// The bootstrap Secret of the n-th machine.
pub fn secret(n: usize) -> Value {
    let text = format!(
        "#cloud-config\nhostname: {}\nruncmd:\n- kubeadm join 10.255.255.1:6443 --node-labels=id=PROVIDER_ID\n{}",
        machine_name(n),
        // About as long as what kubeadm's provider writes for a worker.
        "# ".repeat(900),
    );
    json!({
        "apiVersion": SECRET.api_version(),
        "kind": SECRET.kind,
        "metadata": { "name": machine_name(n), "namespace": NAMESPACE, "labels": labels() },
        "type": "cluster.x-k8s.io/secret",
        "stringData": { "value": text, "format": "cloud-config" },
    })
}

/// The n-th Machine, with bootstrap data.
pub fn capi_machine(n: usize) -> Value {
    let name = machine_name(n);
    let spec = json!({
        "clusterName": CLUSTER,
        "version": "v1.35.4",
        "bootstrap": { "dataSecretName": name },
        "infrastructureRef": reference(TINKERBELL_MACHINE, &name),
    });
    object(CAPI_MACHINE, &name, &spec)
}

/// The n-th TinkerbellMachine.
pub fn tinkerbell_machine(workload: &Workload, n: usize, machine_uid: &str) -> Value {
    let name = machine_name(n);
    let mut spec = json!({
        "hardwareAffinity": { "required": [{ "labelSelector": { "matchLabels": { "type": "worker" } } }] },
    });
    if let (true, Some(spec)) = (workload.ipam, spec.as_object_mut()) {
        spec.insert("ipamPoolRef".to_owned(), reference(IN_CLUSTER_POOL, POOL));
    }
    owned_by(object(TINKERBELL_MACHINE, &name, &spec), CAPI_MACHINE, &name, machine_uid)
}

fn labels() -> Value {
    json!({ "cluster.x-k8s.io/cluster-name": CLUSTER })
}

fn object(kind: Kind, name: &str, spec: &Value) -> Value {
    fixtures::object(kind, NAMESPACE, name, Some(CLUSTER), spec)
}
