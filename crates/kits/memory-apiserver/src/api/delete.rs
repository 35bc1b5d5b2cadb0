//! Delete: preconditions, finalizers, propagation.

use super::admission::Writing;
use super::update::is_finished;
use super::{Call, Failure, Outcome, Written};
use crate::crd;
use crate::error::{ApiError, FieldError, FieldErrorKind, GroupResource};
use crate::kind::Behaviour;
use crate::meta;
use crate::store::{Object, Refused, Write};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ORPHAN: &str = "orphan";
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

/// Namespaces nobody can delete.
const ETERNAL: [&str; 3] = ["default", "kube-public", "kube-system"];

/// `DeleteOptions`, from the body or the query.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) propagation: Option<Propagation>,
    pub(crate) dry_run: bool,
}

/// What happens to the objects owned by the deleted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

impl DeleteOptions {
    pub(crate) fn parse(body: &Value, query_policy: Option<&str>, dry_run: bool) -> Result<Self, ApiError> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let orphan = body.get("orphanDependents").and_then(Value::as_bool);
        let policy = text(body.get("propagationPolicy")).or_else(|| query_policy.map(str::to_owned));
        let invalid = |error: FieldError| ApiError::invalid("meta.k8s.io", "DeleteOptions", "", &[error]);
        let kind = body.get("kind").and_then(Value::as_str).unwrap_or("DeleteOptions");
        if kind != "DeleteOptions" {
            let version = meta::text(body, "apiVersion");
            let message = format!(
                "no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\""
            );
            return Err(ApiError::bad_request(message));
        }
        if let (Some(policy), Some(_)) = (&policy, orphan) {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            return Err(invalid(FieldError::invalid("propagationPolicy", &json!(policy), detail)));
        }
        let propagation = match (policy.as_deref(), orphan) {
            (None, None) => None,
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (Some(other), _) => {
                let error = FieldError::with_value(
                    FieldErrorKind::NotSupported,
                    "propagationPolicy",
                    &json!(other),
                    r#"supported values: "Foreground", "Background", "Orphan", "nil""#,
                );
                return Err(invalid(error));
            }
        };
        let all = body.get("dryRun").and_then(Value::as_array).is_some_and(|list| list.contains(&json!("All")));
        Ok(Self {
            uid: text(body.pointer("/preconditions/uid")),
            resource_version: text(body.pointer("/preconditions/resourceVersion")),
            propagation,
            dry_run: dry_run || all,
        })
    }
}

impl Call<'_> {
    /// Deletes one object, or marks it as being deleted while finalizers hold it.
    pub(crate) fn delete(&self, options: &DeleteOptions) -> Result<Written, Failure> {
        if self.kind().behaviour == Behaviour::Namespace && ETERNAL.contains(&self.name) {
            let why = "this namespace may not be deleted";
            return Err(ApiError::forbidden(self.kind().group_resource(), self.name, why).into());
        }
        loop {
            let old = self.current()?;
            self.check_preconditions(&old, options)?;
            self.validate(None, Writing { operation: "DELETE", old: Some(&old.value) })?;
            // Without an outcome the object changed meanwhile: the preconditions are checked again.
            if let Some(written) = self.delete_once(&old, options)? {
                return Ok(written);
            }
        }
    }

    fn check_preconditions(&self, old: &Object, options: &DeleteOptions) -> Result<(), ApiError> {
        // These refusals name the kind, not the resource.
        let subject = GroupResource { group: &self.kind().group, resource: &self.kind().kind };
        let uid = meta::uid(&old.value);
        if let Some(wanted) = options.uid.as_deref().filter(|wanted| *wanted != uid) {
            let why = format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have \
                 been deleted and then recreated"
            );
            return Err(ApiError::conflict(subject, self.name, &why));
        }
        let wanted = options.resource_version.as_deref();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != old.rv.to_string()) {
            let why = format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({}). \
                 The object might have been modified",
                old.rv
            );
            return Err(ApiError::conflict(subject, self.name, &why));
        }
        Ok(())
    }

    /// `None` if the object changed meanwhile.
    fn delete_once(&self, old: &Arc<Object>, options: &DeleteOptions) -> Result<Option<Written>, Failure> {
        let kind = self.kind();
        let now = self.inner.clock.now();
        let now_text = crate::clock::seconds_text(now);
        let mut finalizers: Vec<String> = meta::finalizers(&old.value).map(str::to_owned).collect();
        if self.inner.config.garbage_collection
            && let Some(propagation) = options.propagation
        {
            let wanted = match propagation {
                Propagation::Background => None,
                Propagation::Foreground => Some(FOREGROUND),
                Propagation::Orphan => Some(ORPHAN),
            };
            finalizers.retain(|f| Some(f.as_str()) == wanted || (f != FOREGROUND && f != ORPHAN));
            if let Some(wanted) = wanted.filter(|w| !finalizers.iter().any(|f| f == w)) {
                finalizers.push(wanted.to_owned());
            }
        }
        let was_terminating = meta::is_terminating(&old.value);
        let same_finalizers = finalizers.iter().map(String::as_str).eq(meta::finalizers(&old.value));
        let mut new = old.value.as_ref().clone();
        if !same_finalizers {
            meta::set_finalizers(&mut new, finalizers);
        }
        if !was_terminating {
            let generation = meta::generation(&new);
            let metadata = meta::meta_mut(&mut new);
            metadata.insert("deletionTimestamp".to_owned(), json!(now_text));
            // Namespaces and CRDs mark themselves, without grace period or generation.
            if !matches!(kind.behaviour, Behaviour::Namespace | Behaviour::Definition) {
                metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
                if generation > 0 {
                    metadata.insert("generation".to_owned(), json!(generation + 1));
                }
            }
            match kind.behaviour {
                Behaviour::Namespace => {
                    meta::map_at(meta::object_mut(&mut new), "status").insert("phase".to_owned(), json!("Terminating"));
                }
                Behaviour::Definition => crd::mark_terminating(&mut new, &now_text),
                _ => {}
            }
        }
        let finished = is_finished(&new, kind);
        let code = 200;
        if !finished && was_terminating && same_finalizers {
            return Ok(Some(Written { code, object: Outcome::Object(old.clone()), answer_lost: None }));
        }
        if options.dry_run || self.params.dry_run {
            let object = Object::new(Arc::new(new), old.rv, old.managers.clone());
            let object = if finished { Outcome::Deleted(object) } else { Outcome::Object(object) };
            return Ok(Some(Written { code, object, answer_lost: None }));
        }
        let committed = self.inner.state.lock().commit(Write {
            user: self.user,
            verb: self.verb,
            resource: self.route.id,
            version: self.route.version,
            subresource: "",
            key: &self.key(),
            expected: Some(old),
            new: (!finished).then(|| (new, old.managers.clone())),
            code,
            now,
        });
        match committed {
            Ok(committed) => {
                let object = committed.object;
                let object = if finished { Outcome::Deleted(object) } else { Outcome::Object(object) };
                Ok(Some(Written { code, object, answer_lost: committed.answer_lost }))
            }
            Err(Refused::Raced) => Ok(None),
            Err(refused) => Err(self.refusal(&refused)),
        }
    }
}
