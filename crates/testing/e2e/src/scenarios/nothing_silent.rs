//! A write that keeps failing is told in the server's words; a namespace goes with all that is in it; two management
//! clusters share one Tinkerbell, do no harm to each other's servers, and each says whom it met.

use std::time::Duration;

use anyhow::ensure;
use capt_simulators::bmc::Power;
use serde_json::{Value, json};

use crate::stage::checks::problem_is_told;
use crate::stage::machines::{cluster, gone, is_ready, machine, ready, spec};
use crate::stage::objects::{self, text, told, until};
use crate::stage::{CAPT, Stage, servers};
use capt_simulators::kinds::{HARDWARE, MACHINE, NAMESPACE, TINKERBELL_MACHINE, VALIDATING_WEBHOOKS};

const CLUSTER_NAME: &str = "loud";
/// The namespace that goes with all that is in it.
const DOOMED: &str = "doomed";
/// The same name on both management clusters.
const TWIN: &str = "twin";
const PATIENCE: Duration = Duration::from_secs(90);
/// A write that fails is told within this time.
const TOLD: Duration = Duration::from_secs(60);
/// The namespace controller looks again every 8 to 15 seconds.
const EMPTIED: Duration = Duration::from_secs(180);

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let _cluster_api = stage.cluster_api().await?;
    let _stand_ins = stage.simulators(Duration::from_millis(50)).await?;
    let watch = stage.observe().await?;
    let mut manager = stage.manager("capt-manager", &[]).await?;
    cluster(&stage.objects, CLUSTER_NAME).await?;
    failing_webhook(stage).await?;
    watch.finish().await?;
    // A server in a namespace that goes cannot be switched off through it any more, and the observer knows one
    // management cluster only.
    whole_namespace(stage).await?;
    two_clusters(stage).await?;
    manager.must_run()
}

/// A webhook of somebody else that cannot be called: who is kept from writing says so, and goes on once it can.
async fn failing_webhook(stage: &Stage) -> anyhow::Result<()> {
    servers::one(&stage.objects, objects::NAMESPACE, 0, "guarded", "guarded", true).await?;
    let service = json!({ "name": "nobody", "namespace": "default", "path": "/validate" });
    let rule = json!({
        "apiGroups": [HARDWARE.group], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": [HARDWARE.plural],
    });
    let webhook = json!({
        "name": "hardware.guard.example.com", "clientConfig": { "service": service }, "rules": [rule],
        "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
    });
    let hooks = json!({ "metadata": { "name": "guard" }, "webhooks": [webhook] });
    stage.objects.cluster().create(VALIDATING_WEBHOOKS, &hooks).await?;
    until("the webhook is in force", PATIENCE, async || {
        let touched =
            stage.objects.try_merge(HARDWARE, "guarded", &json!({ "metadata": { "labels": { "a": "b" } } })).await;
        Ok(match touched {
            Err(kube::Error::Api(status)) if status.message.contains("failed calling webhook") => Ok(()),
            Err(error) => Err(error.to_string()),
            Ok(_) => Err("it is not".to_owned()),
        })
    })
    .await?;
    machine(&stage.objects, CLUSTER_NAME, "guarded", &spec("guarded", None)).await?;
    let words = ["failed calling webhook", "hardware.guard.example.com"];
    problem_is_told(&stage.objects, "guarded", "Ready", &words, TOLD).await?;
    stage.objects.cluster().delete(VALIDATING_WEBHOOKS, "guard").await?;
    ready(&stage.objects, "guarded", PATIENCE).await?;
    stage.objects.delete(MACHINE, "guarded").await?;
    gone(&stage.objects, "guarded", PATIENCE).await
}

