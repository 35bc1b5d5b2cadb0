//! What the server does for each verb.

pub(crate) mod admission;
mod behaviour;
pub(crate) mod connect;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod meta_rules;
pub(crate) mod patch;
pub(crate) mod prepare;
pub(crate) mod scale;
mod typed;
pub(crate) mod update;
pub(crate) mod watch;

use crate::Inner;
use crate::error::ApiError;
use crate::faults::Stopped;
use crate::fields::{Manager, Operation};
use crate::kind::{Kind, Served};
use crate::patch::PatchType;
use crate::request::Params;
use crate::store::{Object, Refused, Route, key_of};
use serde_json::Value;
use std::cell::RefCell;
use std::sync::Arc;

/// A request about one resource, on its way through the server.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) user: &'a Arc<str>,
    pub(crate) verb: &'static str,
    pub(crate) route: &'a Route,
    pub(crate) served: &'a Served,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) params: &'a Params,
    /// The field manager if the request names none.
    pub(crate) agent: &'a str,
    /// What the client is warned of, whether the request succeeds or not.
    pub(crate) warnings: &'a RefCell<Vec<String>>,
    /// The patch that makes the object, if one does.
    pub(crate) patch: Option<(PatchType, &'a Value)>,
}

/// Why a call has no ordinary answer.
#[derive(Debug)]
pub(crate) enum Failure {
    Refused(Box<ApiError>),
    /// The user was stopped: no answer at all.
    Stopped(Stopped),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Refused(Box::new(error))
    }
}

/// The outcome of a write.
pub(crate) struct Written {
    pub(crate) code: u16,
    pub(crate) object: Outcome,
    pub(crate) answer_lost: Option<Stopped>,
}

/// What a write answers with.
pub(crate) enum Outcome {
    /// An object as stored (or as it would have been stored, for a dry run).
    Object(Arc<Object>),
    /// The object is gone.
    Deleted(Arc<Object>),
}

impl<'a> Call<'a> {
    pub(crate) fn kind(&self) -> &'a Kind {
        &self.route.kind
    }

    /// Adds a warning to the answer; one text is enough.
    pub(crate) fn warn(&self, warning: String) {
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(crate) fn key(&self) -> String {
        key_of(self.namespace, self.name)
    }

    pub(crate) fn not_found(&self) -> ApiError {
        ApiError::not_found(self.kind().group_resource(), self.name)
    }

    /// The object the call names.
    pub(crate) fn current(&self) -> Result<Arc<Object>, ApiError> {
        let state = self.inner.state.lock();
        state.get(self.route.id, &self.key()).cloned().ok_or_else(|| self.not_found())
    }

    pub(crate) fn manager(&self, operation: Operation) -> Manager {
        let name = if self.params.field_manager.is_empty() { self.agent } else { &self.params.field_manager };
        Manager {
            name: name.to_owned(),
            operation,
            api_version: self.served.api_version.clone(),
            subresource: self.subresource.to_owned(),
        }
    }

    /// The answer to a write that could not be committed; a race is for the caller to handle.
    pub(crate) fn refusal(&self, refused: &Refused) -> Failure {
        let namespace = self.namespace.unwrap_or_default();
        match refused {
            Refused::Stopped(stopped) => Failure::Stopped(*stopped),
            Refused::Raced => ApiError::stale(self.kind().group_resource(), self.name).into(),
            Refused::TooLarge(bytes) => ApiError::object_too_large(*bytes).into(),
            Refused::ResourceGone => ApiError::no_such_path().into(),
            Refused::NamespaceMissing => {
                let namespaces = crate::error::GroupResource { group: "", resource: "namespaces" };
                ApiError::not_found(namespaces, namespace).into()
            }
            Refused::NamespaceTerminating => {
                let why =
                    format!("unable to create new content in namespace {namespace} because it is being terminated");
                let mut error = ApiError::forbidden(self.kind().group_resource(), self.name, &why);
                error.details.causes.push(crate::error::Cause {
                    reason: "NamespaceTerminating",
                    message: format!("namespace {namespace} is being terminated"),
                    field: "metadata.namespace".to_owned(),
                });
                error.into()
            }
        }
    }
}
