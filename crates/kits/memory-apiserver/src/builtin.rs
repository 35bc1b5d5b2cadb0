//! The kinds a cluster has before any CRD is created.

use crate::api::admission;
use crate::jsonpath::JsonPath;
use crate::kind::{Behaviour, Cell, Column, Kind, Served};
use crate::meta;
use crate::table::{age_column, name_column};
use serde_json::{Value, json};

/// Namespaces that exist from the start.
pub(crate) const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

pub(crate) const DEFINITIONS: &str = "customresourcedefinitions";
pub(crate) const EXTENSIONS: &str = "apiextensions.k8s.io";

struct Spec {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
    namespaced: bool,
    status: bool,
    behaviour: Behaviour,
}

const KINDS: [Spec; 12] = [
    spec("", "v1", "namespaces", "Namespace", &["ns"], false, true, Behaviour::Namespace),
    spec("", "v1", "secrets", "Secret", &[], true, false, Behaviour::Secret),
    spec("", "v1", "configmaps", "ConfigMap", &["cm"], true, false, Behaviour::ConfigMap),
    spec("", "v1", "serviceaccounts", "ServiceAccount", &["sa"], true, false, Behaviour::ServiceAccount),
    spec("", "v1", "nodes", "Node", &["no"], false, true, Behaviour::Node),
    spec("", "v1", "pods", "Pod", &["po"], true, true, Behaviour::Pod),
    spec("", "v1", "services", "Service", &["svc"], true, true, Behaviour::Service),
    spec("", "v1", "events", "Event", &["ev"], true, false, Behaviour::Event),
    spec("coordination.k8s.io", "v1", "leases", "Lease", &[], true, false, Behaviour::Lease),
    spec(
        admission::GROUP,
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        &[],
        false,
        false,
        Behaviour::Webhooks,
    ),
    spec(
        admission::GROUP,
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        &[],
        false,
        false,
        Behaviour::Webhooks,
    ),
    spec(
        EXTENSIONS,
        "v1",
        DEFINITIONS,
        "CustomResourceDefinition",
        &["crd", "crds"],
        false,
        true,
        Behaviour::Definition,
    ),
];

#[allow(clippy::too_many_arguments)]
const fn spec(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
    namespaced: bool,
    status: bool,
    behaviour: Behaviour,
) -> Spec {
    Spec { group, version, plural, kind, short, namespaced, status, behaviour }
}

/// All built-in kinds.
pub(crate) fn kinds() -> Vec<Kind> {
    KINDS.iter().map(build).collect()
}

fn build(spec: &Spec) -> Kind {
    let serve = |group: &str| {
        let mut served = Served::new(group, spec.version, spec.kind);
        served.status = spec.status;
        served.columns = columns(spec.behaviour);
        served.selectable = selectable(spec.behaviour);
        served
    };
    let mut served = vec![serve(spec.group)];
    if spec.behaviour == Behaviour::Event {
        served.push(serve("events.k8s.io"));
    }
    Kind {
        group: spec.group.to_owned(),
        plural: spec.plural.to_owned(),
        singular: spec.kind.to_lowercase(),
        kind: spec.kind.to_owned(),
        list_kind: format!("{}List", spec.kind),
        short_names: spec.short.iter().map(|s| (*s).to_owned()).collect(),
        categories: match spec.behaviour {
            Behaviour::Pod | Behaviour::Service => vec!["all".to_owned()],
            Behaviour::Definition | Behaviour::Webhooks => vec!["api-extensions".to_owned()],
            _ => Vec::new(),
        },
        namespaced: spec.namespaced,
        behaviour: spec.behaviour,
        storage: meta::api_version(spec.group, spec.version),
        served,
        serving_from: tokio::time::Instant::now(),
    }
}

