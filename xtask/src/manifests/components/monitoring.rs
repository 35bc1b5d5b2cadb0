//! Metrics for the Prometheus Operator: where they are, who may read them, and when somebody should look.

use serde_json::{Value, json};

use super::Component;
use crate::manifests::deployment::pod_labels;
use crate::manifests::{Document, labelled};
use crate::names::{
    CERTIFICATE_SECRET, MANAGER, METRICS_PORT, METRICS_SERVICE, NAMESPACE, PROVIDER, PROVIDER_LABEL, WEBHOOK_SERVICE,
};

/// What selects the Service of the metrics. clusterctl overwrites the provider's label, so that is not it.
const SERVICE_LABEL: (&str, &str) = ("capt.tinkerbell.org/metrics", "manager");

pub(super) fn component() -> Component {
    Component {
        name: "monitoring",
        purpose: "Needs the Prometheus Operator. Prometheus' ServiceAccount must be bound to ClusterRole capt-metrics-reader.",
        resources: vec![
            ("metrics_service.yaml", vec![service()]),
            ("metrics_reader_role.yaml", vec![reader()]),
            ("service_monitor.yaml", vec![service_monitor()]),
            ("prometheus_rule.yaml", vec![rule()]),
        ],
        patches: Vec::new(),
    }
}

/// Its objects, in order.
#[must_use]
pub fn documents() -> Vec<Document> {
    vec![service(), reader(), service_monitor(), rule()]
}

fn service() -> Document {
    let mut metadata = labelled(METRICS_SERVICE);
    if let Some(Value::Object(labels)) = metadata.get_mut("labels") {
        labels.insert(SERVICE_LABEL.0.to_owned(), json!(SERVICE_LABEL.1));
    }
    Document::new(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "ports": [{ "name": METRICS_PORT, "port": 8443, "targetPort": METRICS_PORT }],
            "selector": pod_labels(),
        },
    }))
}

fn reader() -> Document {
    Document::new(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": "capt-metrics-reader", "labels": { PROVIDER_LABEL: PROVIDER } },
        "rules": [{ "nonResourceURLs": ["/metrics"], "verbs": ["get"] }],
    }))
}

fn service_monitor() -> Document {
    let authority = json!({ "secret": { "name": CERTIFICATE_SECRET, "key": "ca.crt" } });
    Document::new(json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": labelled(MANAGER),
        "spec": {
            "selector": { "matchLabels": { SERVICE_LABEL.0: SERVICE_LABEL.1 } },
            "endpoints": [{
                "port": METRICS_PORT,
                "path": "/metrics",
                "scheme": "https",
                "bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token",
                // The metrics are served with the certificate of the webhooks, which is made out to their Service.
                "tlsConfig": { "serverName": format!("{WEBHOOK_SERVICE}.{NAMESPACE}.svc"), "ca": authority },
            }],
        },
    }))
}

/// One alert: its name, what must be so, for how long, how grave that is, and what to tell.
struct Alert {
    name: &'static str,
    expression: String,
    lasts: &'static str,
    severity: &'static str,
    summary: &'static str,
    description: &'static str,
}

/// The kinds that the manager cannot do without; others need not be installed.
const NEEDED: &str = "TinkerbellMachine|TinkerbellCluster|Machine|Cluster|Hardware|Template|Workflow";

fn alerts() -> Vec<Alert> {
    let own = format!("namespace=\"{NAMESPACE}\"");
    let jobs = format!("job=\"{METRICS_SERVICE}\",{own}");
    let alert = |name, expression, lasts, severity, summary, description| Alert {
        name,
        expression,
        lasts,
        severity,
        summary,
        description,
    };
    vec![
        alert(
            "CaptManagerDown",
            format!("absent(up{{{jobs}}} == 1)"),
            "5m",
            "critical",
            "No replica of the manager can be scraped.",
            "No machine is made, booted or released. Look at kubectl -n capt-system get pods and the log.",
        ),
        alert(
            "CaptNoLeader",
            format!("sum(leader_election_master_status{{{jobs}}}) < 1"),
            "5m",
            "critical",
            "No replica leads.",
            "Replicas run and none of them works. The log tells who holds the Lease.",
        ),
        alert(
            "CaptStoreNotReady",
            format!("min by (kind) (capt_store_ready{{kind=~\"{NEEDED}\",{jobs}}}) < 1"),
            "10m",
            "warning",
            "{{ $labels.kind }} cannot be read.",
            "The kind is installed and its objects are not in memory, or it is missing. Machines that need it wait.",
        ),
        alert(
            "CaptInvalidObjects",
            format!("max by (kind) (capt_store_invalid_objects{{{jobs}}}) > 0"),
            "10m",
            "warning",
            "{{ $value }} {{ $labels.kind }} cannot be understood, and count as absent.",
            "The log names them.",
        ),
        alert(
            "CaptWorkflowsFail",
            format!("sum(increase(capt_workflow_outcomes_total{{state=~\"failed|timed-out\",{jobs}}}[30m])) > 0"),
            "0m",
            "warning",
            "An installation failed.",
            "kubectl get tinkerbellmachines -A shows which; the condition WorkflowSucceeded says where.",
        ),
        alert(
            "CaptWritesRefused",
            format!(
                "sum by (controller) (increase(controller_runtime_terminal_reconcile_errors_total{{{jobs}}}[15m])) > 0"
            ),
            "30m",
            "warning",
            "The API server refuses what {{ $labels.controller }} writes.",
            "A right is missing, or a webhook of somebody else objects. Conditions and events of the objects quote the refusal.",
        ),
        alert(
            "CaptReconcileStuck",
            format!("max by (controller) (workqueue_longest_running_processor_seconds{{{jobs}}}) > 300"),
            "5m",
            "warning",
            "A reconcile of {{ $labels.controller }} takes more than five minutes.",
            "An API server answers very slowly, or not at all.",
        ),
        alert(
            "CaptPanics",
            format!("sum(increase(controller_runtime_reconcile_panics_total{{{jobs}}}[15m])) > 0"),
            "0m",
            "warning",
            "The manager met a fault of its own.",
            "Please report it with the log.",
        ),
        alert(
            "CaptEventsDropped",
            format!("sum(increase(capt_events_dropped_total{{{jobs}}}[15m])) > 0"),
            "15m",
            "info",
            "Events are dropped.",
            "More happens than the API server takes events for. Conditions are complete all the same.",
        ),
        alert(
            "CaptCertificateUnreadable",
            format!("sum(increase(certwatcher_read_certificate_errors_total{{{jobs}}}[15m])) > 0"),
            "5m",
            "warning",
            "The webhooks' certificate cannot be read.",
            "The former one stays in use until it expires; then nobody can change machines or clusters.",
        ),
        alert(
            "CaptWatchesFail",
            format!("sum by (kind) (increase(capt_watch_restarts_total{{{jobs}}}[15m])) > 10"),
            "15m",
            "warning",
            "The watch of {{ $labels.kind }} fails again and again.",
            "Changes are seen late. The diagnostics (GET /) say why.",
        ),
    ]
}

fn rule() -> Document {
    let rule = |alert: Alert| {
        let annotations = json!({ "summary": alert.summary, "description": alert.description });
        json!({
            "alert": alert.name,
            "expr": alert.expression,
            "for": alert.lasts,
            "labels": { "severity": alert.severity },
            "annotations": annotations,
        })
    };
    let group = json!({ "name": "capt", "rules": alerts().into_iter().map(rule).collect::<Vec<_>>() });
    Document::new(json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": labelled(MANAGER),
        "spec": { "groups": [group] },
    }))
}
