//! The objects that persons and Cluster API make.

use capt_simulators::fixtures;
use capt_simulators::ipam::Family;
use serde_json::{Value, json};

use crate::plan::{Boot, MachinePlan, ServerPlan, World};

/// Name of the Cluster, its TinkerbellCluster and the pool of a namespace.
pub(super) const CLUSTER: &str = "c";

/// First three numbers of the addresses of a namespace's pool.
pub(super) fn net(namespace: &str) -> &'static str {
    if namespace.ends_with('a') { "10.1.1" } else { "10.2.2" }
}

/// What a namespace with machines has before they come.
pub(super) fn tenant(world: &World, namespace: &str) -> Vec<Value> {
    let net = net(namespace);
    let last = 99 + u32::from(world.addresses);
    let metadata =
        json!({"namespace": namespace, "name": CLUSTER, "labels": {"cluster.x-k8s.io/cluster-name": CLUSTER}});
    let pool = match world.family {
        Family::Metal3 => json!({"apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": metadata,
            "spec": {"namePrefix": "pool", "prefix": 24, "gateway": format!("{net}.1"),
                "pools": [{"start": format!("{net}.100"), "end": format!("{net}.{last}")}]}}),
        Family::InCluster => json!({"apiVersion": "ipam.cluster.x-k8s.io/v1alpha2", "kind": "InClusterIPPool",
            "metadata": metadata,
            "spec": {"addresses": [format!("{net}.100-{net}.{last}")], "prefix": 24, "gateway": format!("{net}.1")}}),
    };
    vec![
        json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": metadata,
            "spec": {"infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellCluster",
                "name": CLUSTER}}}),
        json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellCluster",
            "metadata": metadata, "spec": {"controlPlaneEndpoint": {"host": format!("{net}.50"), "port": 6443}}}),
        pool,
    ]
}

pub(super) fn bmc(server: &ServerPlan) -> Value {
    fixtures::bmc_machine(server.namespace, &bmc_name(server))
}

pub(super) fn bmc_name(server: &ServerPlan) -> String {
    format!("bmc-{}", server.name)
}

pub(super) fn hardware(server: &ServerPlan) -> Value {
    let bmc = server.bmc.then(|| bmc_name(server));
    let labels = [("type".to_owned(), "worker".to_owned())].into();
    let mac = fixtures::mac(u32::from(server.number));
    let mut hardware = fixtures::hardware(server.namespace, &server.name, &mac, &labels, bmc.as_deref());
    if let Some(dhcp) = hardware.pointer_mut("/spec/interfaces/0/dhcp").filter(|_| server.manual)
        && let Some(dhcp) = dhcp.as_object_mut()
    {
        let address = format!("192.168.7.{}", 10 + server.number);
        dhcp.insert("ip".to_owned(), json!({"address": address, "netmask": "255.255.255.0"}));
    }
    hardware
}

pub(super) fn secret(machine: &MachinePlan) -> Value {
    let data = format!("#cloud-config\n# join {} as PROVIDER_ID\n", machine.name);
    json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"namespace": machine.namespace, "name": secret_name(machine)}, "stringData": {"value": data}})
}

pub(super) fn secret_name(machine: &MachinePlan) -> String {
    format!("{}-bootstrap", machine.name)
}

pub(super) fn owner(machine: &MachinePlan) -> Value {
    json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine",
        "metadata": {"namespace": machine.namespace, "name": machine.name,
            "labels": {"cluster.x-k8s.io/cluster-name": CLUSTER}},
        "spec": {"clusterName": CLUSTER, "version": "v1.31.0",
            "bootstrap": {"dataSecretName": secret_name(machine)},
            "infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellMachine",
                "name": machine.name}}})
}

pub(super) fn machine(world: &World, machine: &MachinePlan, owner: &str) -> Value {
    let pool = match world.family {
        Family::Metal3 => json!({"apiGroup": "ipam.metal3.io", "kind": "IPPool", "name": CLUSTER}),
        Family::InCluster => json!({"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": CLUSTER}),
    };
    let mut spec = serde_json::Map::new();
    if machine.pool {
        spec.insert("ipamPoolRef".to_owned(), pool);
    }
    if let Some(boot) = boot(machine.boot) {
        spec.insert("bootOptions".to_owned(), boot);
    }
    json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "TinkerbellMachine",
        "metadata": {"namespace": machine.namespace, "name": machine.name,
            "labels": {"cluster.x-k8s.io/cluster-name": CLUSTER},
            "ownerReferences": [{"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "name": machine.name,
                "controller": true, "blockOwnerDeletion": true, "uid": owner}]},
        "spec": spec})
}

fn boot(boot: Boot) -> Option<Value> {
    match boot {
        Boot::Button => None,
        Boot::Netboot => Some(json!({"bootMode": "netboot"})),
        Boot::Iso => Some(json!({"bootMode": "isoboot", "isoURL": "http://192.0.2.2:7171/iso/hook.iso"})),
        Boot::Custom => Some(json!({"bootMode": "customboot", "custombootConfig": {
            "preparingActions": [{"powerAction": "off"}, {"bootDevice": {"device": "pxe", "efiBoot": true}},
                {"powerAction": "on"}],
            "postActions": [{"powerAction": "cycle"}]}})),
    }
}
