//! CustomResourceDefinitions: what is checked, what the server fills in, and the kind that comes of one.

use crate::error::{FieldError, FieldErrorKind};
use crate::jsonpath::JsonPath;
use crate::kind::{Behaviour, Cell, Column, Kind, Served};
use crate::meta;
use crate::scale::Paths;
use crate::schema::Node;
use crate::table::{age_column, name_column};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Holds a CRD until its objects are gone.
pub(crate) const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Fills in what a user may leave out.
pub(crate) fn default(crd: &mut Value) {
    let Some(spec) = crd.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        names.entry("singular").or_insert_with(|| json!(kind.to_lowercase()));
        names.entry("listKind").or_insert_with(|| json!(format!("{kind}List")));
    }
    spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
}

/// Sets the status the server's controllers would set: accepted names, stored versions, `Established`.
pub(crate) fn establish(crd: &mut Value, now: &str) {
    let names = crd.pointer("/spec/names").cloned().unwrap_or_else(|| json!({}));
    let storage = versions(crd).find(|v| is(v, "storage")).map(|v| meta::text(v, "name").to_owned());
    let mut stored: Vec<String> = crd
        .pointer("/status/storedVersions")
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    if let Some(storage) = storage.filter(|s| !stored.contains(s)) {
        stored.push(storage);
    }
    let mut conditions = crd.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    for (kind, reason, message) in [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ] {
        if !conditions.iter().any(|c| meta::text(c, "type") == kind) {
            conditions.push(json!({
                "type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message,
            }));
        }
    }
    meta::object_mut(crd).insert(
        "status".to_owned(),
        json!({"acceptedNames": names, "conditions": conditions, "storedVersions": stored}),
    );
}

/// Adds the condition of a CRD whose objects are being removed.
pub(crate) fn mark_terminating(crd: &mut Value, now: &str) {
    let status = meta::map_at(meta::object_mut(crd), "status");
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if let Some(list) = conditions.as_array_mut() {
        list.retain(|c| meta::text(c, "type") != "Terminating");
        list.push(json!({
            "type": "Terminating", "status": "True", "lastTransitionTime": now,
            "reason": "InstanceDeletionInProgress", "message": "CustomResource deletion is in progress",
        }));
    }
}

