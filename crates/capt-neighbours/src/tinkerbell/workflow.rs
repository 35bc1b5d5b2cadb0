//! The life of a Workflow: "" → PREPARING → PENDING → RUNNING → POST → SUCCESS.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::{Error, Key, Next, Object, Reconcile, Store};

use super::boot_job::Boot;
use super::document::Document;
use super::patch::StatusPatch;
use super::{Tink, WorkflowFault, hardware_key, render};

/// What a stage came to.
pub(super) enum Stage {
    /// One write to the Workflow's status.
    Write(StatusPatch),
    /// Nothing, until an event.
    Wait,
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
        let Stage::Write(patch) = stage else {
            return Ok(Next::Wait);
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
                if workflow.status_text("/templateRendering") != "failed" {
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
            .boot_option("allowNetboot", json!({}))
            .condition("TemplateRenderedSuccess", true, "Complete", "template rendered successfully");
        Ok(Stage::Write(patch))
    }

    /// Renders the Workflow's Template with its Hardware, if it names one.
    async fn render(&self, workflow: &Object) -> Result<Document, String> {
        if self.strikes(workflow, WorkflowFault::RenderFails) {
            return Err("template cannot be rendered: fault on demand".to_owned());
        }
        let template = Key::new(workflow.namespace(), workflow.spec_text("/templateRef"));
        let template = self.look(&self.templates, &template).await.map_err(|e| format!("template {template}: {e}"))?;
        let hardware = hardware_key(workflow);
        if hardware.name.is_empty() {
            return render::document(workflow, &template, None);
        }
        let hardware = self.look(&self.hardware, &hardware).await.map_err(|e| format!("hardware {hardware}: {e}"))?;
        render::document(workflow, &template, Some(&hardware))
    }

    /// The object as the server holds it now: the watches may not have heard of a Template or an address written just
    /// before the Workflow. With [`Options::cached`](super::Options::cached), what they have told is enough.
    async fn look(&self, store: &Store, key: &Key) -> Result<Arc<Object>, Error> {
        match store.get(key).filter(|_| self.options.cached) {
            Some(known) => Ok(known),
            None => store.read(key).await,
        }
    }

    /// Lets the server boot from the network, and has its BMC boot it where a boot mode says so.
    async fn prepare(&self, workflow: &Object) -> Result<Stage, Error> {
        if self.strikes(workflow, WorkflowFault::PreparingFails) {
            return Ok(self.fail(workflow, "fault on demand"));
        }
        let mut patch = self.patch(workflow);
        if toggles_netboot(workflow) && !flag_in(&workflow.status, "/bootOptions/allowNetboot/toggledTrue") {
            if let Err(problem) = self.allow_pxe(workflow, true).await? {
                return Ok(self.fail(workflow, &problem));
            }
            patch = patch.boot_option("allowNetboot", json!({ "toggledTrue": true })).condition(
                "AllowNetbootTrue",
                true,
                "Complete",
                "set allowPXE to true",
            );
            if !self.options.coarse {
                return Ok(Stage::Write(patch));
            }
        }
        match self.boot_before(workflow).await? {
            Boot::Done => Ok(Stage::Write(patch.set("state", "PENDING"))),
            Boot::Finished(job) => Ok(Stage::Write(patch.boot_option("jobs", job).condition(
                "BootJobComplete",
                true,
                "Complete",
                "boot job completed",
            ))),
            Boot::Failed(problem) => Ok(self.fail(workflow, &problem)),
            Boot::Waits if patch.is_empty() => Ok(Stage::Wait),
            Boot::Waits => Ok(Stage::Write(patch)),
        }
    }

    /// Undoes what [`Self::prepare`] did.
    async fn finish(&self, workflow: &Object) -> Result<Stage, Error> {
        self.delete_hardware_on_demand(workflow).await?;
        let mut patch = self.patch(workflow);
        if toggles_netboot(workflow) && !flag_in(&workflow.status, "/bootOptions/allowNetboot/toggledFalse") {
            if let Err(problem) = self.allow_pxe(workflow, false).await? {
                return Ok(self.fail(workflow, &problem));
            }
            patch = patch.boot_option("allowNetboot", json!({ "toggledFalse": true })).condition(
                "AllowNetbootFalse",
                true,
                "Complete",
                "set allowPXE to false",
            );
            if !self.options.coarse {
                return Ok(Stage::Write(patch));
            }
        }
        match self.boot_after(workflow).await? {
            Boot::Done => {
                let state = match workflow.status_text("/currentState/state") {
                    "" => "SUCCESS",
                    state => state,
                };
                Ok(Stage::Write(patch.set("state", state)))
            }
            Boot::Finished(job) => Ok(Stage::Write(patch.boot_option("jobs", job))),
            Boot::Failed(problem) => Ok(self.fail(workflow, &problem)),
            Boot::Waits if patch.is_empty() => Ok(Stage::Wait),
            Boot::Waits => Ok(Stage::Write(patch)),
        }
    }

    fn fail(&self, workflow: &Object, problem: &str) -> Stage {
        Stage::Write(self.patch(workflow).set("state", "FAILED").condition("BootJobFailed", true, "Error", problem))
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

pub(super) fn toggles_netboot(workflow: &Object) -> bool {
    flag(workflow, "/bootOptions/toggleAllowNetboot")
}

fn flag(workflow: &Object, pointer: &str) -> bool {
    flag_in(&workflow.spec, pointer)
}

fn flag_in(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(true)
}
