//! The `scale` subresource of custom resources: where a CRD says its sizes are, and what a `Scale` shows of them.

use crate::error::FieldError;
use crate::jsonpath::JsonPath;
use crate::kind::{Behaviour, Cell, Column, Kind, Served};
use crate::meta;
use crate::table::{age_column, name_column};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The `apiVersion` of a `Scale`.
pub(crate) const API_VERSION: &str = "autoscaling/v1";

/// What `spec.replicas` is where the object does not say it: no size at all, which nobody can ask for.
const UNSET: i64 = i32::MIN as i64;

/// Where in an object its sizes are.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// As the CRD has it: `.spec.replicas`.
    pub(crate) spec: String,
    status: String,
    selector: Option<String>,
}

/// Why an object has no `Scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unset(pub(crate) String);

/// The names along a path.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('.').split('.')
}

fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    names(path).try_fold(object, |value, name| value.get(name))
}

impl Paths {
    /// Reads `subresources.scale` of a version; complaints name fields below `field`.
    pub(crate) fn read(scale: &Value, field: &str, errors: &mut Vec<FieldError>) -> Self {
        let mut check = |key: &str, roots: &[&str], must: &str| {
            let (path, field) = (meta::text(scale, key), format!("{field}.scale.{key}"));
            if path.is_empty() {
                errors.push(FieldError::required(field, ""));
            } else if !path.starts_with('.') {
                errors.push(FieldError::invalid(field, &json!(path), "must be a simple json path starting with ."));
            } else if !roots.iter().any(|root| path.starts_with(root)) {
                errors.push(FieldError::invalid(field, &json!(path), format!("should be a json path under {must}")));
            }
            path.to_owned()
        };
        let spec = check("specReplicasPath", &[".spec."], ".spec");
        let status = check("statusReplicasPath", &[".status."], ".status");
        let has_selector = !meta::text(scale, "labelSelectorPath").is_empty();
        let selector =
            has_selector.then(|| check("labelSelectorPath", &[".spec.", ".status."], "either .spec or .status"));
        Self { spec, status, selector }
    }

    /// The edges of the field set that lead to `spec`.
    pub(crate) fn edges(&self) -> impl DoubleEndedIterator<Item = Box<str>> + use<> {
        names(&self.spec).map(|name| format!("f:{name}").into()).collect::<Vec<_>>().into_iter()
    }

    /// The `Scale` of an object; its `spec.replicas` says how many even if that is none, or that it is [`UNSET`].
    pub(crate) fn of(&self, object: &Value) -> Value {
        let number = |path: &str| at(object, path).and_then(Value::as_i64);
        let metadata = meta::meta(object);
        let kept = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];
        let metadata: Map<String, Value> =
            kept.iter().filter_map(|key| Some(((*key).to_owned(), metadata?.get(*key)?.clone()))).collect();
        let mut status = json!({"replicas": number(&self.status).unwrap_or(0)});
        let selector = self.selector.as_deref().and_then(|path| at(object, path)).and_then(Value::as_str);
        if let Some(selector) = selector.filter(|text| !text.is_empty()) {
            meta::object_mut(&mut status).insert("selector".to_owned(), json!(selector));
        }
        json!({
            "apiVersion": API_VERSION, "kind": "Scale", "metadata": metadata,
            "spec": {"replicas": number(&self.spec).unwrap_or(UNSET)}, "status": status,
        })
    }

    /// Gives an object the size that a `Scale` asks for.
    ///
    /// # Errors
    /// When it asks for none.
    pub(crate) fn set(&self, object: &mut Value, scale: &Value) -> Result<(), Unset> {
        let wanted = replicas(scale);
        if wanted == UNSET {
            return Err(Unset(format!("the spec replicas field {:?} cannot be empty", self.spec)));
        }
        let path: Vec<&str> = names(&self.spec).collect();
        let Some((last, parents)) = path.split_last() else { return Ok(()) };
        let mut place = meta::object_mut(object);
        for name in parents {
            place = meta::map_at(place, name);
        }
        place.insert((*last).to_owned(), json!(wanted));
        Ok(())
    }

    /// What is wrong with the sizes of an object; with `status_only`, with those of its status.
    pub(crate) fn check(&self, object: &Value, status_only: bool, errors: &mut Vec<FieldError>) {
        let mut count = |path: &str| {
            let Some(number) = at(object, path).and_then(Value::as_i64) else { return };
            let most = i64::from(i32::MAX);
            if number < 0 {
                errors.push(FieldError::invalid(path, &json!(number), "should be a non-negative integer"));
            } else if number > most {
                let detail = format!("should be less than or equal to {most}");
                errors.push(FieldError::invalid(path, &json!(number), detail));
            }
        };
        if !status_only {
            count(&self.spec);
        }
        count(&self.status);
    }
}

