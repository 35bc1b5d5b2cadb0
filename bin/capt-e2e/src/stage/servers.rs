//! Servers for machines to run on.

use std::collections::BTreeMap;
use std::ops::Range;

use capt_neighbours::fixtures;

use super::kinds::{BMC, HARDWARE};
use super::objects::{NAMESPACE, Objects};

use serde_json::json;

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
    let labels = BTreeMap::from([("type".to_owned(), kind.to_owned())]);
    for n in numbers {
        let name = format!("server-{n:03}");
        objects.create(BMC, &fixtures::bmc_machine(NAMESPACE, &name)).await?;
        let mut hardware = fixtures::hardware(NAMESPACE, &name, &fixtures::mac(n), &labels, Some(&name));
        let dhcp = hardware.pointer_mut("/spec/interfaces/0/dhcp").and_then(|dhcp| dhcp.as_object_mut());
        if let (Some(dhcp), true) = (dhcp, with_addresses) {
            let address = format!("10.9.{}.{}", n / 250, n % 250 + 1);
            dhcp.insert(
                "ip".to_owned(),
                json!({ "address": address, "netmask": "255.255.0.0", "gateway": "10.9.255.1" }),
            );
        }
        objects.create(HARDWARE, &hardware).await?;
    }
    Ok(())
}
