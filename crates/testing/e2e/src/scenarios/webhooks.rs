//! What the webhooks refuse and in which words, and what they fill in, through the API server; and who gets the metrics.

use anyhow::{bail, ensure};
use kube::Error;
use kube::api::{Patch, PatchParams};
use real_control_plane::api_server::free_port;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::stage::objects::text;
use crate::stage::scrape::metrics_are_guarded;
use capt_simulators::kinds::{Kind, TINKERBELL_CLUSTER, TINKERBELL_MACHINE, TINKERBELL_MACHINE_TEMPLATE};

const MACHINE: &str = "admission webhook \"validation.tinkerbellmachine.infrastructure.cluster.x-k8s.io\" denied the \
    request: TinkerbellMachine.infrastructure.cluster.x-k8s.io \"refused\" is invalid: ";
// This one's name lacks `cluster`, and always did.
const TEMPLATE: &str = "admission webhook \"validation.tinkerbellmachinetemplate.infrastructure.x-k8s.io\" denied the \
    request: ";
const TEMPLATE_INVALID: &str = "TinkerbellMachineTemplate.infrastructure.cluster.x-k8s.io \"refused\" is invalid: ";

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let diagnostics = free_port()?;
    let address = format!("--diagnostics-address=127.0.0.1:{diagnostics}");
    let mut manager = stage.manager("capt-manager", &[&address]).await?;
    metrics_are_guarded(stage, diagnostics).await?;

    what_is_settled_stays(stage).await?;
    weights_are_in_range(stage).await?;
    templates(stage).await?;

    let cluster = make(stage, TINKERBELL_CLUSTER, json!({ "imageLookupOSDistro": "Ubuntu" })).await?;
    let format = text(&cluster, "/spec/imageLookupFormat");
    let filled_in = format == "{{.BaseRegistry}}/{{.OSDistro}}-{{.OSVersion}}:{{.KubernetesVersion}}.gz"
        && text(&cluster, "/spec/imageLookupOSVersion") == "20.04";
    ensure!(filled_in, "the mutating webhook made it {cluster}");
    manager.must_run()
}

/// A machine may change its mind until it has a server.
async fn what_is_settled_stays(stage: &Stage) -> anyhow::Result<()> {
    let pool = |name: &str| json!({ "apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": name });
    make(stage, TINKERBELL_MACHINE, json!({ "ipamPoolRef": pool("a") })).await?;
    let undecided = json!({ "spec": { "ipamPoolRef": pool("b") } });
    stage.objects.merge(TINKERBELL_MACHINE, "refused", &undecided).await?;
    let placed = json!({ "spec": { "hardwareName": "a", "providerID": "tinkerbell://default/a" } });
    stage.objects.merge(TINKERBELL_MACHINE, "refused", &placed).await?;
    for (patch, complaint) in [
        (json!({ "hardwareName": "b" }), "spec.hardwareName: Forbidden: is immutable once set"),
        (json!({ "hardwareName": null }), "spec.hardwareName: Forbidden: is immutable once set"),
        (
            json!({ "hardwareName": "b", "providerID": "tinkerbell://default/b" }),
            "[spec.hardwareName: Forbidden: is immutable once set, spec.providerID: Forbidden: is immutable once set]",
        ),
        (json!({ "providerID": "tinkerbell://default/b" }), "spec.providerID: Forbidden: is immutable once set"),
        (json!({ "ipamPoolRef": pool("a") }), "spec.ipamPoolRef: Forbidden: is immutable once hardware is selected"),
        (json!({ "ipamPoolRef": null }), "spec.ipamPoolRef: Forbidden: is immutable once hardware is selected"),
    ] {
        let changed = stage.objects.try_merge(TINKERBELL_MACHINE, "refused", &json!({ "spec": patch })).await;
        refused(changed, 422, &format!("{MACHINE}{complaint}"))?;
    }
    Ok(())
}