/// Checks a CRD and builds the kind it defines, which is served once `delay` has passed.
pub(crate) fn compile(crd: &Value, delay: Duration) -> Result<Kind, Vec<FieldError>> {
    let mut errors = Vec::new();
    let spec = crd.get("spec").unwrap_or(&Value::Null);
    let names = spec.get("names").unwrap_or(&Value::Null);
    let (group, plural, kind) = (meta::text(spec, "group"), meta::text(names, "plural"), meta::text(names, "kind"));
    for (path, value) in [("spec.group", group), ("spec.names.plural", plural), ("spec.names.kind", kind)] {
        if value.is_empty() {
            errors.push(FieldError::required(path, ""));
        }
    }
    if meta::name(crd) != format!("{plural}.{group}") {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", &json!(meta::name(crd)), detail));
    }
    let namespaced = match meta::text(spec, "scope") {
        "Namespaced" => true,
        "Cluster" => false,
        "" => {
            errors.push(FieldError::required("spec.scope", ""));
            false
        }
        other => {
            let detail = r#"supported values: "Cluster", "Namespaced""#;
            errors.push(FieldError::with_value(FieldErrorKind::NotSupported, "spec.scope", &json!(other), detail));
            false
        }
    };
    let storages: Vec<&str> = versions(crd).filter(|v| is(v, "storage")).map(|v| meta::text(v, "name")).collect();
    let &[storage] = storages.as_slice() else {
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid("spec.versions", &spec.get("versions").cloned().unwrap_or_default(), detail));
        return Err(errors);
    };
    let only_one = versions(crd).count() == 1;
    let mut served = Vec::new();
    for (index, version) in versions(crd).enumerate() {
        let path = format!("spec.versions[{index}]");
        let compiled = compile_version(group, kind, version, (&path, only_one), &mut errors);
        if is(version, "served") {
            served.push(compiled);
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let newest = newest_version(crd);
    for (version, served) in versions(crd).filter(|v| is(v, "served")).zip(&mut served) {
        if is(version, "deprecated") {
            let warning = version.get("deprecationWarning").and_then(Value::as_str).map(str::to_owned);
            served.deprecation = Some(warning.unwrap_or_else(|| {
                let instead =
                    newest.map(|v| format!("; use {} {kind}", meta::api_version(group, v))).unwrap_or_default();
                format!("{} {kind} is deprecated{instead}", served.api_version)
            }));
        }
    }
    let texts = |key: &str| -> Vec<String> {
        let list = names.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Ok(Kind {
        group: group.to_owned(),
        plural: plural.to_owned(),
        singular: meta::text(names, "singular").to_owned(),
        kind: kind.to_owned(),
        list_kind: meta::text(names, "listKind").to_owned(),
        short_names: texts("shortNames"),
        categories: texts("categories"),
        namespaced,
        behaviour: Behaviour::Custom,
        storage: meta::api_version(group, storage),
        served,
        serving_from: tokio::time::Instant::now() + delay,
    })
}

fn versions(crd: &Value) -> impl Iterator<Item = &Value> {
    crd.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten()
}

/// The version a deprecation warning recommends.
fn newest_version(crd: &Value) -> Option<&str> {
    let current = versions(crd).filter(|v| is(v, "served") && !is(v, "deprecated"));
    current.map(|v| meta::text(v, "name")).max_by_key(|name| crate::discovery::priority(name))
}

fn is(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool) == Some(true)
}

fn compile_version(
    group: &str,
    kind: &str,
    version: &Value,
    (path, only_one): (&str, bool),
    errors: &mut Vec<FieldError>,
) -> Served {
    let mut served = Served::new(group, meta::text(version, "name"), kind);
    served.custom = true;
    served.status = version.pointer("/subresources/status").is_some_and(Value::is_object);
    if let Some(scale) = version.pointer("/subresources/scale").filter(|scale| scale.is_object()) {
        // What all versions have in common is the definition's own.
        let field = if only_one { "spec.subresources".to_owned() } else { format!("{path}.subresources") };
        served.scale = Some(Paths::read(scale, &field, errors));
    }
    match version.pointer("/schema/openAPIV3Schema") {
        Some(source) => match Node::compile(source, &format!("{path}.schema.openAPIV3Schema")) {
            Ok(node) => {
                served.schema = Arc::new(node);
                served.schema_source = Some(Arc::new(source.clone()));
            }
            Err(mut found) => errors.append(&mut found),
        },
        None => {
            errors.push(FieldError::required(format!("{path}.schema.openAPIV3Schema"), ""));
        }
    }
    served.columns = columns(version, path, errors);
    let fields = version.get("selectableFields").and_then(Value::as_array).into_iter().flatten();
    for field in fields {
        let text = meta::text(field, "jsonPath");
        match JsonPath::parse(text) {
            Ok(parsed) => served.selectable.push((text.trim_start_matches('.').to_owned(), parsed)),
            Err(why) => {
                errors.push(FieldError::invalid(format!("{path}.selectableFields"), &json!(text), why));
            }
        }
    }
    served
}

fn columns(version: &Value, path: &str, errors: &mut Vec<FieldError>) -> Vec<Column> {
    let mut columns = vec![name_column()];
    let declared = version.get("additionalPrinterColumns").and_then(Value::as_array);
    let Some(declared) = declared.filter(|list| !list.is_empty()) else {
        columns.push(age_column());
        return columns;
    };
    for (index, column) in declared.iter().enumerate() {
        let source = meta::text(column, "jsonPath");
        match JsonPath::parse(source) {
            Ok(parsed) => columns.push(Column {
                name: meta::text(column, "name").to_owned(),
                kind: meta::text(column, "type").to_owned(),
                format: meta::text(column, "format").to_owned(),
                description: match meta::text(column, "description") {
                    "" => format!("Custom resource definition column (in JSONPath format): {source}"),
                    given => given.to_owned(),
                },
                priority: column.get("priority").and_then(Value::as_i64).unwrap_or(0),
                cell: if meta::text(column, "type") == "date" { Cell::Age(parsed) } else { Cell::Path(parsed) },
            }),
            Err(why) => {
                let field = format!("{path}.additionalPrinterColumns[{index}].jsonPath");
                errors.push(FieldError::invalid(field, &json!(source), why));
            }
        }
    }
    columns
}