fn selectable(behaviour: Behaviour) -> Vec<(String, JsonPath)> {
    let fields: &[&str] = match behaviour {
        Behaviour::Event => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        Behaviour::Secret => &["type"],
        Behaviour::Namespace => &["status.phase"],
        Behaviour::Node => &["spec.unschedulable"],
        Behaviour::Service => &["spec.clusterIP", "spec.type"],
        Behaviour::Pod => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        _ => &[],
    };
    let path = |field: &str| if field == "source" { ".source.component".to_owned() } else { format!(".{field}") };
    fields.iter().filter_map(|f| Some(((*f).to_owned(), JsonPath::parse(&path(f)).ok()?))).collect()
}

fn columns(behaviour: Behaviour) -> Vec<Column> {
    let path = |name: &str, path: &str| column(name, JsonPath::parse(path).map_or(Cell::Computed(nothing), Cell::Path));
    let count = |name: &str, cell: fn(&Value) -> Value| Column {
        kind: "string".to_owned(),
        ..column(name, Cell::Computed(cell))
    };
    let mut columns = vec![name_column()];
    match behaviour {
        Behaviour::Namespace => columns.push(path("Status", ".status.phase")),
        Behaviour::Secret => columns.extend([path("Type", ".type"), count("Data", entries)]),
        Behaviour::ConfigMap => columns.push(count("Data", entries)),
        Behaviour::Lease => columns.push(path("Holder", ".spec.holderIdentity")),
        Behaviour::Pod => columns.push(path("Status", ".status.phase")),
        Behaviour::Service => {
            columns.extend([path("Type", ".spec.type"), path("Cluster-IP", ".spec.clusterIP")]);
        }
        Behaviour::Webhooks => columns.push(column("Webhooks", Cell::Computed(webhooks))),
        Behaviour::Node => columns.push(column("Status", Cell::Computed(node_status))),
        Behaviour::Definition => {
            if let Ok(created) = JsonPath::parse(".metadata.creationTimestamp") {
                columns.push(Column { kind: "date".to_owned(), ..column("Created At", Cell::Path(created)) });
            }
            return columns;
        }
        Behaviour::Event => return event_columns(),
        _ => {}
    }
    columns.push(Column { kind: "string".to_owned(), ..age_column() });
    columns
}

fn event_columns() -> Vec<Column> {
    let age = |path: &str| JsonPath::parse(path).map_or(Cell::Computed(nothing), Cell::Age);
    let (seen, first) = (age(".lastTimestamp"), age(".firstTimestamp"));
    let path = |name: &str, path: &str| column(name, JsonPath::parse(path).map_or(Cell::Computed(nothing), Cell::Path));
    let wide = |column: Column| Column { priority: 1, ..column };
    vec![
        column("Last Seen", seen),
        path("Type", ".type"),
        path("Reason", ".reason"),
        column("Object", Cell::Computed(event_object)),
        wide(path("Subobject", ".involvedObject.fieldPath")),
        wide(path("Source", ".source.component")),
        path("Message", ".message"),
        wide(column("First Seen", first)),
        wide(path("Count", ".count")),
        wide(name_column()),
    ]
}

fn column(name: &str, cell: Cell) -> Column {
    Column {
        name: name.to_owned(),
        kind: "string".to_owned(),
        format: String::new(),
        description: String::new(),
        priority: 0,
        cell,
    }
}

fn nothing(_: &Value) -> Value {
    Value::Null
}

fn entries(object: &Value) -> Value {
    let count = |key: &str| object.get(key).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    json!(count("data") + count("binaryData"))
}

fn webhooks(configuration: &Value) -> Value {
    json!(configuration.get("webhooks").and_then(Value::as_array).map_or(0, Vec::len))
}

fn event_object(event: &Value) -> Value {
    let object = event.get("involvedObject").unwrap_or(&Value::Null);
    json!(format!("{}/{}", meta::text(object, "kind").to_lowercase(), meta::text(object, "name")))
}

fn node_status(node: &Value) -> Value {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|c| meta::text(c, "type") == "Ready");
    json!(match ready.map(|c| meta::text(c, "status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    })
}
