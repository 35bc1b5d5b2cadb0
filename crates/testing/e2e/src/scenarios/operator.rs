//! CAPT installed by the Cluster API operator from an OCI artefact in a registry: what `spec.manager` may hold is passed and
//! taken, machines come and go, and the Deployment goes with its InfrastructureProvider.

use std::time::Duration;

use anyhow::{Context, ensure};
use capt_simulators::kinds::{
    ADDRESS, CLAIM, CLUSTER, DEFINITION, DEPLOYMENT, INFRASTRUCTURE_PROVIDER, Kind, MUTATING_WEBHOOKS, SECRET,
    TINKERBELL_MACHINE, VALIDATING_WEBHOOKS,
};
use serde_json::{Value, json};

use super::seed_example::{CLUSTER_NAME, POOL_NAME, SETTLED, control_plane_first, example, running};
use crate::stage::checks::{machines_say, no_warnings, pool_has, servers_are_clean};
use crate::stage::installed::{ARTEFACT, CAPT_DEPLOYMENT, CAPT_PROVIDER, RELEASE, VERSION};
use crate::stage::objects::{text, until};
use crate::stage::registry::Registry;
use crate::stage::{CAPT, CAPT_NAMESPACE, Stage};
use capt_simulators::fixtures;

/// What the InfrastructureProvider is called: clusterctl's name of CAPT here.
const CALLED: &str = "tinkerbell";
/// What holds the variables of the manifests, instead of clusterctl's environment.
const VARIABLES: &str = "capt-variables";
/// Where machines reach Tinkerbell: a value that the manifests do not have by themselves.
const TINKERBELL_IP: &str = "10.0.0.9";
const PATIENCE: Duration = Duration::from_secs(120);
const MACHINES: usize = 3;

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let bare = stage.bare("operated").await?;
    bare.prepare().await?;
    let mut operator = bare.operator().await?;
    bare.cluster_api_by_operator().await?;

    let mut registry = bare.registry("manifests-registry").await?;
    install(&bare, &registry).await?;
    all_is_there(&bare).await?;
    as_told(&bare).await?;
    bare.is_available(INFRASTRUCTURE_PROVIDER, CAPT_NAMESPACE, CALLED).await?;
    bare.operator_rests().await?;
    registry.must_run()?;

    let _cluster_api = bare.installed_cluster_api().await?;
    bare.pools().await?;
    let _provider = bare.ipam_provider().await?;
    let _stand_ins = bare.simulators(Duration::from_millis(50)).await?;
    let mut manager = bare.deployed("capt-manager", &bare.plane.kubeconfig(CAPT)).await?;
    let workload = bare.workload(CLUSTER_NAME).await?;
    let _kubelets = bare.kubelets(&workload);
    bare.kubectl()?.apply(&example(workload.server.port())?).await.context("the example")?;
    control_plane_first(&bare, &workload).await?;
    running(&bare, MACHINES).await?;
    machines_say(&bare, &SETTLED).await?;
    no_warnings(&bare, true).await?;
    bare.objects.delete(CLUSTER, CLUSTER_NAME).await?;
    for kind in [CLUSTER, TINKERBELL_MACHINE, CLAIM, ADDRESS] {
        bare.objects.wait_none(kind, PATIENCE).await?;
    }
    pool_has(&bare, POOL_NAME, 101).await?;
    servers_are_clean(&bare, 4).await?;
    manager.must_run()?;
    manager.stop().await?;

    let capt = bare.objects.of(CAPT_NAMESPACE);
    capt.delete(INFRASTRUCTURE_PROVIDER, CALLED).await?;
    for kind in [INFRASTRUCTURE_PROVIDER, DEPLOYMENT] {
        capt.wait_none(kind, PATIENCE).await?;
    }
    until("no webhook of CAPT is registered", PATIENCE, async || {
        let left = of_capt(&bare, MUTATING_WEBHOOKS).await?.len() + of_capt(&bare, VALIDATING_WEBHOOKS).await?.len();
        Ok(if left == 0 { Ok(()) } else { Err(format!("{left} are left, and nobody answers them")) })
    })
    .await?;
    ensure!(of_capt(&bare, DEFINITION).await?.len() == 3, "the definitions went, and all machines with them");
    operator.must_run()
}

