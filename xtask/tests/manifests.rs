//! What installs the manager: one set of names, in every file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use capt_reconciler::admission::REGISTRATIONS;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, PodSpec, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use xtask::manifests::{Variables, installation, parse, render};

/// Objects by kind and name.
type Objects = BTreeMap<(String, String), Value>;

fn by_name(objects: Vec<Value>) -> Objects {
    let text = |object: &Value, pointer: &str| object.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    objects.into_iter().map(|object| ((text(&object, "/kind"), text(&object, "/metadata/name")), object)).collect()
}

fn installed(variables: Variables) -> Objects {
    by_name(parse(&installation(variables).unwrap()).unwrap())
}

/// An object as its Kubernetes type. Nothing of it may be lost on the way: a member that the type lacks is a mistake in writing.
fn typed<K: DeserializeOwned + Serialize>(object: &Value) -> K {
    let typed: K = serde_json::from_value(object.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&typed).unwrap(), object, "not as Kubernetes has it");
    typed
}

/// Numbers as one type: 1 and 1.0 are the same in JSON.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), plain(member))).collect(),
        other => other.clone(),
    }
}

fn same(left: &Objects, right: &Objects) {
    let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(right));
    for (name, object) in left {
        let (left, right) = (plain(object), plain(&right[name]));
        assert!(left == right, "{name:?}:\n{left}\n{right}");
    }
}

fn of<'a>(objects: &'a Objects, kind: &str, name: &str) -> &'a Value {
    objects.get(&(kind.to_owned(), name.to_owned())).unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn deployment(objects: &Objects) -> (Deployment, PodSpec) {
    let deployment: Deployment = typed(of(objects, "Deployment", "capt-controller-manager"));
    let pod = deployment.spec.clone().unwrap().template.spec.unwrap();
    (deployment, pod)
}

#[test]
fn names_selectors_and_role_references_are_those_of_go_capt_for_some_of_them_cannot_be_changed_in_place() {
    let objects = installed(Variables::Filled);
    let names: Vec<String> = objects.keys().map(|(kind, name)| format!("{kind} {name}")).collect();
    for expected in [
        "Namespace capt-system",
        "ServiceAccount capt-controller-manager",
        "Deployment capt-controller-manager",
        "Role capt-leader-election-role",
        "RoleBinding capt-leader-election-rolebinding",
        "ClusterRole capt-manager-role",
        "ClusterRoleBinding capt-manager-rolebinding",
        "Service capt-webhook-service",
        "Issuer capt-selfsigned-issuer",
        "Certificate capt-serving-cert",
        "MutatingWebhookConfiguration capt-mutating-webhook-configuration",
        "ValidatingWebhookConfiguration capt-validating-webhook-configuration",
        "CustomResourceDefinition tinkerbellmachines.infrastructure.cluster.x-k8s.io",
    ] {
        assert!(names.contains(&expected.to_owned()), "no {expected} in {names:#?}");
    }
    let selector =
        json!({"control-plane": "controller-manager", "cluster.x-k8s.io/provider": "infrastructure-tinkerbell"});
    let deployment = of(&objects, "Deployment", "capt-controller-manager");
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], selector);
    assert_eq!(deployment["spec"]["template"]["metadata"]["labels"], selector);
    let binding = of(&objects, "ClusterRoleBinding", "capt-manager-rolebinding");
    assert_eq!(binding["roleRef"]["name"], "capt-manager-role");
    let certificate = of(&objects, "Certificate", "capt-serving-cert");
    assert_eq!(certificate["spec"]["secretName"], "capt-webhook-service-cert");
    assert_eq!(certificate["spec"]["dnsNames"][0], "capt-webhook-service.capt-system.svc");
}

