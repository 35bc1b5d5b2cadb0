//! The BMC Jobs that a boot mode makes, before the agent runs and after.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use crate::engine::{Error, Key, Object, controller_reference, delete_labelled, kinds};

use super::netboot::missing;
use super::patch::StatusPatch;
use super::{Tink, render};

/// tink-controller marks its Jobs with this, as annotation and as label.
const AUTO_CREATED: &str = "tink-controller-auto-created";

/// How often a running Job is looked at that does not wake us, for it is not our own.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How far the Job of a boot mode is.
pub(super) enum Boot {
    /// There is no Job, or it is complete and noted.
    Done,
    /// One of the steps to a Job was done.
    Step(Note),
    /// The Job has just completed.
    Finished(Note),
    /// It runs; with a time where no event will tell of its end.
    Waits(Option<Duration>),
    /// There is nothing to do, and no end to it.
    Never,
    /// It ended badly, or cannot be made.
    Failed(Note),
}

/// What is to be told in the Workflow's status.
#[derive(Default)]
pub(super) struct Note {
    /// To be merged into `status.bootOptions.jobs`.
    jobs: Option<Value>,
    condition: Option<(&'static str, &'static str, String)>,
}

impl Note {
    fn condition(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { jobs: None, condition: Some((kind, reason, message.into())) }
    }

    fn job(mut self, name: &str, note: Value) -> Self {
        self.jobs = Some(json!({ name: note }));
        self
    }

    pub(super) fn on(self, mut patch: StatusPatch) -> StatusPatch {
        if let Some(jobs) = self.jobs {
            patch = patch.boot_option("jobs", jobs);
        }
        match self.condition {
            // Each of them says that something is so, also the failures: there is none with False.
            Some((kind, reason, message)) => patch.condition(kind, true, reason, &message),
            None => patch,
        }
    }
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
                    // Tinkerbell says so in its log only.
                    return Ok(Boot::Failed(Note::default()));
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
                    return Ok(Boot::Never);
                }
                match wanted {
                    Ok(wanted) => wanted,
                    Err(problem) => {
                        let note = Note::condition("BootJobSetupFailed", "Error", problem);
                        return Ok(Boot::Failed(note));
                    }
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
                Err(_) => return Ok(Boot::Failed(Note::default())),
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
        // Go leaves it out where it is false.
        match efi {
            true => json!({ "oneTimeBootDeviceAction": { "device": [device], "efiBoot": true } }),
            false => json!({ "oneTimeBootDeviceAction": { "device": [device] } }),
        }
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

    /// One pass of `job.go`. The first Job is always made twice: what stands in the status as a Job of that name is
    /// deleted, and only the next is waited for.
    async fn job(&self, workflow: &Object, wanted: Wanted) -> Result<Boot, Error> {
        let noted = workflow.status.pointer("/bootOptions/jobs").and_then(|jobs| jobs.get(&wanted.name));
        let says = |field: &str| noted.and_then(|job| job.get(field)).and_then(Value::as_bool) == Some(true);
        let uid = noted.and_then(|job| job.get("uid")).and_then(Value::as_str).unwrap_or_default();
        let boot = if noted.is_some() && !says("existingJobDeleted") {
            self.delete_existing(workflow, &wanted.name).await
        } else if uid.is_empty() {
            self.create_job(workflow, wanted).await
        } else if says("complete") {
            Ok(Boot::Done)
        } else {
            Ok(self.track(workflow, &wanted.name))
        };
        match boot {
            Err(error) if error.is_refusal() => Ok(Boot::Failed(Note::default())),
            boot => boot,
        }
    }

    /// Deletes the Tasks by a label that only has the Job's name, and the Job of this name, whoever made it.
    async fn delete_existing(&self, workflow: &Object, name: &str) -> Result<Boot, Error> {
        delete_labelled(&self.client, &kinds::BMC_TASK, workflow.namespace(), ("owner-name", name)).await?;
        if let Some(job) = self.jobs.get(&Key::new(workflow.namespace(), name)) {
            self.jobs.delete(&job).await?;
        }
        let note = json!({ "existingJobDeleted": true, "uid": null, "complete": null });
        Ok(Boot::Step(Note::default().job(name, note)))
    }

    /// Makes the Job, or takes one of that name for its own, whoever made it.
    async fn create_job(&self, workflow: &Object, wanted: Wanted) -> Result<Boot, Error> {
        let created = || Note::condition("BootJobSetupComplete", "Created", "job created");
        let failed = |problem: String| {
            Ok(Boot::Failed(Note::condition("BootJobSetupFailed", "Error", format!("error creating job: {problem}"))))
        };
        if let Some(job) = self.jobs.get(&Key::new(workflow.namespace(), &wanted.name)) {
            let note = created();
            let goes = job.is_terminating();
            return Ok(Boot::Step(if goes { note } else { note.job(&wanted.name, json!({ "uid": job.uid() })) }));
        }
        let Some(hardware) = self.hardware_of(workflow) else {
            return failed(format!("error getting hardware: {}", missing(workflow)));
        };
        let bmc = hardware.spec_text("/bmcRef/name");
        if bmc.is_empty() {
            return failed(format!("hardware \"{}\" does not have a BMC", hardware.name()));
        }
        let owner = controller_reference(workflow, self.workflows.resource()?);
        let body = json!({
            "metadata": {
                "name": wanted.name, "namespace": workflow.namespace(),
                "labels": { AUTO_CREATED: "true" }, "annotations": { AUTO_CREATED: "true" },
                // Not one that holds up the Workflow's deletion.
                "ownerReferences": [OwnerReference { block_owner_deletion: None, ..owner }],
            },
            "spec": {
                "machineRef": { "name": bmc, "namespace": workflow.namespace() },
                "tasks": wanted.actions,
            },
        });
        match self.jobs.create(body).await {
            Ok(_) => Ok(Boot::Step(created())),
            Err(error) if error.is_refusal() => failed(format!(
                "error creating job: error creating job.bmc.tinkerbell.org object for netbooting machine: {}",
                error.words()
            )),
            Err(error) => Err(error),
        }
    }

    /// Looks at the Job of this name; nobody compares its UID with the one that was noted.
    fn track(&self, workflow: &Object, name: &str) -> Boot {
        let Some(job) = self.jobs.get(&Key::new(workflow.namespace(), name)) else {
            let problem = format!("error getting job: jobs.bmc.tinkerbell.org \"{name}\" not found");
            return Boot::Failed(Note::condition("BootJobFailed", "Error", problem));
        };
        if job.has_condition("Failed") {
            return Boot::Failed(Note::condition("BootJobFailed", "Error", "job failed"));
        }
        if job.has_condition("Completed") {
            let note = Note::condition("BootJobComplete", "Complete", "job completed");
            return Boot::Finished(note.job(name, json!({ "complete": true })));
        }
        let wakes_us = workflow_of(&job).is_some_and(|owner| owner == workflow.key());
        Boot::Waits((!wakes_us).then_some(LOOK_AGAIN))
    }
}

fn media(url: &str) -> Value {
    json!({ "virtualMediaAction": { "kind": "CD", "mediaURL": url } })
}
