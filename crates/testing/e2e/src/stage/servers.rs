//! Servers for machines to run on.

use std::collections::BTreeMap;
use std::ops::Range;

use capt_simulators::fixtures;

use super::objects::{NAMESPACE, Objects};
use capt_simulators::kinds::{BMC_MACHINE, HARDWARE};

use serde_json::{Value, json};

/// Makes servers with BMCs, `server-000` and so on, with a label `type`.
///
/// # Errors
/// When the server refuses one.
pub async fn make(objects: &Objects, kind: &str, numbers: Range<u32>) -> anyhow::Result<()> {
    make_all(objects, kind, numbers, false).await
}

/// The same with addresses that a person wrote.
///
/// # Errors
/// When the server refuses one.
pub async fn make_with_addresses(objects: &Objects, kind: &str, numbers: Range<u32>) -> anyhow::Result<()> {
    make_all(objects, kind, numbers, true).await
}

async fn make_all(objects: &Objects, kind: &str, numbers: Range<u32>, with_addresses: bool) -> anyhow::Result<()> {
    for n in numbers {
        let name = format!("server-{n:03}");
        let (bmc, hardware) = manifests(NAMESPACE, n, &name, kind, with_addresses);
        objects.create(BMC_MACHINE, &bmc).await?;
        objects.create(HARDWARE, &hardware).await?;
    }
    Ok(())
}

/// Makes one server with a BMC of the same name and a label `type`; returns its Hardware's manifest. Every server of a
/// stage has a number of its own, which gives it MAC and address.
///
/// # Errors
/// When the server refuses one of the objects.
pub async fn one(
    objects: &Objects,
    namespace: &str,
    number: u32,
    name: &str,
    kind: &str,
    with_address: bool,
) -> anyhow::Result<Value> {
    let (bmc, hardware) = manifests(namespace, number, name, kind, with_address);
    let objects = objects.of(namespace);
    objects.create(BMC_MACHINE, &bmc).await?;
    objects.create(HARDWARE, &hardware).await?;
    Ok(hardware)
}

/// BMC Machine and Hardware of a server.
fn manifests(namespace: &str, n: u32, name: &str, kind: &str, with_address: bool) -> (Value, Value) {
    let labels = BTreeMap::from([("type".to_owned(), kind.to_owned())]);
    let bmc = fixtures::bmc_machine(namespace, name);
    let mut hardware = fixtures::hardware(namespace, name, &fixtures::mac(n), &labels, Some(name));
    let dhcp = hardware.pointer_mut("/spec/interfaces/0/dhcp").and_then(|dhcp| dhcp.as_object_mut());
    if let (Some(dhcp), true) = (dhcp, with_address) {
        let address = format!("10.9.{}.{}", n / 250, n % 250 + 1);
        let ip = json!({ "address": address, "netmask": "255.255.0.0", "gateway": "10.9.255.1" });
        dhcp.insert("ip".to_owned(), ip);
    }
    (bmc, hardware)
}