/// Cluster, machine, server and BMC in one namespace, which is deleted.
async fn whole_namespace(stage: &Stage) -> anyhow::Result<()> {
    let all = stage.objects.cluster();
    all.create(NAMESPACE, &json!({ "metadata": { "name": DOOMED } })).await?;
    let objects = stage.objects.of(DOOMED);
    servers::one(&stage.objects, DOOMED, 10, DOOMED, DOOMED, true).await?;
    cluster(&objects, DOOMED).await?;
    machine(&objects, DOOMED, DOOMED, &spec(DOOMED, None)).await?;
    ready(&objects, DOOMED, PATIENCE).await?;
    all.delete(NAMESPACE, DOOMED).await?;
    until("the namespace is gone", EMPTIED, async || {
        let namespace = all.find(NAMESPACE, DOOMED).await?;
        let Some(namespace) = namespace else { return Ok(Ok(())) };
        let says =
            objects.list(TINKERBELL_MACHINE).await?.iter().map(|machine| told(machine, "Ready")).collect::<String>();
        let conditions = namespace.pointer("/status/conditions").map(Value::to_string).unwrap_or_default();
        Ok(Err(format!("{says}; {conditions}")))
    })
    .await
}

/// A second management cluster uses the same Tinkerbell, and has a machine of the same name.
async fn two_clusters(stage: &Stage) -> anyhow::Result<()> {
    let other = stage.another("other").await?;
    let _cluster_api = other.cluster_api().await?;
    let tinkerbell = format!("--external-kubeconfig={}", stage.plane.kubeconfig(CAPT).display());
    let mut manager = other.manager("capt-manager-other", &[&tinkerbell]).await?;
    servers::one(&stage.objects, objects::NAMESPACE, 20, "twin-one", TWIN, true).await?;
    machine(&stage.objects, CLUSTER_NAME, TWIN, &spec(TWIN, None)).await?;
    ready(&stage.objects, TWIN, PATIENCE).await?;
    cluster(&other.objects, CLUSTER_NAME).await?;
    machine(&other.objects, CLUSTER_NAME, TWIN, &spec(TWIN, None)).await?;
    until("the second one says whom it met", PATIENCE, async || {
        let machine = other.objects.get(TINKERBELL_MACHINE, TWIN).await?;
        let told = told(&machine, "HardwareReserved");
        let fits = told.starts_with("False ") && told.contains("twin-one") && told.contains("management cluster");
        ensure!(!is_ready(&machine), "it took the other's server");
        Ok(if fits { Ok(()) } else { Err(told) })
    })
    .await?;
    servers::one(&stage.objects, objects::NAMESPACE, 21, "twin-two", TWIN, true).await?;
    ready(&other.objects, TWIN, PATIENCE).await?;
    both_run(stage, true).await?;
    stage.objects.delete(MACHINE, TWIN).await?;
    gone(&stage.objects, TWIN, PATIENCE).await?;
    // Whatever would go wrong has begun to by then.
    tokio::time::sleep(Duration::from_secs(5)).await;
    both_run(stage, false).await?;
    let machine = other.objects.get(TINKERBELL_MACHINE, TWIN).await?;
    ensure!(is_ready(&machine), "the other's machine is harmed: {}", told(&machine, "Ready"));
    other.objects.delete(MACHINE, TWIN).await?;
    gone(&other.objects, TWIN, PATIENCE).await?;
    ensure!(stage.power.get(objects::NAMESPACE, "twin-two") == Power::Off, "released and on");
    manager.must_run()
}

/// Whether the server of the first one runs; that of the second always does, and is held.
async fn both_run(stage: &Stage, first: bool) -> anyhow::Result<()> {
    let is_on = |server| stage.power.get(objects::NAMESPACE, server) == Power::On;
    ensure!(is_on("twin-two") && is_on("twin-one") == first, "on: {}, {}", is_on("twin-one"), is_on("twin-two"));
    let hardware = stage.objects.get(HARDWARE, "twin-two").await?;
    let owner = text(&hardware, "/metadata/labels/v1alpha1.tinkerbell.org~1ownerName");
    ensure!(owner == TWIN, "the second server is held by `{owner}`");
    Ok(())
}
