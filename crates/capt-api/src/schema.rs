//! CustomResourceDefinitions of our own kinds, generated from their types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Resource;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value, json};

use crate::contract::{CLUSTERCTL_LABEL, CONVERSION_PATH, INSTALL_NAMESPACE, WEBHOOK_CERTIFICATE, WEBHOOK_SERVICE};
use crate::infra::{
    TinkerbellCluster, TinkerbellClusterSpec, TinkerbellClusterStatus, TinkerbellMachine, TinkerbellMachineSpec,
    TinkerbellMachineStatus, TinkerbellMachineTemplate, TinkerbellMachineTemplateSpec,
};

/// The CustomResourceDefinitions of our own kinds, as an operator applies them.
///
/// # Errors
/// When a definition does not decode, which a test of this crate rules out.
pub fn crds() -> Result<Vec<CustomResourceDefinition>, serde_json::Error> {
    let documents = [
        crd::<TinkerbellCluster>(
            "TinkerbellCluster is the infrastructure of one workload cluster on Tinkerbell.",
            &subschema::<TinkerbellClusterSpec>(),
            Some(&subschema::<TinkerbellClusterStatus>()),
            &[
                column(
                    "Cluster",
                    "string",
                    r".metadata.labels.cluster\.x-k8s\.io/cluster-name",
                    "Cluster it belongs to",
                ),
                column(
                    "Ready",
                    "string",
                    ".status.conditions[?(@.type==\"Ready\")].status",
                    "Whether the infrastructure is ready",
                ),
                column("Endpoint", "string", ".spec.controlPlaneEndpoint.host", "Host of the cluster's API server"),
                AGE,
            ],
        ),
        crd::<TinkerbellMachine>(
            "TinkerbellMachine is one machine of a cluster, on one Tinkerbell Hardware.",
            &subschema::<TinkerbellMachineSpec>(),
            Some(&subschema::<TinkerbellMachineStatus>()),
            &[
                column(
                    "Cluster",
                    "string",
                    r".metadata.labels.cluster\.x-k8s\.io/cluster-name",
                    "Cluster it belongs to",
                ),
                column(
                    "Machine",
                    "string",
                    r#".metadata.ownerReferences[?(@.kind=="Machine")].name"#,
                    "Machine that owns it",
                ),
                column("Hardware", "string", ".spec.hardwareName", "Hardware it runs on"),
                column("Address", "string", ".status.addresses[0].address", "Address of the machine"),
                column(
                    "Ready",
                    "string",
                    ".status.conditions[?(@.type==\"Ready\")].status",
                    "Whether the machine is provisioned",
                ),
                column(
                    "State",
                    "string",
                    r#".status.conditions[?(@.type=="Ready")].reason"#,
                    "What it does or waits for",
                ),
                wide("InstanceID", "string", ".spec.providerID", "Provider ID"),
                AGE,
            ],
        ),
        crd::<TinkerbellMachineTemplate>(
            "TinkerbellMachineTemplate is what Cluster API makes TinkerbellMachines from.",
            &subschema::<TinkerbellMachineTemplateSpec>(),
            None,
            &[],
        ),
    ];
    documents.into_iter().map(serde_json::from_value).collect()
}

struct Column {
    name: &'static str,
    type_: &'static str,
    path: &'static str,
    description: &'static str,
    priority: i32,
}

const AGE: Column = Column {
    name: "Age",
    type_: "date",
    path: ".metadata.creationTimestamp",
    description: "Time since creation",
    priority: 0,
};

const fn column(name: &'static str, type_: &'static str, path: &'static str, description: &'static str) -> Column {
    Column { name, type_, path, description, priority: 0 }
}

/// A column that `kubectl get -o wide` shows.
const fn wide(name: &'static str, type_: &'static str, path: &'static str, description: &'static str) -> Column {
    Column { name, type_, path, description, priority: 1 }
}