/// The definition's limits come first; the webhook repeats them for who installed an older one.
async fn weights_are_in_range(stage: &Stage) -> anyhow::Result<()> {
    for (weight, complaint) in [(0, "greater than or equal to 1"), (101, "less than or equal to 100")] {
        let term = json!({ "labelSelector": {} });
        let preferred = json!([{ "weight": weight, "hardwareAffinityTerm": term }]);
        let machine = json!({
            "metadata": { "name": "weighed" },
            "spec": { "hardwareAffinity": { "preferred": preferred } },
        });
        let field = "spec.hardwareAffinity.preferred[0].weight";
        let message = format!(
            "TinkerbellMachine.infrastructure.cluster.x-k8s.io \"weighed\" is invalid: {field}: Invalid value: \
             {weight}: {field} in body should be {complaint}"
        );
        refused(stage.objects.try_create(TINKERBELL_MACHINE, &machine).await, 422, &message)?;
    }
    Ok(())
}

/// A template carries nothing of one machine, and does not change but for the dry run of a ClusterClass.
async fn templates(stage: &Stage) -> anyhow::Result<()> {
    for (spec, complaint) in [
        (json!({ "providerID": "p" }), "spec.template.spec.providerID: Forbidden: cannot be set in templates"),
        (
            json!({ "providerID": "p", "hardwareName": "h" }),
            "[spec.template.spec.providerID: Forbidden: cannot be set in templates, \
             spec.template.spec.hardwareName: Forbidden: cannot be set in templates]",
        ),
    ] {
        let template = object(json!({ "template": { "spec": spec } }));
        let made = stage.objects.try_create(TINKERBELL_MACHINE_TEMPLATE, &template).await;
        refused(made, 422, &format!("{TEMPLATE}{TEMPLATE_INVALID}{complaint}"))?;
    }
    make(stage, TINKERBELL_MACHINE_TEMPLATE, json!({ "template": { "spec": {} } })).await?;
    let patch = json!({ "spec": { "template": { "spec": { "templateOverride": "a" } } } });
    let immutable = format!("{TEMPLATE}TinkerbellMachineTemplate.Spec is immutable");
    refused(stage.objects.try_merge(TINKERBELL_MACHINE_TEMPLATE, "refused", &patch).await, 400, &immutable)?;
    let dry_run = PatchParams { dry_run: true, ..PatchParams::default() };
    let api = stage.objects.api(TINKERBELL_MACHINE_TEMPLATE);
    let tried = api.patch("refused", &dry_run, &Patch::Merge(&patch)).await;
    refused(tried.map(|template| template.data), 400, &immutable)?;
    let annotations = json!({ "metadata": { "annotations": { "topology.cluster.x-k8s.io/dry-run": "" } } });
    stage.objects.merge(TINKERBELL_MACHINE_TEMPLATE, "refused", &annotations).await?;
    let tried = api.patch("refused", &dry_run, &Patch::Merge(&patch)).await?;
    let shown = text(&tried.data, "/spec/template/spec/templateOverride");
    ensure!(shown == "a", "the dry run of a ClusterClass shows {}", tried.data);
    // Only a dry run is exempt.
    refused(stage.objects.try_merge(TINKERBELL_MACHINE_TEMPLATE, "refused", &patch).await, 400, &immutable)
}

fn object(spec: Value) -> Value {
    json!({ "metadata": { "name": "refused" }, "spec": spec })
}

async fn make(stage: &Stage, kind: Kind, spec: Value) -> anyhow::Result<Value> {
    stage.objects.create(kind, &object(spec)).await
}

fn refused(answer: Result<Value, Error>, code: u16, message: &str) -> anyhow::Result<()> {
    match answer {
        Ok(object) => bail!("not refused: {object}; expected: {message}"),
        Err(Error::Api(status)) => {
            ensure!(status.message == message, "refused in the words\n{}\nand not\n{message}", status.message);
            ensure!(status.code == code, "refused with code {}, not {code}", status.code);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
