//! The BMC Jobs that a boot mode makes, before the agent runs and after.

use serde_json::{Value, json};

use crate::engine::{Error, Key, Object, controller_reference};

use super::{Tink, render};

/// tink-controller marks its Jobs with this, as annotation and as label.
const AUTO_CREATED: &str = "tink-controller-auto-created";

/// How far the Job of a boot mode is.
pub(super) enum Boot {
    /// There is no Job, or it is complete and noted.
    Done,
    /// It has just completed; the value is to be merged into `status.bootOptions.jobs`.
    Finished(Value),
    /// It runs.
    Waits,
    /// It ended badly, or cannot be made.
    Failed(String),
}

/// A Job that a Workflow needs.
struct Wanted {
    name: String,
    actions: Vec<Value>,
}

/// The Workflow that a Job was made for.
pub(super) fn workflow_of(job: &Object) -> Option<Key> {
    let owner = job.controller().filter(|owner| owner.kind == "Workflow")?;
    Some(Key::new(job.namespace(), &owner.name))
}

impl Tink {
    /// The Job of PREPARING.
    pub(super) async fn boot_before(&self, workflow: &Object) -> Result<Boot, Error> {
        let off = json!({ "powerAction": "off" });
        let on = json!({ "powerAction": "on" });
        let name = workflow.name();
        let wanted = match workflow.spec_text("/bootOptions/bootMode") {
            "netboot" => {
                Wanted { name: format!("netboot-{name}"), actions: vec![off, self.boot_once(workflow, "pxe"), on] }
            }
            "isoboot" | "iso" => {
                let iso = workflow.spec_text("/bootOptions/isoURL");
                if iso.is_empty() {
                    return Ok(Boot::Failed("boot mode iso needs an isoURL".to_owned()));
                }
                Wanted {
                    name: format!("iso-mount-{name}"),
                    actions: vec![off, media(""), media(iso), self.boot_once(workflow, "cdrom"), on],
                }
            }
            "customboot" => {
                let wanted = self.custom(workflow, "preparing");
                // As in Tinkerbell: without preparing actions it never leaves PREPARING.
                if wanted.as_ref().is_ok_and(|wanted| wanted.actions.is_empty()) {
                    return Ok(Boot::Waits);
                }
                match wanted {
                    Ok(wanted) => wanted,
                    Err(problem) => return Ok(Boot::Failed(problem)),
                }
            }
            _ => return Ok(Boot::Done),
        };
        self.job(workflow, wanted).await
    }

    /// The Job of POST.
    pub(super) async fn boot_after(&self, workflow: &Object) -> Result<Boot, Error> {
        let wanted = match workflow.spec_text("/bootOptions/bootMode") {
            "isoboot" | "iso" => Wanted { name: format!("iso-eject-{}", workflow.name()), actions: vec![media("")] },
            "customboot" => match self.custom(workflow, "post") {
                Ok(wanted) if wanted.actions.is_empty() => return Ok(Boot::Done),
                Ok(wanted) => wanted,
                Err(problem) => return Ok(Boot::Failed(problem)),
            },
            _ => return Ok(Boot::Done),
        };
        self.job(workflow, wanted).await
    }

    fn boot_once(&self, workflow: &Object, device: &str) -> Value {
        let hardware = self.hardware_of(workflow);
        let interfaces = hardware.as_ref().and_then(|hardware| hardware.spec.get("interfaces")?.as_array());
        let efi = interfaces.into_iter().flatten().any(|interface| {
            let uefi = interface.pointer("/dhcp/uefi");
            uefi.and_then(Value::as_bool) == Some(true)
        });
        json!({ "oneTimeBootDeviceAction": { "device": [device], "efiBoot": efi } })
    }

    fn custom(&self, workflow: &Object, when: &str) -> Result<Wanted, String> {
        let actions =
            workflow.spec.pointer(&format!("/bootOptions/custombootConfig/{when}Actions")).and_then(Value::as_array);
        let mut actions = actions.cloned().unwrap_or_default();
        for url in actions.iter_mut().filter_map(|action| action.pointer_mut("/virtualMediaAction/mediaURL")) {
            let hardware = self.hardware_of(workflow).ok_or("hardware not found")?;
            *url = render::media_url(url.as_str().unwrap_or_default(), &hardware)?.into();
        }
        Ok(Wanted { name: format!("customboot-{when}-{}", workflow.name()), actions })
    }

    async fn job(&self, workflow: &Object, wanted: Wanted) -> Result<Boot, Error> {
        let noted = workflow.status.pointer("/bootOptions/jobs").and_then(|jobs| jobs.get(&wanted.name));
        if noted.and_then(|job| job.get("complete")).and_then(Value::as_bool) == Some(true) {
            return Ok(Boot::Done);
        }
        let key = Key::new(workflow.namespace(), &wanted.name);
        let Some(job) = self.jobs.get(&key) else {
            return self.create_job(workflow, wanted).await;
        };
        if !job.is_owned_by(workflow.uid()) {
            return Err(Error::Other(format!("job {key} is another workflow's, waiting for its end")));
        }
        if job.has_condition("Failed") {
            return Ok(Boot::Failed(format!("job {key} failed")));
        }
        if job.has_condition("Completed") {
            let note = json!({ "existingJobDeleted": true, "uid": job.uid(), "complete": true });
            return Ok(Boot::Finished(json!({ wanted.name: note })));
        }
        Ok(Boot::Waits)
    }

    async fn create_job(&self, workflow: &Object, wanted: Wanted) -> Result<Boot, Error> {
        let Some(hardware) = self.hardware_of(workflow) else {
            return Ok(Boot::Failed("hardware not found".to_owned()));
        };
        let bmc = hardware.spec_text("/bmcRef/name");
        if bmc.is_empty() {
            return Ok(Boot::Failed(format!("hardware {} has no bmcRef", hardware.key())));
        }
        let body = json!({
            "metadata": {
                "name": wanted.name, "namespace": workflow.namespace(),
                "labels": { AUTO_CREATED: "true" }, "annotations": { AUTO_CREATED: "true" },
                "ownerReferences": [controller_reference(workflow, self.workflows.resource()?)],
            },
            "spec": {
                "machineRef": { "name": bmc, "namespace": workflow.namespace() },
                "tasks": wanted.actions,
            },
        });
        self.jobs.create(body).await?;
        Ok(Boot::Waits)
    }
}

fn media(url: &str) -> Value {
    json!({ "virtualMediaAction": { "kind": "CD", "mediaURL": url } })
}
