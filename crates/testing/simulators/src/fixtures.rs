//! Manifests of servers, clusters and machines, for tests, measurements and the sandbox.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ipam::Family;
use crate::kinds::{
    CLUSTER, IN_CLUSTER_POOL, Kind, MACHINE, METAL3_POOL, NAMESPACE, SECRET, TINKERBELL_CLUSTER, TINKERBELL_MACHINE,
};

/// Label of everything that belongs to a Cluster.
const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";

/// An object in its kind's best version. With a `cluster` it carries the label of that.
pub fn object(kind: Kind, namespace: &str, name: &str, cluster: Option<&str>, spec: &Value) -> Value {
    let labels = cluster.map_or_else(|| json!({}), |cluster| json!({ CLUSTER_NAME: cluster }));
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": { "name": name, "namespace": namespace, "labels": labels },
        "spec": spec,
    })
}

/// A reference to an object of the same namespace, as Cluster API's contract wants it.
pub fn reference(kind: Kind, name: &str) -> Value {
    json!({ "apiGroup": kind.group, "kind": kind.kind, "name": name })
}

/// The object, controlled by an owner of the same namespace.
pub fn owned_by(mut object: Value, owner: Kind, name: &str, uid: &str) -> Value {
    let reference = json!({
        "apiVersion": owner.api_version(), "kind": owner.kind, "name": name, "uid": uid,
        "controller": true, "blockOwnerDeletion": true,
    });
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("ownerReferences".to_owned(), json!([reference]));
    }
    object
}

/// A Cluster whose TinkerbellCluster has the same name.
pub fn cluster(namespace: &str, name: &str) -> Value {
    let spec = json!({ "infrastructureRef": reference(TINKERBELL_CLUSTER, name) });
    object(CLUSTER, namespace, name, Some(name), &spec)
}

/// The TinkerbellCluster of the Cluster of the same name, with its endpoint at port 6443 of `host`.
pub fn tinkerbell_cluster(namespace: &str, name: &str, host: &str) -> Value {
    let spec = json!({ "controlPlaneEndpoint": { "host": host, "port": 6443 } });
    object(TINKERBELL_CLUSTER, namespace, name, Some(name), &spec)
}

/// The kind of a provider's pools that belong to a namespace.
pub const fn pool_kind(family: Family) -> Kind {
    match family {
        Family::InCluster => IN_CLUSTER_POOL,
        Family::Metal3 => METAL3_POOL,
    }
}

/// A namespace.
pub fn namespace(name: &str) -> Value {
    json!({ "apiVersion": NAMESPACE.api_version(), "kind": NAMESPACE.kind, "metadata": { "name": name } })
}

/// The spec of a pool of the addresses from `first` to `last`, with prefix 24.
pub fn pool_spec(family: Family, (first, last): (&str, &str), gateway: &str) -> Value {
    match family {
        Family::InCluster => {
            json!({ "addresses": [format!("{first}-{last}")], "prefix": 24, "gateway": gateway })
        }
        Family::Metal3 => json!({
            "namePrefix": "pool", "prefix": 24, "gateway": gateway, "pools": [{ "start": first, "end": last }],
        }),
    }
}

/// Name of the Secret with a machine's bootstrap data.
pub fn bootstrap_name(machine: &str) -> String {
    format!("{machine}-bootstrap")
}

/// The Secret with a machine's bootstrap data, in the words of a cloud-config.
pub fn bootstrap(namespace: &str, machine: &str) -> Value {
    json!({
        "apiVersion": SECRET.api_version(),
        "kind": SECRET.kind,
        "metadata": { "name": bootstrap_name(machine), "namespace": namespace },
        "stringData": { "value": format!("#cloud-config\n# join {machine} as PROVIDER_ID\n") },
    })
}

/// A Machine whose TinkerbellMachine has the same name, and whose bootstrap data is there.
pub fn machine(namespace: &str, name: &str, cluster: &str) -> Value {
    let spec = json!({
        "clusterName": cluster,
        "version": "v1.31.0",
        "bootstrap": { "dataSecretName": bootstrap_name(name) },
        "infrastructureRef": reference(TINKERBELL_MACHINE, name),
    });
    object(MACHINE, namespace, name, Some(cluster), &spec)
}

/// The TinkerbellMachine of the Machine of the same name, which has this UID.
pub fn tinkerbell_machine(namespace: &str, name: &str, cluster: &str, uid: &str, spec: &Value) -> Value {
    owned_by(object(TINKERBELL_MACHINE, namespace, name, Some(cluster), spec), MACHINE, name, uid)
}

/// A server as Tinkerbell knows it: one interface, one disk, ready to boot from the network, without an address.
///
/// `mac` is lower case with colons. With `bmc` the server has that BMC Machine, in the same namespace.
pub fn hardware(namespace: &str, name: &str, mac: &str, labels: &BTreeMap<String, String>, bmc: Option<&str>) -> Value {
    let mut hardware = json!({
        "apiVersion": "tinkerbell.org/v1alpha1",
        "kind": "Hardware",
        "metadata": { "name": name, "namespace": namespace, "labels": labels },
        "spec": {
            "disks": [{ "device": "/dev/sda" }],
            "interfaces": [{
                "dhcp": {
                    "mac": mac,
                    "hostname": name,
                    "arch": "x86_64",
                    "uefi": true,
                    "lease_time": 4_294_967_294_u32,
                    "name_servers": ["192.0.2.53"],
                },
                "netboot": { "allowPXE": false, "allowWorkflow": true },
            }],
            "metadata": {
                "facility": { "facility_code": "sandbox" },
                "instance": { "id": mac, "hostname": name },
            },
        },
    });
    if let (Some(bmc), Some(spec)) = (bmc, hardware.get_mut("spec").and_then(Value::as_object_mut)) {
        let reference = json!({ "apiGroup": "bmc.tinkerbell.org", "kind": "Machine", "name": bmc });
        spec.insert("bmcRef".to_owned(), reference);
    }
    hardware
}

/// The BMC Machine of a server. Its host and Secret are never contacted by the stand-ins.
pub fn bmc_machine(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "bmc.tinkerbell.org/v1alpha1",
        "kind": "Machine",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "connection": {
                "host": "192.0.2.1",
                "insecureTLS": true,
                "authSecretRef": { "name": format!("{name}-auth"), "namespace": namespace },
            },
        },
    })
}

/// The MAC of the n-th server: a locally administered one, in the spelling that Hardware wants.
pub fn mac(n: u32) -> String {
    let [a, b, c, d] = n.to_be_bytes();
    format!("02:17:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}
