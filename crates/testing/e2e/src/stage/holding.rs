//! Who may be switched on: a server that a machine holds. What the observer does not see, for it asks who carries an
//! address, and a server that was released carries none.

use std::collections::{BTreeMap, BTreeSet};

use capt_invariants::Key;
use serde_json::Value;

use super::objects::text;

const OWNER_NAME: &str = "v1alpha1.tinkerbell.org~1ownerName";
/// What capt-manager has on Hardware that it may have to switch off.
const FINALIZER: &str = "infrastructure.cluster.x-k8s.io/tinkerbellmachine";

/// Which servers are held, and which are on.
#[derive(Default)]
pub(super) struct Holding {
    /// The BMC of each Hardware that is held.
    held: BTreeMap<Key, Key>,
    on: BTreeSet<Key>,
    broken: Vec<String>,
}

impl Holding {
    /// Sees a write to Hardware. Only capt-manager releases; what others take off is not its doing.
    pub(super) fn see(&mut self, hardware: &Key, new: Option<&Value>, by_manager: bool) {
        let bmc = new.filter(|new| is_held(new)).and_then(bmc_of);
        let before = match bmc {
            Some(bmc) => self.held.insert(hardware.clone(), bmc),
            None => self.held.remove(hardware),
        };
        let released = before.filter(|bmc| by_manager && !self.held.values().any(|held| held == bmc));
        if let Some(bmc) = released.filter(|bmc| self.on.contains(bmc)) {
            self.broken.push(format!("Hardware {hardware} was released while its server ({bmc}) was on"));
        }
    }

    /// Sees a server being switched.
    pub(super) fn switched(&mut self, bmc: &Key, on: bool) {
        if !on {
            self.on.remove(bmc);
            return;
        }
        self.on.insert(bmc.clone());
        if !self.held.values().any(|held| held == bmc) {
            self.broken.push(format!("the server of BMC Machine {bmc} was switched on, and no machine holds it"));
        }
    }

    /// What was wrong so far.
    pub(super) fn broken(&self) -> &[String] {
        &self.broken
    }
}

fn is_held(hardware: &Value) -> bool {
    let finalizers = hardware.pointer("/metadata/finalizers").and_then(Value::as_array);
    let is_ours = finalizers.into_iter().flatten().any(|finalizer| finalizer == FINALIZER);
    is_ours || !text(hardware, &format!("/metadata/labels/{OWNER_NAME}")).is_empty()
}

fn bmc_of(hardware: &Value) -> Option<Key> {
    let bmc = text(hardware, "/spec/bmcRef/name");
    (!bmc.is_empty()).then(|| Key::new(text(hardware, "/metadata/namespace"), bmc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hardware(finalizers: &[&str]) -> Value {
        json!({
            "metadata": { "name": "h", "namespace": "n", "finalizers": finalizers },
            "spec": { "bmcRef": { "name": "b" } },
        })
    }

    #[test]
    fn a_server_that_runs_after_its_release_is_found_however_it_came_to_run() {
        let (key, bmc) = (Key::new("n", "h"), Key::new("n", "b"));
        let mut holding = Holding::default();
        holding.see(&key, Some(&hardware(&[FINALIZER])), true);
        holding.switched(&bmc, true);
        holding.switched(&bmc, false);
        holding.see(&key, Some(&hardware(&[])), true);
        assert!(holding.broken().is_empty(), "{:?}", holding.broken());
        holding.switched(&bmc, true);
        assert_eq!(holding.broken().len(), 1, "switched on by a late Job");
        holding.see(&key, Some(&hardware(&[FINALIZER])), true);
        holding.see(&key, Some(&hardware(&[])), false);
        assert_eq!(holding.broken().len(), 1, "a person took our finalizer off");
        holding.see(&key, Some(&hardware(&[FINALIZER])), true);
        holding.see(&key, None, true);
        assert_eq!(holding.broken().len(), 2, "released while on");
    }
}
