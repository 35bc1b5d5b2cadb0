//! Installing YAML without a client.

use crate::Inner;
use crate::api::{Call, Failure};
use crate::error::ApiError;
use crate::meta;
use crate::patch::PatchType;
use crate::request::Params;
use serde_json::Value;
use std::cell::RefCell;
use std::sync::Arc;

/// Why a manifest could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not YAML.
    #[error("the manifest is no valid YAML: {0}")]
    Yaml(String),
    /// A document names a kind the server does not know.
    #[error("document {document}: no kind {kind:?} is known for version {api_version:?}")]
    UnknownKind {
        /// Counted from 1.
        document: usize,
        /// As the document has it.
        api_version: String,
        /// As the document has it.
        kind: String,
    },
    /// The server refused an object.
    #[error("document {document}: {kind} {name:?}: {message}")]
    Refused {
        /// Counted from 1.
        document: usize,
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// The server's message.
        message: String,
        /// The fields complained about, where the server named any.
        fields: Vec<String>,
    },
}

impl Inner {
    /// Creates every object of a multi-document YAML, or merges it into the one that exists.
    pub(crate) fn apply_manifest(self: &Arc<Self>, yaml: &str) -> Result<(), ManifestError> {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(yaml).map_err(|error| ManifestError::Yaml(error.to_string()))?;
        for (index, document) in documents.into_iter().enumerate() {
            if !document.is_null() {
                self.install(index + 1, document)?;
            }
        }
        Ok(())
    }

    /// Creates one object, or merges it into the one that exists.
    pub(crate) fn apply_object(self: &Arc<Self>, object: Value) -> Result<(), ManifestError> {
        self.install(1, object)
    }

    fn install(self: &Arc<Self>, document: usize, object: Value) -> Result<(), ManifestError> {
        if meta::text(&object, "kind") == "List" {
            let items = object.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            return items.into_iter().try_for_each(|item| self.install(document, item));
        }
        let (api_version, kind) = (meta::text(&object, "apiVersion"), meta::text(&object, "kind"));
        let (group, version) = meta::group_version(api_version);
        let registry = self.registry();
        let unknown =
            || ManifestError::UnknownKind { document, api_version: api_version.to_owned(), kind: kind.to_owned() };
        let route = registry.find_kind_at(group, version, kind).ok_or_else(unknown)?;
        let served = route.kind.version(route.version).ok_or_else(unknown)?;
        let given = meta::namespace(&object).to_owned();
        let namespace = if given.is_empty() { "default" } else { &given };
        let user: Arc<str> = "manifest".into();
        let name = meta::name(&object).to_owned();
        let params = Params::default();
        let warnings = RefCell::default();
        let call = |name| Call {
            inner: self,
            user: &user,
            verb: "create",
            route,
            served,
            namespace: route.kind.namespaced.then_some(namespace),
            name,
            subresource: "",
            params: &params,
            agent: "manifest",
            warnings: &warnings,
            patch: None,
        };
        let created = call("").create(object.clone(), Vec::new());
        let outcome = match created {
            Err(Failure::Refused(error)) if error.reason == "AlreadyExists" => {
                call(&name).patch(PatchType::Merge, &object, &[]).map(|_| ())
            }
            other => other.map(|_| ()),
        };
        outcome.map_err(|failure| {
            let error = match failure {
                Failure::Refused(error) => *error,
                Failure::Stopped(_) => ApiError::internal("stopped by a fault"),
            };
            ManifestError::Refused {
                document,
                kind: kind.to_owned(),
                name,
                message: error.message,
                fields: error.details.causes.into_iter().map(|cause| cause.field).filter(|f| !f.is_empty()).collect(),
            }
        })
    }
}
