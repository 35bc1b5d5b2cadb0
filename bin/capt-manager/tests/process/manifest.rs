//! The container of the shipped Deployment, started as its manifest says: arguments, environment, ports, probes, mounts. There
//! is no kubelet, so each port is another free one on loopback, and each mounted file lies elsewhere; where they come from is read
//! from the manifest and from what the program says of its defaults, never assumed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Cluster, Log, Running, ask_tls, free_port, probe, until};

/// The flags that listen, with what is put before a port to make an address of it.
const LISTENERS: [(&str, &str); 5] = [
    ("health-addr", "127.0.0.1:"),
    ("metrics-bind-addr", "127.0.0.1:"),
    ("diagnostics-address", "127.0.0.1:"),
    ("local-diagnostics-address", "127.0.0.1:"),
    ("webhook-port", ""),
];
const POD: &str = "capt-controller-manager-0";

/// The objects of a file below `deploy`.
fn shipped(path: &str) -> Vec<Value> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path);
    serde_saphyr::from_multiple(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// What each flag is if nobody says anything, by the program's own words.
fn defaults() -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_capt-manager")).arg("--help").env_clear().output().unwrap();
    let (mut defaults, mut flag) = (BTreeMap::new(), String::new());
    for line in String::from_utf8(output.stdout).unwrap().lines().map(str::trim) {
        if let Some((_, long)) = line.split_once("--").filter(|(before, _)| before.is_empty() || before.ends_with(", "))
        {
            flag = long.split([' ', '[', '=']).next().unwrap().to_owned();
        }
        if let Some(default) = line.strip_prefix("[default: ").and_then(|rest| rest.strip_suffix(']')) {
            defaults.insert(flag.clone(), default.trim_matches('"').to_owned());
        }
    }
    defaults
}

/// The container, and what became of its ports.
struct Container {
    spec: Value,
    namespace: String,
    /// Port in the container → port here.
    ports: BTreeMap<u64, u16>,
    local: u16,
    log: Log,
    _running: Running,
    cluster: Cluster,
}

impl Container {
    /// Starts it with these entries in its ConfigMap.
    fn start(name: &str, config: &[(&str, &str)]) -> Self {
        let deployment = shipped("manager/deployment.yaml").remove(0);
        let spec = list(&deployment, "/spec/template/spec/containers")[0].clone();
        let namespace = text(&deployment, "/metadata/namespace").to_owned();
        let (cluster, defaults) = (Cluster::new(name), defaults());
        cluster.server.apply_object(shipped("manager/namespace.yaml").remove(0)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_capt-manager"));
        command.env_clear().env("KUBECONFIG", &cluster.kubeconfig).stdout(Stdio::piped());
        command.args(list(&spec, "/args").iter().map(|argument| argument.as_str().unwrap()));
        for variable in list(&spec, "/env") {
            let value = match variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str) {
                Some("metadata.namespace") => &namespace,
                Some("metadata.name") => POD,
                Some(other) => panic!("what is {other}?"),
                None => text(variable, "/value"),
            };
            command.env(text(variable, "/name"), value);
        }
        let source = &list(&spec, "/envFrom")[0];
        assert_eq!(source["configMapRef"]["optional"], true, "it need not be there");
        command.envs(config.iter().map(|(name, value)| (format!("{}{name}", text(source, "/prefix")), value)));

        let variable = |flag: &str| flag.to_uppercase().replace('-', "_");
        let is_set = |flag: &str| {
            let arguments = list(&spec, "/args").iter().filter_map(Value::as_str);
            let mut arguments = arguments.filter_map(|argument| argument.strip_prefix("--"));
            arguments.any(|argument| argument.split('=').next() == Some(flag))
                || list(&spec, "/env").iter().any(|set| text(set, "/name") == variable(flag))
        };
        let (mut ports, mut local) = (BTreeMap::new(), 0);
        for (flag, before) in LISTENERS {
            assert!(!is_set(flag), "--{flag} is set by the manifest, so the ConfigMap or this test cannot change it");
            let default = &defaults[flag];
            let port = default.rsplit(':').next().unwrap().parse().unwrap();
            let here = free_port();
            command.env(variable(flag), format!("{before}{here}"));
            if flag == "local-diagnostics-address" {
                local = here;
            } else {
                ports.insert(port, here);
            }
        }
        command.env("WEBHOOK_HOST", "127.0.0.1");
        // The Secrets are mounted where the program looks for them.
        let mounts: Vec<&str> = list(&spec, "/volumeMounts").iter().map(|mount| text(mount, "/mountPath")).collect();
        assert!(mounts.contains(&defaults["webhook-cert-dir"].as_str()), "{mounts:?}");
        command.env("WEBHOOK_CERT_DIR", cluster.certificates());
        let external = PathBuf::from(&defaults["external-kubeconfig"]);
        assert!(mounts.contains(&external.parent().unwrap().to_str().unwrap()), "{mounts:?}");
        command.env("EXTERNAL_KUBECONFIG", cluster.file("external"));

        let mut child = command.spawn().unwrap();
        let log = Log::of(&mut child);
        Self { spec, namespace, ports, local, log, _running: Running(child), cluster }
    }