#[test]
fn the_pod_needs_no_privilege_and_its_mounts_and_ports_lead_somewhere() {
    let objects = installed(Variables::Filled);
    let (_, pod) = deployment(&objects);
    let [container] = pod.containers.as_slice() else { panic!("one container") };
    assert_eq!(container.name, "manager", "the Cluster API operator looks for this name");
    // What Pod Security calls restricted.
    let (of_pod, own) = (pod.security_context.unwrap(), container.security_context.clone().unwrap());
    assert_eq!((of_pod.run_as_non_root, of_pod.run_as_user), (Some(true), Some(65532)));
    assert_eq!(of_pod.seccomp_profile.unwrap().type_, "RuntimeDefault");
    assert_eq!((own.allow_privilege_escalation, own.read_only_root_filesystem), (Some(false), Some(true)));
    assert_eq!(own.capabilities.unwrap().drop.unwrap(), ["ALL"]);
    let namespace: Namespace = typed(of(&objects, "Namespace", "capt-system"));
    assert_eq!(namespace.metadata.labels.unwrap()["pod-security.kubernetes.io/enforce"], "restricted");

    let resources = container.resources.clone().unwrap();
    assert!(!resources.limits.unwrap().contains_key("cpu"), "a limit of CPU delays the API server's calls");
    for argument in container.args.iter().flatten() {
        assert!(argument.contains('='), "{argument}: the operator finds an argument by what stands before its `=`");
        assert!(!argument.contains("${"), "{argument}");
    }
    let volumes: BTreeSet<String> = pod.volumes.unwrap().into_iter().map(|volume| volume.name).collect();
    let mounts: BTreeSet<String> = container.volume_mounts.iter().flatten().map(|mount| mount.name.clone()).collect();
    assert_eq!(volumes, mounts);
    let ports: BTreeSet<String> = container.ports.iter().flatten().filter_map(|port| port.name.clone()).collect();
    let probes = [&container.startup_probe, &container.liveness_probe, &container.readiness_probe];
    for probe in probes {
        let asked = serde_json::to_value(&probe.as_ref().unwrap().http_get.as_ref().unwrap().port).unwrap();
        assert!(ports.contains(asked.as_str().unwrap()), "a probe asks at port {asked}, and there are {ports:?}");
    }
    let service: Service = typed(of(&objects, "Service", "capt-webhook-service"));
    let target = serde_json::to_value(&service.spec.unwrap().ports.unwrap()[0].target_port).unwrap();
    assert!(ports.contains(target.as_str().unwrap()), "{target}");
}

#[test]
fn every_webhook_of_the_server_is_registered_and_no_other() {
    let objects = installed(Variables::Filled);
    let mutating: MutatingWebhookConfiguration =
        typed(of(&objects, "MutatingWebhookConfiguration", "capt-mutating-webhook-configuration"));
    let validating: ValidatingWebhookConfiguration =
        typed(of(&objects, "ValidatingWebhookConfiguration", "capt-validating-webhook-configuration"));
    let mutating = mutating.webhooks.unwrap().into_iter().map(|webhook| (webhook.name, webhook.client_config));
    let validating = validating.webhooks.unwrap().into_iter().map(|webhook| (webhook.name, webhook.client_config));
    let registered: BTreeMap<String, String> = mutating
        .chain(validating)
        .map(|(name, config)| {
            let service = config.service.unwrap();
            assert_eq!((service.name.as_str(), service.namespace.as_str()), ("capt-webhook-service", "capt-system"));
            (name, service.path.unwrap())
        })
        .collect();
    let served: BTreeMap<String, String> =
        REGISTRATIONS.iter().map(|webhook| (webhook.name.to_owned(), webhook.path.to_owned())).collect();
    assert_eq!(registered, served);
}

#[test]
fn a_definition_names_the_webhook_that_converts_and_who_signs_for_it() {
    let objects = installed(Variables::Filled);
    let definitions: Vec<_> = objects.iter().filter(|((kind, _), _)| kind == "CustomResourceDefinition").collect();
    assert_eq!(definitions.len(), 3);
    for (name, definition) in definitions {
        let conversion = &definition["spec"]["conversion"];
        assert_eq!(
            conversion["strategy"], "Webhook",
            "{name:?}: clusterctl upgrade would leave Go CAPT's stanza there"
        );
        let service = &conversion["webhook"]["clientConfig"]["service"];
        assert_eq!((&service["name"], &service["path"]), (&"capt-webhook-service".into(), &"/convert".into()));
        assert_eq!(
            definition["metadata"]["annotations"]["cert-manager.io/inject-ca-from"],
            "capt-system/capt-serving-cert"
        );
        assert_eq!(definition["metadata"]["labels"]["clusterctl.cluster.x-k8s.io"], "");
    }
}

#[test]
fn what_clusterctl_fills_in_becomes_what_the_filled_in_manifest_has() {
    // As clusterctl does, with none of the variables set.
    let text = installation(Variables::Clusterctl).unwrap();
    let text = text
        .replace("${TINKERBELL_IP:=''}", "''")
        .replace("${EXTERNAL_TINKERBELL_KUBECONFIG:=external-tinkerbell-kubeconfig}", "external-tinkerbell-kubeconfig");
    assert!(!text.contains("${"), "a variable that is not known here");
    let (mut theirs, ours) = (by_name(parse(&text).unwrap()), installed(Variables::Filled));
    let key = ("Deployment".to_owned(), "capt-controller-manager".to_owned());
    let environment = theirs.get_mut(&key).unwrap().pointer_mut("/spec/template/spec/containers/0/env").unwrap();
    let ip = environment.as_array_mut().unwrap().pop().unwrap();
    assert_eq!(ip, json!({"name": "TINKERBELL_IP", "value": ""}), "an empty default must become an empty text");
    same(&theirs, &ours);
}

