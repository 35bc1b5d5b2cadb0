//! PATCH in its four languages.

use super::prepare::Source;
use super::update::Draft;
use super::{Call, Failure, Written};
use crate::error::{ApiError, FieldError};
use crate::fields::{self, Entry, Managers, Operation};
use crate::meta;
use crate::patch::{self, PatchType};
use crate::schema::typed;
use serde_json::{Value, json};
use std::sync::Arc;

impl Call<'_> {
    /// Applies a patch of any type.
    pub(crate) fn patch(&self, kind: PatchType, body: &Value, duplicates: &[String]) -> Result<Written, Failure> {
        if kind == PatchType::Apply {
            return self.apply(body, duplicates);
        }
        if self.params.force.is_some() {
            let error = FieldError::forbidden("force", "may not be specified for non-apply patch");
            return Err(ApiError::invalid("meta.k8s.io", "PatchOptions", "", &[error]).into());
        }
        if kind == PatchType::Strategic && self.kind().is_custom() {
            return Err(ApiError::unsupported_media_type(patch::UNKNOWN_TYPE).into());
        }
        self.current()?;
        if let Some(why) = patch::wrong_type(kind, body) {
            return Err(ApiError::bad_request(why).into());
        }
        // Rewriting ownership by patch is rare: only then is it shown to the patch.
        let touches_managers = body.to_string().contains("managedFields");
        let call = Call { patch: Some((kind, body)), ..*self };
        call.update(|old| {
            let mut value = old.value_at(self.kind(), self.route.version, touches_managers);
            patch::patch(&mut value, kind, body)?;
            let managers = if touches_managers {
                let list = value.pointer("/metadata/managedFields");
                list.filter(|l| l.as_array().is_some_and(|l| !l.is_empty())).and_then(Managers::from_json)
            } else {
                None
            };
            Ok(Draft { value, duplicates: duplicates.to_vec(), source: Source::Patch, managers })
        })
    }

    /// Server-side apply: creates the object if it is missing.
    fn apply(&self, config: &Value, duplicates: &[String]) -> Result<Written, Failure> {
        if self.params.field_manager.is_empty() {
            let error = FieldError::required("fieldManager", "is required for apply patch");
            return Err(ApiError::invalid("meta.k8s.io", "PatchOptions", "", &[error]).into());
        }
        if config.pointer("/metadata/managedFields").is_some_and(|m| !m.is_null()) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil").into());
        }
        if !self.subresource.is_empty() {
            self.current()?;
        }
        let config = self.prepare_config(config.clone(), duplicates.to_vec())?;
        let manager = self.manager(Operation::Apply);
        loop {
            let missing = self.inner.state.lock().get(self.route.id, &self.key()).is_none();
            if missing {
                if !self.subresource.is_empty() {
                    return Err(self.not_found().into());
                }
                self.check_namespace(self.name)?;
                let asked_uid = meta::uid(&config);
                if !asked_uid.is_empty() {
                    let why = format!(
                        "uid mismatch: the provided object specified uid {asked_uid}, and no existing object was found"
                    );
                    return Err(ApiError::conflict(self.kind().group_resource(), self.name, &why).into());
                }
                let mut value = config.clone();
                if self.kind().is_custom() {
                    crate::schema::normalise::normalise(&mut value, &self.served.schema, &mut Vec::new());
                }
                let mut managers = Managers::default();
                let fields = fields::members_of(&config, &self.served.schema);
                managers.set(&manager, fields, &self.inner.clock.now_text());
                let value = crate::convert::to_storage(value, self.kind(), self.served);
                match self.create_prepared(value, Some(managers)) {
                    // Somebody else created it meanwhile: apply to that.
                    Err(Failure::Refused(error)) if error.reason == "AlreadyExists" => continue,
                    other => return other,
                }
            }
            return self.update(|old| {
                let live = old.value_at(self.kind(), self.route.version, false);
                let mut managers = old.managers.clone();
                let now = self.inner.clock.now_text();
                if managers.0.is_empty() {
                    // Nobody knows who set what is there: whoever applies shares it with a nameless past.
                    let mut past = self.manager(Operation::Update);
                    past.name = "before-first-apply".to_owned();
                    let mut fields = fields::changes(&json!({}), &live, &self.served.schema).set;
                    if self.served.status && self.subresource.is_empty() {
                        fields.children.remove("f:status");
                    }
                    managers.0.push(Arc::new(Entry { manager: past, time: now.clone(), fields }));
                }
                let force = self.params.force == Some(true);
                let applied = patch::apply(&live, &managers, &config, &manager, &self.served.schema, force, &now)?;
                Ok(Draft {
                    value: applied.object,
                    duplicates: Vec::new(),
                    source: Source::Apply,
                    managers: Some(applied.managers),
                })
            });
        }
    }

    /// The configuration without what its endpoint would not store, unknown fields reported.
    fn prepare_config(&self, config: Value, duplicates: Vec<String>) -> Result<Value, Failure> {
        let mut shaped = config.clone();
        // Only to report: defaults do not belong to the configuration.
        let declared = !meta::text(&config, "kind").is_empty();
        if declared && self.kind().is_custom() {
            self.check_typed(&config)?;
        }
        self.prepare(config, duplicates, Source::Apply)?;
        let map = meta::object_mut(&mut shaped);
        map.insert("apiVersion".to_owned(), Value::from(self.served.api_version.as_str()));
        map.insert("kind".to_owned(), Value::from(self.kind().kind.as_str()));
        match self.subresource {
            "status" => map.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status")),
            _ if self.served.status => {
                map.shift_remove("status");
            }
            _ => {}
        }
        let metadata = meta::meta_mut(&mut shaped);
        metadata.insert("name".to_owned(), Value::from(self.name));
        if let Some(namespace) = self.namespace {
            metadata.insert("namespace".to_owned(), Value::from(namespace));
        }
        metadata.shift_remove("creationTimestamp");
        metadata.shift_remove("managedFields");
        Ok(shaped)
    }

    /// A configuration is taken apart by the schema's types before anything else is looked at: what they do not know is an
    /// error of its own kind.
    fn check_typed(&self, config: &Value) -> Result<(), ApiError> {
        let mut complaints = Vec::new();
        typed::check(config, &self.served.schema, &mut complaints);
        let why = match complaints.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            many => format!("errors:\n  {}", many.join("\n  ")),
        };
        let (namespace, name) = (meta::namespace(config), meta::name(config));
        let (version, kind) = (&self.served.api_version, &self.kind().kind);
        let what = format!("failed to create typed patch object ({namespace}/{name}; {version}, Kind={kind}): {why}");
        Err(ApiError::new(500, "", what))
    }
}
