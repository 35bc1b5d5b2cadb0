//! The `scale` subresource: a view of an object through which its size is read and set.

use super::prepare::Source;
use super::update::Draft;
use super::{Call, Failure, Outcome, Written};
use crate::error::{ApiError, FieldError};
use crate::fields::{self, Manager, Managers, Operation};
use crate::meta;
use crate::patch::{self, PatchType};
use crate::request::FieldValidation;
use crate::scale::{self, Paths, Unset};
use crate::schema::Node;
use crate::store::Object;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the server answers to a PUT that is no `Scale`, whatever is wrong with it.
const UNDECODABLE: &str = "no kind is registered for the type v1.Scale in scheme \"pkg/runtime/scheme.go:111\"";

/// What is written to a scale.
#[derive(Clone, Copy)]
pub(crate) enum Change<'a> {
    /// A whole `Scale`.
    Replace(&'a Value),
    Patch(PatchType, &'a Value),
}

/// A scale as it is to be, and who set it.
struct Scaled {
    scale: Value,
    managers: Managers,
}

impl Call<'_> {
    fn paths(&self) -> Result<&Paths, ApiError> {
        self.served.scale.as_ref().ok_or_else(|| self.not_found())
    }

    /// GET: the object's `Scale`.
    pub(crate) fn scale(&self) -> Result<Arc<Object>, Failure> {
        let (object, paths) = (self.current()?, self.paths()?);
        let scale = paths.of(&object.value_at(self.kind(), self.route.version, false));
        scale::check_set(&scale, paths).map_err(|Unset(why)| ApiError::internal(why))?;
        Ok(scale_object(scale, object.rv))
    }

    /// PUT and PATCH: sets the object's size, and answers with its `Scale`.
    pub(crate) fn rescale(&self, change: Change<'_>) -> Result<Written, Failure> {
        let paths = self.paths()?;
        self.current()?;
        if let Change::Replace(scale) = change {
            self.check_scale(scale)?;
        }
        let written = self.update(|old| {
            let mut object = old.value_at(self.kind(), self.route.version, false);
            let live = paths.of(&object);
            let scaled = match change {
                Change::Replace(scale) => self.replaced(old, &live, scale)?,
                Change::Patch(PatchType::Apply, config) => self.applied(old, &live, config)?,
                Change::Patch(kind, body) => self.patched(old, &live, kind, body)?,
            };
            paths.set(&mut object, &scaled.scale).map_err(|Unset(why)| ApiError::bad_request(why))?;
            let version = meta::meta_text(&scaled.scale, "resourceVersion");
            if !version.is_empty() {
                meta::meta_mut(&mut object).insert("resourceVersion".to_owned(), version.into());
            }
            let managers = Some(to_parent(&old.managers, &scaled.managers, self));
            Ok(Draft { value: object, duplicates: Vec::new(), source: Source::Apply, managers })
        })?;
        let (Outcome::Object(object) | Outcome::Deleted(object)) = &written.object;
        let scale = paths.of(&object.value_at(self.kind(), self.route.version, false));
        Ok(Written { object: Outcome::Object(scale_object(scale, object.rv)), ..written })
    }

    /// Whether a PUT is a `Scale` of this very object.
    fn check_scale(&self, scale: &Value) -> Result<(), Failure> {
        let unknown = scale::decode(scale).map_err(|_| ApiError::bad_request(UNDECODABLE))?;
        self.report_unknown(&unknown, || ApiError::bad_request(UNDECODABLE))?;
        // The rest is what every object is asked: its name and its place.
        self.check_place(&mut scale.clone(), Source::Body)
    }

    fn replaced(&self, old: &Object, live: &Value, scale: &Value) -> Result<Scaled, Failure> {
        self.check_uid(scale, old)?;
        Ok(Scaled { scale: scale.clone(), managers: self.recorded(old, live, scale) })
    }

    fn patched(&self, old: &Object, live: &Value, kind: PatchType, body: &Value) -> Result<Scaled, Failure> {
        if let Some(why) = patch::wrong_type(kind, body) {
            return Err(ApiError::bad_request(why).into());
        }
        let mut scale = live.clone();
        let managers = to_scale(&old.managers, self);
        if let (false, Ok(list)) = (managers.0.is_empty(), serde_json::to_value(&managers)) {
            meta::meta_mut(&mut scale).insert("managedFields".to_owned(), list);
        }
        patch::patch(&mut scale, kind, body)?;
        let refused = |why: &str| {
            let mut shown = scale.clone();
            if let Some(spec) = shown.get_mut("spec") {
                spec.sort_all_objects();
            }
            ApiError::invalid("", "", "", &[FieldError::invalid("patch", &json!(shown.to_string()), why)])
        };
        let unknown = scale::decode(&scale).map_err(|why| refused(&why))?;
        self.report_unknown(&unknown, || refused(&format!("strict decoding error: {}", listed(&unknown))))?;
        meta::meta_mut(&mut scale).shift_remove("managedFields");
        let managers = self.recorded(old, live, &scale);
        Ok(Scaled { scale, managers })
    }

    fn applied(&self, old: &Object, live: &Value, config: &Value) -> Result<Scaled, Failure> {
        let unknown = scale::decode(config).map_err(ApiError::bad_request)?;
        self.report_unknown(&unknown, || {
            ApiError::bad_request(format!("strict decoding error: {}", listed(&unknown)))
        })?;
        let (managers, manager) = (to_scale(&old.managers, self), self.scaler(Operation::Apply));
        let (force, now) = (self.params.force == Some(true), self.inner.clock.now_text());
        let applied = patch::apply(live, &managers, config, &manager, &Node::of_built_in(), force, &now)?;
        Ok(Scaled { scale: applied.object, managers: applied.managers })
    }

    /// Who owns the scale after an ordinary write. Where nobody owns the size, nobody comes to own it: a server that does not
    /// track an object yet does not begin with an update.
    fn recorded(&self, old: &Object, live: &Value, new: &Value) -> Managers {
        let mut managers = to_scale(&old.managers, self);
        if !managers.0.is_empty() {
            let size = |scale: &Value| json!({"spec": {"replicas": scale.pointer("/spec/replicas").cloned().unwrap_or(json!(0))}});
            let changes = fields::changes(&size(live), &size(new), &Node::of_built_in());
            managers.record_update(&self.scaler(Operation::Update), &changes, &self.inner.clock.now_text());
        }
        managers
    }

    fn scaler(&self, operation: Operation) -> Manager {
        Manager { api_version: scale::API_VERSION.to_owned(), ..self.manager(operation) }
    }

    fn report_unknown(&self, unknown: &[String], strict: impl FnOnce() -> ApiError) -> Result<(), ApiError> {
        match self.params.field_validation {
            _ if unknown.is_empty() => Ok(()),
            FieldValidation::Ignore => Ok(()),
            FieldValidation::Warn => {
                unknown.iter().for_each(|path| self.warn(format!("unknown field {path:?}")));
                Ok(())
            }
            FieldValidation::Strict => Err(strict()),
        }
    }
}