/// Pushes the artefact of the release and names it to the operator, with all that it may pass to the manager.
async fn install(stage: &Stage, registry: &Registry) -> anyhow::Result<()> {
    let called = format!("capt-manifests:{VERSION}");
    registry.push(&stage.root().join(ARTEFACT), &called).await.context("the artefact")?;
    stage.kubectl()?.apply(&[fixtures::namespace(CAPT_NAMESPACE)]).await?;
    let variables = json!({ "metadata": { "name": VARIABLES }, "stringData": { "TINKERBELL_IP": TINKERBELL_IP } });
    stage.objects.of(CAPT_NAMESPACE).create(SECRET, &variables).await?;
    let lease = json!({
        "leaderElect": true, "leaseDuration": "20s", "renewDeadline": "15s", "retryPeriod": "3s", "resourceLock": "leases",
        "resourceName": "controller-leader-election-capt", "resourceNamespace": CAPT_NAMESPACE,
    });
    let spec = json!({
        "version": VERSION,
        // The registry here speaks plain HTTP.
        "fetchConfig": { "oci": format!("http://{}", registry.reference(&called)) },
        "configSecret": { "name": VARIABLES },
        "manager": {
            "verbosity": 3,
            "maxConcurrentReconciles": 7,
            "profilerAddress": "localhost:6060",
            "syncPeriod": "11m",
            "featureGates": { "MachinePool": true },
            "controller": { "groupKindConcurrency": { "TinkerbellMachine": 5 } },
            "health": { "healthProbeBindAddress": ":9440" },
            "metrics": { "bindAddress": "localhost:8080", "diagnosticsAddress": ":8443", "insecureDiagnostics": false },
            "webhook": { "host": "127.0.0.1", "port": 9443 },
            "leaderElection": lease,
        },
    });
    stage.provider(INFRASTRUCTURE_PROVIDER, CAPT_NAMESPACE, CALLED, &spec).await
}

/// Every object of the release is there. The Namespace is the one that was made for the provider.
async fn all_is_there(stage: &Stage) -> anyhow::Result<()> {
    let file = stage.root().join(RELEASE).join("install.yaml");
    stage.kubectl()?.run(&["get", "-f", &file.display().to_string()]).await.map(drop)
}

/// The Deployment says what the provider and its variables say.
async fn as_told(stage: &Stage) -> anyhow::Result<()> {
    let deployment = stage.objects.of(CAPT_NAMESPACE).get(DEPLOYMENT, CAPT_DEPLOYMENT).await?;
    let container = deployment.pointer("/spec/template/spec/containers/0").context("no container")?;
    let list = |member: &str| container.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
    let arguments = list("args");
    for wanted in [
        "--v=3",
        "--max-concurrent-reconciles=7",
        "--profiler-address=localhost:6060",
        "--sync-period=660s",
        "--feature-gates=MachinePool=true",
        "--tinkerbellmachine-concurrency=5",
        "--health-addr=:9440",
        "--metrics-bind-addr=localhost:8080",
        "--diagnostics-address=:8443",
        "--webhook-host=127.0.0.1",
        "--webhook-port=9443",
        "--leader-elect=true",
        "--leader-elect-lease-duration=20s",
        "--leader-election-id=capt-system/controller-leader-election-capt",
    ] {
        let count = arguments.iter().filter(|argument| argument.as_str() == Some(wanted)).count();
        ensure!(count == 1, "{wanted} is there {count} times: {arguments:?}");
    }
    let variables = list("env");
    let address = variables.iter().find(|variable| text(variable, "/value") == TINKERBELL_IP);
    ensure!(address.is_some(), "TINKERBELL_IP of the Secret is in no variable: {variables:?}");
    Ok(())
}

/// What of a kind belongs to CAPT.
async fn of_capt(stage: &Stage, kind: Kind) -> anyhow::Result<Vec<Value>> {
    let mut objects = stage.objects.cluster().list(kind).await?;
    objects.retain(|object| text(object, "/metadata/labels/cluster.x-k8s.io~1provider") == CAPT_PROVIDER);
    Ok(objects)
}