/// What a `Scale` asks for: none, if it does not say.
fn replicas(scale: &Value) -> i64 {
    scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0)
}

/// Whether the object that a `Scale` is of does not say its size.
///
/// # Errors
/// When it does not.
pub(crate) fn check_set(scale: &Value, paths: &Paths) -> Result<(), Unset> {
    match replicas(scale) {
        UNSET => Err(Unset(format!("the spec replicas field {:?} does not exist", paths.spec))),
        _ => Ok(()),
    }
}

/// The form in which a `Scale` is answered: a size of none is left out.
pub(crate) fn shown(mut scale: Value) -> Value {
    if replicas(&scale) == 0 {
        meta::map_at(meta::object_mut(&mut scale), "spec").shift_remove("replicas");
    }
    scale
}

/// The complaint of a typed decoder about a document that should be a `Scale`, and the members that it does not know.
pub(crate) fn decode(scale: &Value) -> Result<Vec<String>, String> {
    let (api_version, kind) = (meta::text(scale, "apiVersion"), meta::text(scale, "kind"));
    if api_version != API_VERSION || kind != "Scale" {
        return Err(format!(
            "no kind {kind:?} is registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:111\""
        ));
    }
    if let Some(complaint) = scale.get("metadata").and_then(crate::names::wrong_meta_type) {
        return Err(complaint);
    }
    let mut unknown = Vec::new();
    for (part, known) in [
        ("", &["apiVersion", "kind", "metadata", "spec", "status"][..]),
        ("spec", &["replicas"]),
        ("status", &["replicas", "selector"]),
    ] {
        let value = if part.is_empty() { Some(scale) } else { scale.get(part) };
        let members = value.and_then(Value::as_object).into_iter().flatten();
        let prefix = if part.is_empty() { String::new() } else { format!("{part}.") };
        unknown
            .extend(members.filter(|(key, _)| !known.contains(&key.as_str())).map(|(key, _)| format!("{prefix}{key}")));
    }
    let member = |name: &str, field: &str, of: &str, fits: fn(&Value) -> bool| {
        let value = scale.pointer(name).filter(|value| !value.is_null() && !fits(value))?;
        Some(crate::golang::type_error(value, of).replace("Go value", &format!("Go struct field {field}")))
    };
    let is_number = |value: &Value| value.as_i64().is_some_and(|n| i32::try_from(n).is_ok());
    let wrong = member("/spec", "Scale.spec", "v1.ScaleSpec", Value::is_object)
        .or_else(|| member("/spec/replicas", "ScaleSpec.spec.replicas", "int32", is_number))
        .or_else(|| member("/status/replicas", "ScaleStatus.status.replicas", "int32", is_number))
        .or_else(|| member("/status/selector", "ScaleStatus.status.selector", "string", Value::is_string));
    wrong.map_or(Ok(unknown), Err)
}

/// What a `Scale` is to those who show objects.
pub(crate) static KIND: LazyLock<Kind> = LazyLock::new(|| {
    let (group, version) = meta::group_version(API_VERSION);
    let mut served = Served::new(group, version, "Scale");
    let count = |name: &str, path: &str, description: &str| Column {
        name: name.to_owned(),
        kind: "integer".to_owned(),
        format: String::new(),
        description: description.to_owned(),
        priority: 0,
        cell: JsonPath::parse(path).map_or(Cell::Computed(|_| Value::Null), Cell::Path),
    };
    served.columns = vec![
        name_column(),
        count("Desired", ".spec.replicas", "Number of desired replicas"),
        count("Available", ".status.replicas", "Number of actual replicas"),
        age_column(),
    ];
    Kind {
        group: group.to_owned(),
        plural: "scales".to_owned(),
        singular: "scale".to_owned(),
        kind: "Scale".to_owned(),
        list_kind: "ScaleList".to_owned(),
        short_names: Vec::new(),
        categories: Vec::new(),
        namespaced: true,
        behaviour: Behaviour::Custom,
        storage: API_VERSION.to_owned(),
        served: vec![served],
        serving_from: tokio::time::Instant::now(),
    }
});
