//! The life of a Workflow: "" → PREPARING → PENDING → RUNNING → POST → SUCCESS.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile, Store};

use super::boot_job::Boot;
use super::document::Document;
use super::netboot::Refused;
use super::patch::StatusPatch;
use super::{Tink, WorkflowFault, hardware_key, render};

/// What a stage came to.
pub(super) enum Stage {
    /// One write to the Workflow's status.
    Write(StatusPatch),
    /// Nothing, until an event.
    Wait,
    /// Nothing; another look after this time.
    Again(Duration),
}

impl Reconcile for Tink {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(workflow) = self.workflows.get(key) else {
            return Ok(Next::Wait);
        };
        if workflow.is_terminating() {
            return Ok(Next::Wait);
        }
        let due = self.remember(&workflow, |memory| memory.due);
        if let Some(left) = due.map(|due| due.saturating_duration_since(tokio::time::Instant::now()))
            && !left.is_zero()
        {
            return Ok(Next::After(left));
        }
        let stage = match workflow.status_text("/state") {
            "" | "STATE_PENDING" => self.begin(&workflow).await?,
            "PREPARING" => self.prepare(&workflow).await?,
            "PENDING" | "RUNNING" => self.run_agent(&workflow),
            "POST" => self.finish(&workflow).await?,
            "SUCCESS" => self.after_success(&workflow),
            _ => Stage::Wait,
        };
        let patch = match stage {
            Stage::Write(patch) => patch,
            Stage::Wait => return Ok(Next::Wait),
            Stage::Again(after) => return Ok(Next::After(after)),
        };
        let due = tokio::time::Instant::now() + self.options.step;
        self.remember(&workflow, |memory| memory.due = Some(due));
        self.workflows.patch_status(key, &patch.into_json()).await?;
        Ok(Next::After(self.options.step))
    }
}

impl Tink {
    pub(super) fn patch(&self, workflow: &Object) -> StatusPatch {
        StatusPatch::of(workflow, self.clock.timestamp())
    }

    /// Renders the template, once.
    async fn begin(&self, workflow: &Object) -> Result<Stage, Error> {
        let document = match self.render(workflow).await {
            Ok(document) => document,
            Err(message) => {
                let told = workflow.condition("TemplateRenderedSuccess").and_then(|known| known.get("message"));
                if told.and_then(Value::as_str) != Some(message.as_str()) {
                    let patch = self.patch(workflow).set("templateRendering", "failed").condition(
                        "TemplateRenderedSuccess",
                        false,
                        "Error",
                        &message,
                    );
                    self.workflows.patch_status(&workflow.key(), &patch.into_json()).await?;
                }
                // The queue tries again, less and less often.
                return Err(Error::Other(message));
            }
        };
        let agent = document.tasks.first().map(|task| task.worker.clone()).unwrap_or_default();
        if flag(workflow, "/disabled") {
            return Ok(match workflow.status_text("/agentID") {
                known if known == agent => Stage::Wait,
                _ => Stage::Write(self.patch(workflow).set("agentID", agent)),
            });
        }
        let prepares = toggles_netboot(workflow) || !workflow.spec_text("/bootOptions/bootMode").is_empty();
        let patch = self
            .patch(workflow)
            .set("state", if prepares { "PREPARING" } else { "PENDING" })
            .set("agentID", agent)
            .set("templateRendering", "successful")
            .set("globalTimeout", document.global_timeout)
            .set("tasks", render::tasks(&document, workflow.uid()))
            .condition("TemplateRenderedSuccess", true, "Complete", "template rendered successfully");
        Ok(Stage::Write(patch))
    }

    /// Renders the Workflow's Template with its Hardware, if it names one.
    async fn render(&self, workflow: &Object) -> Result<Document, String> {
        if self.strikes(workflow, WorkflowFault::RenderFails) {
            return Err("error rendering template: fault on demand".to_owned());
        }
        let template = Key::new(workflow.namespace(), workflow.spec_text("/templateRef"));
        let template = self.look(&self.templates, &template).await.map_err(|error| error.words())?;
        let template = template.ok_or("template not found")?;
        let hardware = hardware_key(workflow);
        let hardware = match hardware.name.as_str() {
            "" => None,
            name => {
                let found = self.look(&self.hardware, &hardware).await;
                let found = found.map_err(|error| format!("error getting hardware: {}", error.words()))?;
                let missing = || format!("hardware not found: hardware.tinkerbell.org \"{name}\" not found");
                Some(found.ok_or_else(missing)?)
            }
        };
        render::document(workflow, &template, hardware.as_deref())
            .map_err(|problem| format!("error rendering template: {problem}"))
    }

