//! What the webhooks refuse and in which words, and what they fill in, through the API server.

use anyhow::{bail, ensure};
use kube::Error;
use real_control_plane::pins;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::stage::kinds::{Kind, TINKERBELL_CLUSTER, TINKERBELL_MACHINE, TINKERBELL_TEMPLATE};
use crate::stage::objects::text;

const MACHINE: &str = "admission webhook \"validation.tinkerbellmachine.infrastructure.cluster.x-k8s.io\" denied the \
    request: TinkerbellMachine.infrastructure.cluster.x-k8s.io \"refused\" is invalid: ";
// This one's name lacks `cluster`, and always did.
const TEMPLATE: &str = "admission webhook \"validation.tinkerbellmachinetemplate.infrastructure.x-k8s.io\" denied the \
    request: ";
const TEMPLATE_INVALID: &str = "TinkerbellMachineTemplate.infrastructure.cluster.x-k8s.io \"refused\" is invalid: ";

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let mut manager = stage.manager_with_webhooks("capt-manager", &[], &pins::GO_CAPT).await?;

    let placed = json!({ "hardwareName": "a", "providerID": "tinkerbell://default/a" });
    make(stage, TINKERBELL_MACHINE, placed).await?;
    for (patch, complaint) in [
        (json!({ "hardwareName": "b" }), "spec.hardwareName: Forbidden: is immutable once set"),
        (json!({ "hardwareName": null }), "spec.hardwareName: Forbidden: is immutable once set"),
        (
            json!({ "hardwareName": "b", "providerID": "tinkerbell://default/b" }),
            "[spec.hardwareName: Forbidden: is immutable once set, spec.providerID: Forbidden: is immutable once set]",
        ),
    ] {
        let changed = stage.objects.try_merge(TINKERBELL_MACHINE, "refused", &json!({ "spec": patch })).await;
        refused(changed, 422, &format!("{MACHINE}{complaint}"))?;
    }

    for (spec, complaint) in [
        (json!({ "providerID": "p" }), "spec.template.spec.providerID: Forbidden: cannot be set in templates"),
        (
            json!({ "providerID": "p", "hardwareName": "h" }),
            "[spec.template.spec.providerID: Forbidden: cannot be set in templates, \
             spec.template.spec.hardwareName: Forbidden: cannot be set in templates]",
        ),
    ] {
        let template = object(json!({ "template": { "spec": spec } }));
        let made = stage.objects.try_create(TINKERBELL_TEMPLATE, &template).await;
        refused(made, 422, &format!("{TEMPLATE}{TEMPLATE_INVALID}{complaint}"))?;
    }
    make(stage, TINKERBELL_TEMPLATE, json!({ "template": { "spec": {} } })).await?;
    let patch = json!({ "spec": { "template": { "spec": { "templateOverride": "a" } } } });
    let changed = stage.objects.try_merge(TINKERBELL_TEMPLATE, "refused", &patch).await;
    refused(changed, 400, &format!("{TEMPLATE}TinkerbellMachineTemplate.Spec is immutable"))?;

    let cluster = make(stage, TINKERBELL_CLUSTER, json!({ "imageLookupOSDistro": "Ubuntu" })).await?;
    let format = text(&cluster, "/spec/imageLookupFormat");
    let filled_in = format == "{{.BaseRegistry}}/{{.OSDistro}}-{{.OSVersion}}:{{.KubernetesVersion}}.gz"
        && text(&cluster, "/spec/imageLookupOSVersion") == "20.04";
    ensure!(filled_in, "the mutating webhook made it {cluster}");
    manager.must_run()
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