fn crd<K: Resource<DynamicType = ()>>(
    description: &str,
    spec: &Value,
    status: Option<&Value>,
    columns: &[Column],
) -> Value {
    let (group, version, kind, plural) = (K::group(&()), K::version(&()), K::kind(&()), K::plural(&()));
    let mut properties = json!({
        "apiVersion": {"type": "string", "description": "Version of the schema of this object, with its API group."},
        "kind": {"type": "string", "description": "Kind of this object."},
        "metadata": {"type": "object"},
        "spec": spec,
    });
    let mut definition = json!({
        "name": version,
        "served": true,
        "storage": true,
    });
    if let Some(status) = status {
        insert(&mut properties, "status", status.clone());
        insert(&mut definition, "subresources", json!({"status": {}}));
    }
    insert(
        &mut definition,
        "schema",
        json!({"openAPIV3Schema": {"type": "object", "description": description, "properties": properties}}),
    );
    if !columns.is_empty() {
        let columns: Vec<Value> = columns
            .iter()
            .map(|column| {
                let mut entry = json!({
                    "name": column.name, "type": column.type_, "jsonPath": column.path, "description": column.description,
                });
                if column.priority != 0 {
                    insert(&mut entry, "priority", json!(column.priority));
                }
                entry
            })
            .collect();
        insert(&mut definition, "additionalPrinterColumns", json!(columns));
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            "labels": {
                // "Contract v1beta2 is spoken by API version v1beta1": the value is one of our own versions.
                "cluster.x-k8s.io/v1beta1": "v1beta1",
                "cluster.x-k8s.io/v1beta2": "v1beta1",
                "cluster.x-k8s.io/provider": "infrastructure-tinkerbell",
                CLUSTERCTL_LABEL: "",
            },
            "annotations": { "cert-manager.io/inject-ca-from": format!("{INSTALL_NAMESPACE}/{WEBHOOK_CERTIFICATE}") },
        },
        "spec": {
            "group": group,
            // Nobody calls it while there is one version. `clusterctl upgrade` merges definitions, and those of Go CAPT name a
            // webhook of another Service: what is left out here would stay as it is there.
            "conversion": {
                "strategy": "Webhook",
                "webhook": {
                    "clientConfig": {
                        "service": {
                            "name": WEBHOOK_SERVICE, "namespace": INSTALL_NAMESPACE, "path": CONVERSION_PATH, "port": 443,
                        },
                    },
                    "conversionReviewVersions": ["v1", "v1beta1"],
                },
            },
            "names": {
                "categories": ["cluster-api"],
                "kind": kind,
                "listKind": format!("{kind}List"),
                "plural": plural,
                "singular": kind.to_lowercase(),
            },
            "scope": "Namespaced",
            "versions": [definition],
        },
    })
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}

/// The structural schema of a type, in the form controller-gen gives it.
fn subschema<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    if let Value::Object(root) = &mut schema {
        root.remove("$schema");
        root.remove("components");
    }
    normalise(&mut schema);
    schema
}

/// Turns what schemars says into what an API server takes and Go's generator would write: optional members are just
/// not required (never nullable), enums are plain, and no title repeats the type's name.
fn normalise(schema: &mut Value) {
    let Value::Object(node) = schema else { return };
    unwrap_optional(node);
    for noise in ["title", "nullable"] {
        if node.get(noise).is_some_and(|value| !value.is_object()) {
            node.remove(noise);
        }
    }
    if node.get("default").is_some_and(|default| default.is_null() || *default == json!("") || *default == json!(false))
    {
        node.remove("default");
    }
    if node.remove("x-no-format").is_some() {
        node.remove("format");
    }
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        properties.values_mut().for_each(normalise);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = node.get_mut(inner) {
            normalise(inner);
        }
    }
}

/// `anyOf: [X, null]` and `type: [x, "null"]` become X and x.
fn unwrap_optional(node: &mut Map<String, Value>) {
    if let Some(Value::Array(options)) = node.remove("anyOf") {
        let mut real = options
            .into_iter()
            .filter(|option| option.get("type") != Some(&json!("null")) && option.get("enum") != Some(&json!([null])));
        if let Some(Value::Object(inner)) = real.next() {
            for (key, value) in inner {
                node.entry(key).or_insert(value);
            }
        }
    }
    let single = match node.get("type") {
        Some(Value::Array(types)) => types.iter().find(|type_| **type_ != json!("null")).cloned(),
        _ => None,
    };
    if let Some(single) = single {
        node.insert("type".to_owned(), single);
    }
    if let Some(Value::Array(values)) = node.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
}

/// A list of `metav1.Condition`, with the validation that API servers know for it.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "description": "One aspect of the object's state.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {
                    "type": "string", "format": "date-time", "description": "When the status last changed.",
                },
                "message": {"type": "string", "maxLength": 32768, "description": "Details for a person."},
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "Generation of the object that the condition was set for.",
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Cause of the status, for programs.",
                },
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "True, False or Unknown."},
                "type": {
                    "type": "string", "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                    "description": "Type of the condition.",
                },
            },
        },
    })
}

/// A `metav1.LabelSelector`.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchExpressions": {
                "type": "array",
                "x-kubernetes-list-type": "atomic",
                "description": "Requirements, all of which must hold.",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"type": "string", "description": "Key of the label."},
                        "operator": {"type": "string", "description": "In, NotIn, Exists or DoesNotExist."},
                        "values": {
                            "type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "string"},
                            "description": "Values for In and NotIn.",
                        },
                    },
                },
            },
            "matchLabels": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "Labels and their values, all of which must be there.",
            },
        },
    })
}
