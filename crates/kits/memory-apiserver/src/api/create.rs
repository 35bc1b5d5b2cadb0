//! Create.

use super::admission::Writing;
use super::prepare::Source;
use super::{Call, Failure, Outcome, Written, behaviour, meta_rules};
use crate::crd;
use crate::error::{ApiError, FieldError};
use crate::fields::{self, Managers, Operation};
use crate::kind::Behaviour;
use crate::meta;
use crate::names;
use crate::store::{Object, Refused, Write, key_of};
use serde_json::{Value, json};
use std::sync::Arc;

impl Call<'_> {
    /// Creates an object from the body of a request.
    pub(crate) fn create(&self, body: Value, duplicates: Vec<String>) -> Result<Written, Failure> {
        let given = [meta::name(&body), meta::meta_text(&body, "generateName")];
        self.check_namespace(given.into_iter().find(|name| !name.is_empty()).unwrap_or("Unknown"))?;
        if !meta::meta_text(&body, "resourceVersion").is_empty() && meta::meta_text(&body, "resourceVersion") != "0" {
            return Err(ApiError::new(500, "", "resourceVersion should not be set on objects to be created").into());
        }
        let value = self.prepare(body, duplicates, Source::Body)?;
        self.create_prepared(value, None)
    }

    /// Creates a prepared object; `managers` are those of an apply.
    pub(super) fn create_prepared(&self, mut value: Value, managers: Option<Managers>) -> Result<Written, Failure> {
        let kind = self.kind();
        let now = self.inner.clock.now();
        let now_text = crate::clock::seconds_text(now);
        if self.served.status && kind.behaviour != Behaviour::Pod {
            meta::object_mut(&mut value).shift_remove("status");
        }
        let writing = Writing { operation: "CREATE", old: None };
        self.mutate(&mut value, writing)?;
        meta_rules::on_create(&mut value, &now_text, kind.has_generation(), &self.inner.identities);
        // What the server adds belongs to nobody.
        let tracked = managers.is_none() && self.inner.config.managed_fields;
        let fill = |value: &mut Value| behaviour::normalise(value, kind.behaviour);
        if kind.behaviour != Behaviour::Event {
            fill(&mut value);
        }
        let changes = tracked.then(|| fields::changes(&json!({}), &value, &self.served.schema));
        if kind.behaviour == Behaviour::Event {
            fill(&mut value);
        }
        behaviour::on_create(&mut value, kind.behaviour, &now_text);

        let name = meta::name(&value).to_owned();
        let mut errors = Vec::new();
        if let Some(metadata) = meta::meta(&value) {
            names::check_meta(metadata, kind.behaviour, &mut errors);
        }
        self.check_schema(&value, None, &mut errors);
        behaviour::check(&value, None, kind.behaviour, &mut errors);
        let definition = self.compile_definition(&value, &mut errors);
        if !errors.is_empty() {
            return Err(self.invalid(&name, &errors).into());
        }
        names::finalizer_warnings(&value, None).for_each(|warning| self.warn(warning));
        self.validate(Some(&value), writing)?;

        let managers = managers.unwrap_or_else(|| {
            let mut managers = Managers::default();
            if let Some(changes) = &changes {
                managers.record_update(&self.manager(Operation::Update), changes, &now_text);
            }
            managers
        });
        let key = key_of(self.namespace, &name);
        let exists = || {
            let mut error = ApiError::already_exists(kind.group_resource(), &name);
            let current = self.inner.state.lock().get(self.route.id, &key).cloned();
            if current.is_some_and(|current| meta::is_terminating(&current.value)) {
                error.message.insert_str(0, "object is being deleted: ");
            }
            error
        };
        if self.params.dry_run {
            let taken = self.inner.state.lock().get(self.route.id, &key).is_some();
            if taken {
                return Err(exists().into());
            }
            let object = Object::new(Arc::new(value), 0, managers);
            return Ok(Written { code: 201, object: Outcome::Object(object), answer_lost: None });
        }
        let committed = self.inner.state.lock().commit(Write {
            user: self.user,
            verb: self.verb,
            resource: self.route.id,
            version: self.route.version,
            subresource: "",
            key: &key,
            expected: None,
            new: Some((value, managers)),
            code: 201,
            now,
        });
        let committed = committed.map_err(|refused| match refused {
            Refused::Raced => exists().into(),
            other => Call { name: &name, ..*self }.refusal(&other),
        })?;
        if let Some(definition) = definition {
            let mut state = self.inner.state.lock();
            state.add_resource(definition);
            self.inner.rebuild_registry(&state);
            state.kind_served();
        }
        Ok(Written { code: 201, object: Outcome::Object(committed.object), answer_lost: committed.answer_lost })
    }

    /// The kind a CRD defines, or complaints.
    pub(super) fn compile_definition(&self, value: &Value, errors: &mut Vec<FieldError>) -> Option<crate::kind::Kind> {
        if self.kind().behaviour != Behaviour::Definition {
            return None;
        }
        match crd::compile(value, self.inner.config.crd_delay) {
            Ok(kind) => Some(kind),
            Err(mut found) => {
                errors.append(&mut found);
                None
            }
        }
    }

    /// A real server looks at the namespace before it looks at the object; `name` is what it calls the object.
    pub(super) fn check_namespace(&self, name: &str) -> Result<(), Failure> {
        let Some(namespace) = self.namespace else {
            if self.kind().namespaced {
                return Err(ApiError::bad_request("an empty namespace may not be set during creation").into());
            }
            return Ok(());
        };
        let state = self.inner.state.lock();
        match state.namespace(namespace) {
            None => Err(self.refusal(&Refused::NamespaceMissing)),
            Some(object) if meta::is_terminating(&object.value) => {
                Err(Call { name, ..*self }.refusal(&Refused::NamespaceTerminating))
            }
            Some(_) => Ok(()),
        }
    }
}
