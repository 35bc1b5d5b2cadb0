//! Update: PUT, and the half of PATCH that comes after the patch.

use super::admission::Writing;
use super::prepare::Source;
use super::{Call, Failure, Outcome, Written, behaviour, meta_rules};
use crate::crd;
use crate::error::{ApiError, FieldError};
use crate::fields::{self, Managers, Operation};
use crate::kind::{Behaviour, Kind};
use crate::meta;
use crate::names;
use crate::store::{Object, Refused, Write};
use serde_json::{Value, json};
use std::sync::Arc;

/// How often a write that named no resourceVersion is computed again because somebody else was faster.
const ATTEMPTS: usize = 64;

/// An object as a client wants it, made from the stored one.
pub(super) struct Draft {
    /// At the version of the request.
    pub(super) value: Value,
    pub(super) duplicates: Vec<String>,
    pub(super) source: Source,
    /// Ownership after an apply, or as the client rewrote it.
    pub(super) managers: Option<Managers>,
}

impl Call<'_> {
    /// PUT.
    pub(crate) fn replace(&self, body: &Value, duplicates: &[String]) -> Result<Written, Failure> {
        let missing = self.inner.state.lock().get(self.route.id, &self.key()).is_none();
        if missing && self.kind().allows_create_on_update() && self.subresource.is_empty() {
            let mut body = body.clone();
            meta::meta_mut(&mut body).shift_remove("resourceVersion");
            meta::meta_mut(&mut body).entry("name").or_insert_with(|| Value::from(self.name));
            return self.create(body, duplicates.to_vec());
        }
        self.update(|old| {
            self.check_uid(body, old)?;
            // A list of empty entries gives up all ownership; anything else is the server's to keep.
            let given = body.pointer("/metadata/managedFields");
            let reset = given.filter(|list| rewrites_managers(list)).map(|_| Managers::default());
            Ok(Draft { value: body.clone(), duplicates: duplicates.to_vec(), source: Source::Body, managers: reset })
        })
    }

    /// Whether a body that names a UID means the stored object.
    pub(super) fn check_uid(&self, body: &Value, old: &Object) -> Result<(), ApiError> {
        let wanted = meta::uid(body);
        if wanted.is_empty() || wanted == meta::uid(&old.value) {
            return Ok(());
        }
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {wanted}, UID in object meta: {}",
            self.kind().group,
            self.kind().plural,
            self.key(),
            meta::uid(&old.value)
        );
        Err(ApiError::conflict(self.kind().group_resource(), self.name, &why))
    }

    /// Reads the object, makes a draft of it, and commits what comes of it; again, if somebody else was faster.
    pub(super) fn update(&self, draft: impl Fn(&Arc<Object>) -> Result<Draft, Failure>) -> Result<Written, Failure> {
        for _ in 0..ATTEMPTS {
            let old = self.current()?;
            match self.attempt(&old, draft(&old)?) {
                Ok(Some(written)) => return Ok(written),
                // The object changed meanwhile. If the client named a resourceVersion, the next attempt says so.
                Ok(None) => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(ApiError::stale(self.kind().group_resource(), self.name).into())
    }

    fn attempt(&self, old: &Arc<Object>, draft: Draft) -> Result<Option<Written>, Failure> {
        let kind = self.kind();
        let (source, applied) = (draft.source, draft.managers);
        let now = self.inner.clock.now();
        let now_text = crate::clock::seconds_text(now);
        let mut new = self.prepare(draft.value, draft.duplicates, source)?;
        let writing = Writing { operation: "UPDATE", old: Some(&old.value) };
        self.mutate(&mut new, writing)?;
        meta_rules::keep(&mut new, &old.value, kind.allows_unconditional_update());
        self.check_resource_version(&new, &old.value)?;
        behaviour::normalise(&mut new, kind.behaviour);
        let unsaved = self.unsaved_metadata(&new, &old.value);
        self.keep_other_half(&mut new, &old.value);
        if matches!(self.subresource, "" | "scale") {
            bump_generation(&mut new, &old.value, kind);
        }

        let mut managers = applied.unwrap_or_else(|| old.managers.clone());
        let changed = new != *old.value;
        if changed {
            let mut errors = Vec::new();
            meta_rules::check_update(&new, &old.value, kind.is_custom(), &mut errors);
            self.check_schema(&new, Some(&old.value), &mut errors);
            behaviour::check(&new, Some(&old.value), kind.behaviour, &mut errors);
            if !errors.is_empty() {
                return Err(self.invalid(self.name, &errors).into());
            }
            names::finalizer_warnings(&new, Some(&old.value)).for_each(|warning| self.warn(warning));
            let tracked = self.inner.config.managed_fields || !managers.0.is_empty();
            if source != Source::Apply && tracked {
                let changes = fields::changes(&old.value, &new, &self.served.schema);
                managers.record_update(&self.manager(Operation::Update), &changes, &now_text);
            }
        }
        self.validate(Some(&new), writing)?;
        if let Some(unsaved) = unsaved.filter(|_| source != Source::Apply && self.inner.config.managed_fields) {
            managers.record_update(&self.manager(Operation::Update), &unsaved, &now_text);
        }
        if !changed && managers.same_fields(&old.managers) {
            return Ok(Some(Written { code: 200, object: Outcome::Object(old.clone()), answer_lost: None }));
        }
        self.commit_update(old, new, managers, now)
    }

    fn commit_update(
        &self,
        old: &Arc<Object>,
        mut new: Value,
        managers: Managers,
        now: jiff::Timestamp,
    ) -> Result<Option<Written>, Failure> {
        let definition = self.redefine(&mut new, old)?;
        if self.params.dry_run {
            let object = Object::new(Arc::new(new), old.rv, managers);
            return Ok(Some(Written { code: 200, object: Outcome::Object(object), answer_lost: None }));
        }
        // The last finalizer of a terminating object is gone: so is the object.
        let finished = is_finished(&new, self.kind());
        let mut state = self.inner.state.lock();
        let answer = finished.then(|| Object::new(Arc::new(new.clone()), old.rv, managers.clone()));
        let committed = state.commit(Write {
            user: self.user,
            verb: self.verb,
            resource: self.route.id,
            version: self.route.version,
            subresource: self.subresource,
            key: &self.key(),
            expected: Some(old),
            new: (!finished).then_some((new, managers)),
            code: 200,
            now,
        });
        let committed = match committed {
            Ok(committed) => committed,
            Err(Refused::Raced) => return Ok(None),
            Err(refused) => return Err(self.refusal(&refused)),
        };
        if let Some((id, definition)) = definition {
            state.replace_kind(id, definition);
            self.inner.rebuild_registry(&state);
        }
        drop(state);
        Ok(Some(Written {
            code: 200,
            object: Outcome::Object(answer.unwrap_or(committed.object)),
            answer_lost: committed.answer_lost,
        }))
    }

    /// Metadata sent along with a status is not stored, but a real server notes who sent it all the same.
    fn unsaved_metadata(&self, new: &Value, old: &Value) -> Option<fields::Changes> {
        if self.subresource != "status" || !self.kind().is_custom() || new.get("metadata") == old.get("metadata") {
            return None;
        }
        let only = |value: &Value| json!({"metadata": value.get("metadata")});
        Some(fields::changes(&only(old), &only(new), &self.served.schema))
    }

    /// A write to the object leaves its status alone; a write to the status leaves everything else alone.
    fn keep_other_half(&self, new: &mut Value, old: &Value) {
        let kind = self.kind();
        match self.subresource {
            "status" if kind.is_custom() => {
                let status = new.get("status").cloned();
                let version = new.pointer("/metadata/resourceVersion").cloned();
                *new = old.clone();
                set(new, "status", status);
                if let Some(version) = version {
                    meta::meta_mut(new).insert("resourceVersion".to_owned(), version);
                }
            }
            "status" => {
                let before = old.get("spec").cloned();
                set(new, "spec", before);
            }
            "finalize" => {
                let status = old.get("status").cloned();
                set(new, "status", status);
            }
            _ => {
                if self.served.status {
                    set(new, "status", old.get("status").cloned());
                }
                if kind.behaviour == Behaviour::Namespace {
                    set(new, "spec", old.get("spec").cloned());
                }
            }
        }
    }

    /// A changed CRD is compiled anew.
    fn redefine(&self, new: &mut Value, old: &Object) -> Result<Option<(crate::store::ResourceId, Kind)>, Failure> {
        if self.kind().behaviour != Behaviour::Definition || old.value.get("spec") == new.get("spec") {
            return Ok(None);
        }
        let mut errors = Vec::new();
        for (key, field) in
            [("/spec/group", "spec.group"), ("/spec/scope", "spec.scope"), ("/spec/names/kind", "spec.names.kind")]
        {
            if old.value.pointer(key) != new.pointer(key) {
                let shown = new.pointer(key).unwrap_or(&Value::Null);
                errors.push(FieldError::invalid(field, shown, "field is immutable"));
            }
        }
        let definition = self.compile_definition(new, &mut errors);
        if !errors.is_empty() {
            return Err(self.invalid(self.name, &errors).into());
        }
        crd::establish(new, &self.inner.clock.now_text());
        let text = |path: &str| new.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
        let id = self.inner.registry().find_any(group, plural).map(|route| route.id);
        Ok(id.zip(definition))
    }
}

/// Whether a client means to give up all ownership: `[{}]`.
pub(super) fn rewrites_managers(list: &Value) -> bool {
    let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
    !entries.is_empty() && entries.iter().all(|entry| entry.as_object().is_some_and(serde_json::Map::is_empty))
}

/// Nothing holds the object any more.
pub(super) fn is_finished(object: &Value, kind: &Kind) -> bool {
    let held_namespace = kind.behaviour == Behaviour::Namespace
        && object.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    meta::is_terminating(object) && meta::finalizers(object).next().is_none() && !held_namespace
}

fn set(object: &mut Value, key: &str, value: Option<Value>) {
    let map = meta::object_mut(object);
    match value {
        Some(value) => {
            map.insert(key.to_owned(), value);
        }
        None => {
            map.shift_remove(key);
        }
    }
}

/// The generation counts changes of anything but metadata (and of status, where that is a subresource: by now it is
/// the stored one).
fn bump_generation(new: &mut Value, old: &Value, kind: &Kind) {
    if !kind.has_generation() {
        return;
    }
    let differs = |key: &String, this: &Value, other: &Value| {
        key != "metadata"
            && !(kind.behaviour != Behaviour::Custom && key == "status")
            && this.get(key) != other.get(key)
    };
    let keys = |value: &Value| value.as_object().map(|m| m.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let changed =
        keys(new).iter().any(|key| differs(key, new, old)) || keys(old).iter().any(|key| differs(key, new, old));
    if changed {
        let next = meta::generation(old) + 1;
        meta::meta_mut(new).insert("generation".to_owned(), Value::from(next));
    }
}
