//! The end of a world: faults stop, every machine is deleted, and everything must be given back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use capt_invariants::text;
use serde_json::{Value, json};

use super::requests::{HARDWARE, JOBS, MACHINES, TEMPLATES, WORKFLOWS};
use super::{MANAGER, Stage};

/// How long machines have to become ready or to say why not, once faults have stopped.
const CALM: Duration = Duration::from_secs(180);
/// How long deletions may take, once faults have stopped: longer than any backoff and resync.
const DELETIONS: Duration = Duration::from_secs(1500);
/// How long they may take once a person has let a server go.
const LET_GO: Duration = Duration::from_secs(900);
/// How long collectors and watches may take to follow.
const AFTERMATH: Duration = Duration::from_secs(90);
/// More requests than this in a whole run are none of a healthy manager.
const REQUESTS: u64 = 20_000;

/// A person lets a machine go without proof that its server is off.
const LET_GO_ANNOTATION: &str = "capt.tinkerbell.org/release-without-power-off";

impl Stage {
    pub(super) async fn end(&mut self) {
        self.stop_faults().await;
        tokio::time::sleep(CALM).await;
        self.check_told();
        for machine in self.machines() {
            self.delete(MACHINES, text(&machine, "/metadata/namespace"), text(&machine, "/metadata/name")).await;
        }
        if !self.until_gone(DELETIONS).await {
            self.let_go().await;
        }
        tokio::time::sleep(AFTERMATH).await;
        self.check_left();
        let requests = self.server.journal().count_requests(Some(MANAGER), None, None);
        if requests > REQUESTS {
            self.report.fail("spins", format!("{requests} requests of the manager"));
        }
    }

    /// Whatever was broken works again, and one manager runs.
    async fn stop_faults(&mut self) {
        self.count_faults();
        let struck = self.server.faults().is_stopped(MANAGER);
        self.server.faults().clear();
        self.lateness.end();
        if let Some(faults) = self.simulators.job_faults() {
            faults.heal_all();
        }
        if let Some(faults) = self.simulators.workflow_faults() {
            faults.heal_all();
        }
        while let Some((_, later)) = self.agenda.pop_first() {
            self.attend(later).await;
        }
        if struck || self.managers.len() != 1 {
            self.kill_managers().await;
            self.start_manager();
        }
    }

    fn machines(&self) -> Vec<Arc<Value>> {
        self.server.list(MACHINES.0, MACHINES.2)
    }

    /// A machine that waits says for what.
    fn check_told(&mut self) {
        for machine in self.machines() {
            let is_ready = machine.pointer("/status/ready") == Some(&Value::Bool(true));
            let told = condition(&machine, "Ready").is_some_and(|ready| !text(ready, "/reason").is_empty());
            if !is_ready && !told {
                let what = format!("{} is not ready and does not say why: {}", name(&machine), states(&machine));
                self.report.fail("silent", what);
            }
        }
    }

    /// Waits until there is no machine any more; says whether it came to that.
    async fn until_gone(&self, limit: Duration) -> bool {
        let look = async || if self.machines().is_empty() { Ok(()) } else { Err(String::new()) };
        capt_simulators::until("no machine is left", limit, Duration::from_secs(5), look).await.is_ok()
    }

    /// Servers that will never answer are let go by name, as the machine's condition has to say.
    async fn let_go(&mut self) {
        for machine in self.machines() {
            if self.without_bmc.is_empty() {
                let what = format!("{} stays: {}", name(&machine), states(&machine));
                self.report.fail("deletion does not end", what);
                continue;
            }
            if !states(&machine).contains(LET_GO_ANNOTATION) {
                let what = format!(
                    "{} waits for a BMC Machine that is gone, and does not say what to do: {}",
                    name(&machine),
                    states(&machine)
                );
                self.report.fail("way out status_not_written", what);
            }
            let patch = json!({"metadata": {"annotations": {LET_GO_ANNOTATION: "true"}}});
            self.patch(MACHINES, text(&machine, "/metadata/namespace"), text(&machine, "/metadata/name"), &patch).await;
        }
        if self.without_bmc.is_empty() || self.until_gone(LET_GO).await {
            return;
        }
        for machine in self.machines() {
            let what = format!("{} stays although it was let go: {}", name(&machine), states(&machine));
            self.report.fail("deletion does not end", what);
        }
    }

    /// Nothing of a machine is left.
    fn check_left(&mut self) {
        if !self.machines().is_empty() {
            return;
        }
        let mut left = Vec::new();
        for namespace in &self.ending {
            if let Some(ends) = self.server.get("", "namespaces", None, namespace) {
                left.push(format!("namespace {namespace} is still being deleted: {}", states(&ends)));
            }
        }
        for (group, plural) in [
            ("ipam.cluster.x-k8s.io", "ipaddressclaims"),
            ("ipam.cluster.x-k8s.io", "ipaddresses"),
            (WORKFLOWS.0, WORKFLOWS.2),
            (TEMPLATES.0, TEMPLATES.2),
            (JOBS.0, JOBS.2),
        ] {
            for object in self.server.list(group, plural) {
                if name(&object).ends_with("/odd-foreignclaim-0") && text(&object, "/spec/poolRef/name") == "other" {
                    // Its maker's business.
                    continue;
                }
                left.push(format!("{plural} {}", name(&object)));
            }
        }
        for hardware in self.server.list(HARDWARE.0, HARDWARE.2) {
            let traces = traces(&hardware);
            if !traces.is_empty() {
                left.push(format!("on Hardware {}: {}", name(&hardware), traces.join(", ")));
            }
        }
        for what in left {
            self.report.fail("left behind", what);
        }
    }
}

/// What a released Hardware still carries of its machine.
fn traces(hardware: &Value) -> Vec<String> {
    let mut traces = Vec::new();
    let members = |pointer: &str| hardware.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    for (label, value) in members("/metadata/labels") {
        if label.starts_with("v1alpha1.tinkerbell.org/owner") && value != "nobody" && value != "nowhere" {
            traces.push(format!("label {label}={value}"));
        }
    }
    for (annotation, _) in members("/metadata/annotations") {
        let ours = [
            "v1alpha1.tinkerbell.org/provisioned",
            "capt.tinkerbell.org/ipam-reservation",
            "capt.tinkerbell.org/machine-uid",
        ];
        // A person's own mark stays.
        let is_a_persons = name(hardware).ends_with("/odd-server-provisioned");
        if ours.contains(&annotation.as_str()) && !is_a_persons {
            traces.push(format!("annotation {annotation}"));
        }
    }
    if hardware.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|all| !all.is_empty()) {
        traces.push("a finalizer".to_owned());
    }
    if !text(hardware, "/spec/userData").is_empty() {
        traces.push("userData".to_owned());
    }
    let address = text(hardware, "/spec/interfaces/0/dhcp/ip/address");
    if address.parse::<IpAddr>().is_ok() && address.starts_with("10.") {
        traces.push(format!("address {address}"));
    }
    traces
}

fn name(object: &Value) -> String {
    format!("{}/{}", text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object.pointer("/status/conditions")?.as_array()?.iter().find(|condition| text(condition, "/type") == type_)
}

/// What the conditions say.
fn states(object: &Value) -> String {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let said: Vec<String> = conditions
        .into_iter()
        .flatten()
        .map(|c| {
            format!("{}={} {} ({})", text(c, "/type"), text(c, "/status"), text(c, "/reason"), text(c, "/message"))
        })
        .collect();
    if said.is_empty() { "no conditions".to_owned() } else { said.join("; ") }
}
