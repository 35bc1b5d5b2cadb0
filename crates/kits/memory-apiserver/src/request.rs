//! From a URL to what is asked.

use crate::error::{ApiError, FieldError, FieldErrorKind};
use serde_json::{Value, json};

/// The parts of a resource URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) resource: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: String,
    /// The old `/watch/` prefix.
    pub(crate) watch: bool,
}

impl ResourcePath {
    /// `None` when the path is no resource path (discovery, health, …).
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let decoded: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(percent_decode).collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (watch, rest) = match rest {
            ["watch", rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (namespace, rest) = match rest {
            // `namespaces/x` and its subresources are the namespace itself.
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (resource, name, subresource) = match rest {
            [resource] => (*resource, None, ""),
            [resource, name] => (*resource, Some((*name).to_owned()), ""),
            [resource, name, subresource] => (*resource, Some((*name).to_owned()), *subresource),
            _ => return None,
        };
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace,
            resource: resource.to_owned(),
            name,
            subresource: subresource.to_owned(),
            watch,
        })
    }
}

/// The query parameters the server knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    pub(crate) label_selector: String,
    pub(crate) field_selector: String,
    pub(crate) limit: u64,
    pub(crate) continue_token: String,
    pub(crate) resource_version: String,
    pub(crate) resource_version_match: String,
    pub(crate) watch: bool,
    pub(crate) allow_bookmarks: bool,
    pub(crate) send_initial_events: Option<bool>,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) dry_run: bool,
    pub(crate) field_manager: String,
    pub(crate) field_validation: FieldValidation,
    pub(crate) force: Option<bool>,
    pub(crate) propagation_policy: Option<String>,
    pub(crate) include_object: String,
    /// Of a Pod that is connected to.
    pub(crate) container: String,
}

/// What happens to unknown and duplicate fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

impl Params {
    /// Reads a query; `options` is the kind of the options it stands for (`CreateOptions`), for messages.
    pub(crate) fn parse(query: &str, options: &str) -> Result<Self, ApiError> {
        let unsupported = |field: &str, value: Value, detail: &str| {
            let error = FieldError::with_value(FieldErrorKind::NotSupported, field, &value, detail);
            ApiError::invalid("meta.k8s.io", options, "", &[error])
        };
        let mut params = Self::default();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode(&value.replace('+', " "));
            let flag = || matches!(value.as_str(), "true" | "1");
            match percent_decode(key).as_str() {
                "labelSelector" => params.label_selector = value,
                "fieldSelector" => params.field_selector = value,
                "limit" => params.limit = number(&value)?,
                "continue" => params.continue_token = value,
                "resourceVersion" => params.resource_version = value,
                "resourceVersionMatch" => params.resource_version_match = value,
                "watch" => params.watch = flag(),
                "allowWatchBookmarks" => params.allow_bookmarks = flag(),
                "sendInitialEvents" => params.send_initial_events = Some(flag()),
                "timeoutSeconds" => params.timeout_seconds = Some(number(&value)?),
                "dryRun" => {
                    if value != "All" {
                        let detail = "supported values: \"All\"";
                        return Err(unsupported("dryRun", json!([value]), detail));
                    }
                    params.dry_run = true;
                }
                "fieldManager" => params.field_manager = value,
                "fieldValidation" => {
                    params.field_validation = match value.as_str() {
                        "Ignore" => FieldValidation::Ignore,
                        "Strict" => FieldValidation::Strict,
                        "" | "Warn" => FieldValidation::Warn,
                        other => {
                            let detail = r#"supported values: "", "Ignore", "Strict", "Warn""#;
                            return Err(unsupported("fieldValidation", other.into(), detail));
                        }
                    }
                }
                "force" => params.force = Some(flag()),
                "propagationPolicy" => params.propagation_policy = Some(value),
                "container" => params.container = value,
                "includeObject" => params.include_object = value,
                _ => {}
            }
        }
        Ok(params)
    }
}

/// A negative number is no limit.
fn number(text: &str) -> Result<u64, ApiError> {
    if text.is_empty() {
        return Ok(0);
    }
    match text.parse::<i64>() {
        Ok(number) => Ok(u64::try_from(number).unwrap_or(0)),
        Err(_) => Err(ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))),
    }
}

fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_group_namespace_resource_and_subresource() {
        let parse = |path| ResourcePath::parse(path).unwrap();
        let status = parse("/apis/a.io/v1/namespaces/n/things/x/status");
        assert_eq!((&*status.group, &*status.version, &*status.resource), ("a.io", "v1", "things"));
        assert_eq!((status.namespace.as_deref(), status.name.as_deref()), (Some("n"), Some("x")));
        assert_eq!(status.subresource, "status");
        let namespace = parse("/api/v1/namespaces/n");
        assert_eq!((namespace.namespace, namespace.name.as_deref()), (None, Some("n")));
        assert_eq!(parse("/api/v1/namespaces/n/pods").resource, "pods");
        assert!(ResourcePath::parse("/apis/a.io/v1").is_none());
    }

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(percent_decode("a%20b%zz%"), "a b%zz%");
    }
}