fn listed(unknown: &[String]) -> String {
    let texts: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    texts.join(", ")
}

/// A `Scale` in the form that views show.
fn scale_object(scale: Value, rv: u64) -> Arc<Object> {
    Object::new(Arc::new(scale::shown(scale)), rv, Managers::default())
}

/// By `apiVersion`: where the size is in that version, if it has a scale.
fn paths_by_version<'a>(call: &Call<'a>) -> BTreeMap<&'a str, Option<&'a Paths>> {
    call.kind().served.iter().map(|served| (served.api_version.as_str(), served.scale.as_ref())).collect()
}

fn replicas() -> fields::FieldSet {
    fields::FieldSet::path(["f:spec".into(), "f:replicas".into()].into_iter())
}

fn size_of(paths: &Paths) -> fields::FieldSet {
    fields::FieldSet::path(paths.edges())
}

/// Of the owners of an object those of its size, as owners of a scale. This and [`to_parent`] follow
/// `k8s.io/apimachinery/pkg/util/managedfields/scalehandler.go`.
fn to_scale(managers: &Managers, call: &Call<'_>) -> Managers {
    let paths = paths_by_version(call);
    let mut scale = Managers::default();
    for entry in &managers.0 {
        let Some(paths) = paths.get(entry.manager.api_version.as_str()).copied().flatten() else { continue };
        if entry.fields.contains(&size_of(paths)) {
            let manager = Manager { api_version: scale::API_VERSION.to_owned(), ..entry.manager.clone() };
            scale.set(&manager, replicas(), &entry.time);
        }
    }
    scale
}

/// The owners of an object, once its scale has these. Whoever lost the size there loses it here; who came to own it has an
/// entry of its own, which tells no time, as with a real server.
fn to_parent(parent: &Managers, scale: &Managers, call: &Call<'_>) -> Managers {
    let by_version = paths_by_version(call);
    let mut left = scale.clone();
    let mut managers = Managers::default();
    for entry in &parent.0 {
        let Some(paths) = by_version.get(entry.manager.api_version.as_str()) else { continue };
        let size = paths.map(size_of).filter(|size| entry.fields.contains(size));
        let Some(size) = size else {
            managers.0.push(entry.clone());
            continue;
        };
        if let Some(at) = left.0.iter().position(|e| e.manager.is(&entry.manager)) {
            left.0.remove(at);
            managers.0.push(entry.clone());
            continue;
        }
        let mut entry = entry.as_ref().clone();
        entry.fields.subtract(&size, false);
        if !entry.fields.is_empty() {
            managers.0.push(Arc::new(entry));
        }
    }
    if let Some(paths) = &call.served.scale {
        for entry in left.0.iter().filter(|entry| entry.fields.contains(&replicas())) {
            let manager = Manager { api_version: call.served.api_version.clone(), ..entry.manager.clone() };
            managers.0.push(Arc::new(fields::Entry { manager, time: String::new(), fields: size_of(paths) }));
        }
    }
    managers.sort();
    managers
}
