//! `allowPXE` on every interface of a Hardware, as tink-controller writes it: the whole object, by PUT.

use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::{Error, Object};

use super::{Tink, hardware_key};

/// tink-controller gives up, and fails the Workflow, after this many lost races.
const TRIES: u32 = 4;
/// Time to the second try; grows with each.
const RETRY: Duration = Duration::from_millis(50);

/// Why `allowPXE` is not as it should be.
pub(super) enum Refused {
    /// There is no such Hardware.
    NoHardware(String),
    /// The Hardware could not be written.
    Write(String),
}

impl Tink {
    /// Sets `allowPXE`; the inner error is the Workflow's failure. Any refusal is one, a lost race only the fourth time.
    pub(super) async fn allow_pxe(&self, workflow: &Object, allow: bool) -> Result<Result<(), Refused>, Error> {
        let key = hardware_key(workflow);
        let Some(mut hardware) = self.hardware.get(&key) else {
            return Ok(Err(Refused::NoHardware(format!("error getting hardware: {}", missing(workflow)))));
        };
        let refused =
            |problem: String| Ok(Err(Refused::Write(format!("error setting allowPXE to {allow}: {problem}"))));
        for attempt in 1..=TRIES {
            let mut changed = Object::clone(&hardware);
            written_by_go(&mut changed.spec, allow);
            match self.hardware.replace(&changed).await {
                Ok(_) => return Ok(Ok(())),
                Err(error) if error.is_conflict() && attempt < TRIES => tokio::time::sleep(RETRY * attempt).await,
                Err(error) if error.is_conflict() => {
                    return refused(format!("error updating allow pxe after {TRIES} retries: {}", error.words()));
                }
                Err(error) if error.is_refusal() => {
                    return refused(format!("error updating allow pxe: {}", error.words()));
                }
                Err(error) => return Err(error),
            }
            hardware = match self.hardware.read(&key).await {
                Ok(hardware) => hardware,
                Err(error) if error.is_refusal() => return refused(missing(workflow)),
                Err(error) => return Err(error),
            };
        }
        Ok(Ok(()))
    }
}

/// What tink-controller says about a Hardware that is not there.
pub(super) fn missing(workflow: &Object) -> String {
    let (name, namespace) = (workflow.spec_text("/hardwareRef"), workflow.namespace());
    format!(
        "hardware not found: name={name}; namespace={namespace}, error: hardware.tinkerbell.org \"{name}\" not found"
    )
}

/// The spec as Tinkerbell writes it: `auto` is a struct there, so it is never left out, and the write changes the object
/// although `allowPXE` may be right already.
fn written_by_go(spec: &mut Value, allow: bool) {
    if let Some(spec) = spec.as_object_mut() {
        spec.entry("auto").or_insert_with(|| json!({}));
    }
    let interfaces = spec.get_mut("interfaces").and_then(Value::as_array_mut);
    for interface in interfaces.into_iter().flatten().filter_map(Value::as_object_mut) {
        let netboot = interface.entry("netboot").or_insert_with(|| json!({}));
        if let Some(netboot) = netboot.as_object_mut() {
            netboot.insert("allowPXE".to_owned(), allow.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_is_set_and_nothing_else_but_auto_is_touched() {
        let mut spec = json!({
            "interfaces": [{"dhcp": {"mac": "a", "new": 1}}, {"netboot": {"allowPXE": true, "x": 2}}], "other": 3,
        });
        written_by_go(&mut spec, false);
        let expected = json!({
            "auto": {},
            "interfaces": [
                {"dhcp": {"mac": "a", "new": 1}, "netboot": {"allowPXE": false}},
                {"netboot": {"allowPXE": false, "x": 2}},
            ],
            "other": 3,
        });
        assert_eq!(spec, expected);
        let mut set = json!({ "auto": { "enrollmentEnabled": true } });
        written_by_go(&mut set, true);
        assert_eq!(set, json!({ "auto": { "enrollmentEnabled": true } }));
    }
}