#[test]
fn objects_of_the_components_are_as_kubernetes_has_them_and_select_the_pod() {
    let files = render().unwrap();
    let read = |file: &str| parse(&files[&format!("components/{file}")]).unwrap().remove(0);
    let budget: PodDisruptionBudget = typed(&read("ha/pod_disruption_budget.yaml"));
    let policy: NetworkPolicy = typed(&read("network-policy/network_policy.yaml"));
    let metrics: Service = typed(&read("monitoring/metrics_service.yaml"));
    let (deployment, _) = deployment(&installed(Variables::Filled));
    let pod = deployment.spec.unwrap().template.metadata.unwrap().labels.unwrap();
    assert_eq!(budget.spec.unwrap().selector.unwrap().match_labels.unwrap(), pod);
    assert_eq!(policy.spec.unwrap().pod_selector.unwrap().match_labels.unwrap(), pod);
    assert_eq!(metrics.spec.unwrap().selector.unwrap(), pod);
    // clusterctl overwrites the provider's label of every object, so nothing may be found by it.
    let monitor = read("monitoring/service_monitor.yaml");
    let selector = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    assert!(!selector.contains_key("cluster.x-k8s.io/provider"));
    let service = read("monitoring/metrics_service.yaml");
    for (label, value) in selector {
        assert_eq!(&service["metadata"]["labels"][label], value);
    }
}

/// What `kubectl kustomize` makes of `deploy` with a component; nothing where there is no kubectl.
fn kustomized(component: Option<&str>) -> Option<Objects> {
    let name = component.unwrap_or("alone");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kustomize-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    for (path, content) in render()
        .unwrap()
        .into_iter()
        .chain(xtask::crds::render().unwrap().into_iter().map(|(name, content)| (format!("crds/{name}"), content)))
    {
        let path = folder.join("deploy").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let components = component.map(|name| format!("components: [deploy/components/{name}]\n")).unwrap_or_default();
    std::fs::write(folder.join("kustomization.yaml"), format!("resources: [deploy]\n{components}")).unwrap();
    let output = match Command::new("kubectl").args(["kustomize", folder.to_str().unwrap()]).output() {
        Ok(output) => output,
        Err(_) => {
            eprintln!("skipped: there is no kubectl on this machine, so kustomize cannot be asked");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{name}: {said}");
    Some(by_name(parse(&String::from_utf8(output.stdout).unwrap()).unwrap()))
}

#[test]
fn kustomize_makes_the_same_of_the_folder_as_is_in_the_one_file() {
    if let Some(objects) = kustomized(None) {
        same(&objects, &installed(Variables::Filled));
    }
}

#[test]
fn each_component_does_what_it_is_for_and_nothing_else() {
    let base = installed(Variables::Filled);
    let names = |objects: &Objects| objects.keys().cloned().collect::<BTreeSet<_>>();
    let added = |objects: &Objects| {
        let added: Vec<String> = names(objects).difference(&names(&base)).map(|(kind, _)| kind.clone()).collect();
        added.join(" ")
    };
    let Some(ha) = kustomized(Some("ha")) else { return };
    assert_eq!(added(&ha), "PodDisruptionBudget");
    let (deployment, pod) = deployment(&ha);
    assert_eq!(deployment.spec.unwrap().replicas, Some(2));
    assert_eq!(pod.topology_spread_constraints.unwrap().len(), 2);
    let network = kustomized(Some("network-policy")).unwrap();
    assert_eq!(added(&network), "NetworkPolicy");
    let monitoring = kustomized(Some("monitoring")).unwrap();
    assert_eq!(added(&monitoring), "ClusterRole PrometheusRule Service ServiceMonitor");

    let without = kustomized(Some("without-webhooks")).unwrap();
    let left: BTreeSet<&str> = without.keys().map(|(kind, _)| kind.as_str()).collect();
    for gone in ["Service", "Issuer", "Certificate", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        assert!(!left.contains(gone), "{gone} is left");
    }
    let text = serde_json::to_string(&without.values().collect::<Vec<_>>()).unwrap();
    for word in ["cert-manager", "capt-webhook-service", "serving-certs"] {
        assert!(!text.contains(word), "{word} is still named");
    }
    let (_, pod) = self::deployment(&without);
    let port = pod.containers[0].env.iter().flatten().find(|variable| variable.name == "WEBHOOK_PORT").unwrap();
    assert_eq!(port.value.as_deref(), Some("0"));
    for ((kind, name), object) in &without {
        if kind == "CustomResourceDefinition" {
            assert_eq!(object["spec"]["conversion"], json!({"strategy": "None"}), "{name}");
        }
    }
}
