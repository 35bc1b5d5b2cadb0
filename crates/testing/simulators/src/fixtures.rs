//! Manifests of servers, for tests and the sandbox.

use std::collections::BTreeMap;

use serde_json::{Value, json};

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
