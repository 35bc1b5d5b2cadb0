//! Taking over from Go CAPT in place, and giving back: no server is re-imaged, and nothing is written needlessly.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use real_control_plane::audit::Mark;
use serde_json::{Value, json};

use crate::stage::checks::{Switches, machines_say, no_warnings, nothing_is_written, servers_are_released};
use crate::stage::machines::{all_ready, cluster, deployment, scale};
use crate::stage::objects::{name, text};
use crate::stage::{CAPT_ACCOUNT, Stage, servers};
use capt_simulators::kinds::{HARDWARE, TINKERBELL_MACHINE, WORKFLOW};

const CLUSTER_NAME: &str = "taken-over";
const DEPLOYMENT: &str = "workers";
const SERVERS: u32 = 6;
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a program that has nothing to do is watched.
const IDLE: Duration = Duration::from_secs(8);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let _cluster_api = stage.cluster_api().await?;
    let _stand_ins = stage.simulators(Duration::from_millis(50)).await?;
    servers::make_with_addresses(&stage.objects, "worker", 0..SERVERS).await?;

    // Go CAPT, with its webhooks, provisions.
    let mut go = stage.go_manager("go-capt", &[]).await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;
    deployment(&stage.objects, CLUSTER_NAME, DEPLOYMENT, 1, None).await?;
    // One after the other: it gives two machines the same Hardware when they come at once.
    for machines in 1..=3 {
        scale(&stage.objects, DEPLOYMENT, machines).await?;
        all_ready(&stage.objects, machines, PATIENCE).await?;
    }
    settle().await;
    go.stop().await?;
    let switched = Switches::count(&stage.power);

    // Ours takes over: its first look at the machines changes nothing but what they say.
    let before = Picture::take(stage).await?;
    let mark = stage.plane.audit().mark()?;
    let mut ours = stage.manager("capt-manager", &[]).await?;
    settle().await;
    before.must_be_unchanged(stage, &switched).await?;
    needless_writes(stage, mark)?;
    nothing_is_written(stage, IDLE).await?;
    machines_say(stage, &[("Ready", "True "), ("HardwareReserved", "True ")]).await?;
    no_warnings(stage, false).await?;

    // It deletes what Go CAPT made, and makes some itself.
    scale(&stage.objects, DEPLOYMENT, 1).await?;
    all_ready(&stage.objects, 1, PATIENCE).await?;
    servers_are_released(stage, 5).await?;
    scale(&stage.objects, DEPLOYMENT, 4).await?;
    all_ready(&stage.objects, 4, PATIENCE).await?;
    settle().await;
    ours.stop().await?;

    // And back: Go CAPT goes on with what ours made, and deletes it.
    let switched = Switches::count(&stage.power);
    let before = Picture::take(stage).await?;
    let mut go = stage.go_manager("go-capt-again", &[]).await?;
    settle().await;
    before.must_be_unchanged(stage, &switched).await?;
    all_ready(&stage.objects, 4, PATIENCE).await?;
    scale(&stage.objects, DEPLOYMENT, 0).await?;
    stage.objects.wait_none(TINKERBELL_MACHINE, PATIENCE).await?;
    servers_are_released(stage, usize::try_from(SERVERS)?).await?;
    go.must_run()
}

pub(super) async fn settle() {
    tokio::time::sleep(IDLE).await;
}

/// What must stay as it is when another program takes over.
pub(super) struct Picture {
    /// UID and state of each Workflow.
    workflows: BTreeMap<String, (String, String)>,
    /// Spec and labels of each Hardware.
    servers: BTreeMap<String, Value>,
    /// Spec of each TinkerbellMachine.
    machines: BTreeMap<String, Value>,
}

impl Picture {
    pub(super) async fn take(stage: &Stage) -> anyhow::Result<Self> {
        let workflow = |object: &Value| {
            let told = (text(object, "/metadata/uid").to_owned(), text(object, "/status/state").to_owned());
            (name(object).to_owned(), told)
        };
        let spec = |object: &Value| (name(object).to_owned(), object.get("spec").cloned().unwrap_or_default());
        let server = |object: &Value| {
            let labels = object.pointer("/metadata/labels").cloned().unwrap_or_default();
            (name(object).to_owned(), json!([object.get("spec"), labels]))
        };
        Ok(Self {
            workflows: stage.objects.list(WORKFLOW).await?.iter().map(workflow).collect(),
            servers: stage.objects.list(HARDWARE).await?.iter().map(server).collect(),
            machines: stage.objects.list(TINKERBELL_MACHINE).await?.iter().map(spec).collect(),
        })
    }

    pub(super) async fn must_be_unchanged(&self, stage: &Stage, switched: &Switches) -> anyhow::Result<()> {
        let now = Self::take(stage).await?;
        ensure!(!self.machines.is_empty(), "there is nothing to take over");
        ensure!(now.workflows == self.workflows, "Workflows: {:?}, then {:?}", self.workflows, now.workflows);
        ensure!(now.servers == self.servers, "Hardware: {:?}, then {:?}", self.servers, now.servers);
        ensure!(now.machines == self.machines, "machines: {:?}, then {:?}", self.machines, now.machines);
        switched.must_be_none()
    }
}

/// Nothing of Tinkerbell is written; a machine or a cluster at most twice: once its metadata, once its conditions.
pub(super) fn needless_writes(stage: &Stage, since: Mark) -> anyhow::Result<()> {
    let asked = stage.plane.audit().since(since)?;
    let own = asked.iter().filter(|asked| asked.user == CAPT_ACCOUNT && asked.is_write());
    let mut writes: BTreeMap<(String, String), usize> = BTreeMap::new();
    for asked in own.filter(|asked| !matches!(asked.resource.as_str(), "events" | "leases")) {
        let what = format!("{} {} {}", asked.verb, asked.full_resource(), asked.name);
        ensure!(asked.group == TINKERBELL_MACHINE.group, "the one that takes over did {what}");
        let writes = writes.entry((asked.resource.clone(), asked.name.clone())).or_default();
        *writes += 1;
        ensure!(*writes <= 2, "{writes} writes, the last of them {what}, to what was ready already");
    }
    Ok(())
}