    /// Where a port of the container, by its name, is here.
    fn port(&self, name: &str) -> u16 {
        let ports = list(&self.spec, "/ports");
        let port = ports.iter().find(|port| port["name"] == name).unwrap_or_else(|| panic!("no port {name}"));
        let number = port["containerPort"].as_u64().unwrap();
        *self.ports.get(&number).unwrap_or_else(|| panic!("nothing listens on {number}, which is {name}"))
    }

    /// Whether a probe passes.
    fn passes(&self, name: &str) -> bool {
        let port = self.port(text(&self.spec, &format!("/{name}/httpGet/port")));
        let path = text(&self.spec, &format!("/{name}/httpGet/path"));
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() && probe(port, path).starts_with("HTTP/1.1 200")
    }

    /// Where a Service leads to.
    fn behind(&self, service: &Value) -> u16 {
        self.port(text(&list(service, "/spec/ports")[0], "/targetPort"))
    }
}

#[test]
fn the_container_of_the_deployment_comes_up_passes_its_probes_and_leads() {
    let container = Container::start("manifest", &[]);
    for name in ["startupProbe", "livenessProbe", "readinessProbe"] {
        until(name, || container.passes(name));
    }
    let lease = || {
        let name = "controller-leader-election-capt";
        container.cluster.server.get("coordination.k8s.io", "leases", Some(&container.namespace), name)
    };
    until("it leads", || lease().is_some());
    let holder = text(&lease().unwrap(), "/spec/holderIdentity").to_owned();
    assert!(holder.starts_with(&format!("{POD}_")), "the Lease does not tell which pod leads: {holder}");
    assert!(!container.log.text().contains("placeholder"), "{}", container.log.text());
}

#[test]
fn the_services_of_the_manifests_lead_to_the_webhooks_and_to_the_metrics() {
    let container = Container::start("services", &[]);
    until("it is ready", || container.passes("readinessProbe"));
    let webhooks = container.behind(&shipped("webhook/service.yaml")[0]);
    let mut paths = Vec::new();
    for configuration in shipped("webhook/configurations.yaml") {
        let called = list(&configuration, "/webhooks").iter();
        paths.extend(called.map(|webhook| text(webhook, "/clientConfig/service/path").to_owned()));
    }
    assert_eq!(paths.len(), 4);
    for path in paths {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u"}});
        let (code, answer) = ask_tls(webhooks, "POST", &path, None, &review.to_string());
        assert!(code == 200 && answer.contains("\"uid\":\"u\""), "{path}: {code} {answer}");
    }
    for kind in ["tinkerbellclusters", "tinkerbellmachines", "tinkerbellmachinetemplates"] {
        let definition = &shipped(&format!("crds/infrastructure.cluster.x-k8s.io_{kind}.yaml"))[0];
        let path = text(definition, "/spec/conversion/webhook/clientConfig/service/path");
        let (code, answer) = ask_tls(webhooks, "POST", path, None, "{}");
        assert!(code == 200 && answer.contains("ConversionReview"), "{kind}: {code} {answer}");
    }

    let metrics = container.behind(&shipped("components/monitoring/metrics_service.yaml")[0]);
    let monitor = shipped("components/monitoring/service_monitor.yaml").remove(0);
    let endpoint = &list(&monitor, "/spec/endpoints")[0];
    assert_eq!((text(endpoint, "/scheme"), text(endpoint, "/port")), ("https", "metrics"));
    let scrape = ask_tls(metrics, "GET", text(endpoint, "/path"), Some("prometheus"), "");
    assert_eq!(scrape.0, 200, "{}", scrape.1);
    assert_eq!(ask_tls(metrics, "GET", text(endpoint, "/path"), None, "").0, 401);
    // Alerts ask for series that are told.
    let rule = shipped("components/monitoring/prometheus_rule.yaml").remove(0);
    for alert in list(&rule, "/spec/groups/0/rules") {
        let words = text(alert, "/expr").split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let ours = ["capt_", "controller_", "workqueue_", "leader_", "certwatcher_"];
        let series = words.filter(|word| ours.iter().any(|start| word.starts_with(start)));
        for series in series {
            assert!(scrape.1.contains(&format!("# TYPE {series} ")), "{}: no series {series}", alert["alert"]);
        }
    }
}

#[test]
fn the_config_map_sets_flags_by_the_names_of_their_variables() {
    let container = Container::start("config-map", &[("V", "4"), ("METADATA_PORT", "50061")]);
    until("it is ready", || container.passes("readinessProbe"));
    assert!(probe(container.local, "/log").ends_with("debug\n"), "V of the ConfigMap is not obeyed");
}
