//! Servers for machines to run on.

use std::collections::BTreeMap;

use capt_neighbours::fixtures;

use super::kinds::{BMC, HARDWARE};
use super::objects::Objects;

/// Makes `count` servers with BMCs, `server-000` and so on, with a label `type`.
///
/// # Errors
/// When the server refuses one.
pub async fn make(objects: &Objects, kind: &str, count: u32) -> anyhow::Result<()> {
    let labels = BTreeMap::from([("type".to_owned(), kind.to_owned())]);
    for n in 0..count {
        let name = format!("server-{n:03}");
        objects.create(BMC, &fixtures::bmc_machine(super::objects::NAMESPACE, &name)).await?;
        let hardware = fixtures::hardware(super::objects::NAMESPACE, &name, &fixtures::mac(n), &labels, Some(&name));
        objects.create(HARDWARE, &hardware).await?;
    }
    Ok(())
}
