//! Rule 4: once provisioned, the address of a Hardware never changes by the manager's hand, but for what somebody wiped
//! being put back exactly as it was, and for the release.

use std::collections::BTreeSet;

use super::super::world::World;
use super::super::{HardwareWrite, Report, Rule};

/// A Hardware is written.
pub(in super::super) fn check(world: &World, write: &HardwareWrite<'_>, report: &mut Report<'_>) {
    let (Some(before), Some(after), true) = (write.before, write.after, write.by_manager) else {
        return;
    };
    // Labels may have been stripped before; the finalizer goes with the release alone.
    let was_held = before.owner.is_some() || before.has_finalizer;
    let is_release = was_held && after.owner.is_none() && !after.has_finalizer;
    if !before.provisioned || is_release {
        return;
    }
    let written = world.written.get(write.key);
    let macs: BTreeSet<&String> = before.ips.keys().chain(after.ips.keys()).collect();
    for mac in macs {
        let (old, new) = (before.ips.get(mac), after.ips.get(mac));
        let put_back = old.is_none() && new == written.and_then(|written| written.get(mac)).map(|written| &written.ip);
        if old != new && !put_back {
            let show = |ip: Option<&serde_json::Value>| ip.map_or("nothing".to_owned(), ToString::to_string);
            let what = format!("{mac} of Hardware {} goes from {} to {}", write.key, show(old), show(new));
            report.add(Rule::ProvisionedAddress, what);
        }
    }
}