    /// The object as the server holds it now: the watches may not have heard of a Template or an address written just
    /// before the Workflow. With [`Options::cached`](super::Options::cached), what they have told is all there is.
    async fn look(&self, store: &Store, key: &Key) -> Result<Option<Arc<Object>>, Error> {
        if self.options.cached {
            return Ok(store.get(key));
        }
        match store.read(key).await {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Lets the server boot from the network, and has its BMC boot it where a boot mode says so. Both are told in one
    /// write (`pre.go`).
    async fn prepare(&self, workflow: &Object) -> Result<Stage, Error> {
        if self.strikes(workflow, WorkflowFault::PreparingFails) {
            let patch = self.patch(workflow).condition("BootJobFailed", true, "Error", "fault on demand");
            return Ok(failed(patch));
        }
        if !self.options.stall.is_zero() {
            tokio::time::sleep(self.options.stall).await;
        }
        let patch = match self.toggle(workflow, true).await? {
            Ok(patch) => patch,
            Err(patch) => return Ok(failed(patch)),
        };
        let boot = self.boot_before(workflow).await?;
        Ok(after_boot(patch, boot, "PENDING"))
    }

    /// Undoes what [`Self::prepare`] did (`post.go`).
    async fn finish(&self, workflow: &Object) -> Result<Stage, Error> {
        self.delete_hardware_on_demand(workflow).await?;
        let patch = match self.toggle(workflow, false).await? {
            Ok(patch) => patch,
            Err(patch) => return Ok(failed(patch)),
        };
        let state = match workflow.status_text("/currentState/state") {
            "" => "SUCCESS",
            state => state,
        };
        let boot = self.boot_after(workflow).await?;
        Ok(after_boot(patch, boot, state))
    }

    /// Switches `allowPXE` where it is asked for and not noted yet; the inner error ends the Workflow (`hardware.go`).
    async fn toggle(&self, workflow: &Object, allow: bool) -> Result<Result<StatusPatch, StatusPatch>, Error> {
        let patch = self.patch(workflow);
        let (noted, condition) =
            if allow { ("toggledTrue", "AllowNetbootTrue") } else { ("toggledFalse", "AllowNetbootFalse") };
        if !toggles_netboot(workflow) || flag_in(&workflow.status, &format!("/bootOptions/allowNetboot/{noted}")) {
            return Ok(Ok(patch));
        }
        Ok(match self.allow_pxe(workflow, allow).await? {
            Ok(()) => Ok(patch.boot_option("allowNetboot", json!({ noted: true })).condition(
                condition,
                true,
                "Complete",
                &format!("set allowPXE to {allow}"),
            )),
            // Without its Hardware the condition is the one of PREPARING, in POST too.
            Err(Refused::NoHardware(problem)) => Err(patch.condition("AllowNetbootTrue", false, "Error", &problem)),
            Err(Refused::Write(problem)) => Err(patch.condition(condition, false, "Error", &problem)),
        })
    }

    /// An agent that did not hear the answer reports its last success again.
    fn after_success(&self, workflow: &Object) -> Stage {
        let reported = self.remember(workflow, |memory| memory.reported_late);
        if reported || !self.strikes(workflow, WorkflowFault::LateSuccess) {
            return Stage::Wait;
        }
        self.remember(workflow, |memory| memory.reported_late = true);
        Stage::Write(self.patch(workflow).set("state", "POST"))
    }

    async fn delete_hardware_on_demand(&self, workflow: &Object) -> Result<(), Error> {
        let deleted = self.remember(workflow, |memory| memory.hardware_deleted);
        if deleted || !self.strikes(workflow, WorkflowFault::HardwareDeletedInPost) {
            return Ok(());
        }
        if let Some(hardware) = self.hardware_of(workflow) {
            self.hardware.delete(&hardware).await?;
        }
        self.remember(workflow, |memory| memory.hardware_deleted = true);
        Ok(())
    }
}

fn failed(patch: StatusPatch) -> Stage {
    Stage::Write(patch.set("state", "FAILED"))
}

/// The write after a look at the Job of a boot mode; `state` is the Workflow's when that is done.
fn after_boot(patch: StatusPatch, boot: Boot, state: &str) -> Stage {
    match boot {
        Boot::Done => Stage::Write(patch.set("state", state)),
        Boot::Step(note) => Stage::Write(note.on(patch)),
        Boot::Finished(note) => Stage::Write(note.on(patch).set("state", state)),
        Boot::Failed(note) => failed(note.on(patch)),
        Boot::Waits(_) | Boot::Never if !patch.is_empty() => Stage::Write(patch),
        Boot::Waits(Some(again)) => Stage::Again(again),
        Boot::Waits(None) | Boot::Never => Stage::Wait,
    }
}

pub(super) fn toggles_netboot(workflow: &Object) -> bool {
    flag(workflow, "/bootOptions/toggleAllowNetboot")
}

fn flag(workflow: &Object, pointer: &str) -> bool {
    flag_in(&workflow.spec, pointer)
}

fn flag_in(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(true)
}
