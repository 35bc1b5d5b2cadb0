//! Get and list: versions, pages, selectors.

use super::{Call, Failure};
use crate::error::{ApiError, FieldError, FieldErrorKind};
use crate::golang;
use crate::meta;
use crate::selectors::Selector;
use crate::store::Object;
use crate::table;
use crate::view::View;
use base64::Engine;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// A page of a list.
struct Page {
    objects: Vec<Arc<Object>>,
    resource_version: u64,
    continue_token: String,
    remaining: Option<usize>,
}

/// What a continue token says: the version all pages are of, and the key to go on after. Without a version it stands for
/// the inconsistent continuation that a 410 offers.
struct Token {
    rv: Option<u64>,
    after: String,
}

impl Token {
    fn encode(&self) -> String {
        let rv = self.rv.map_or(json!(-1), |rv| json!(rv));
        let text = json!({"v": "meta.k8s.io/v1", "rv": rv, "start": self.after}).to_string();
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    }

    fn decode(token: &str) -> Result<Self, ApiError> {
        let invalid =
            |why: &str| ApiError::bad_request(format!("invalid continue token: continue key is not valid{why}"));
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|error| invalid(&format!(": {}", golang::base64_error(token, &error))))?;
        if let Some(why) = golang::syntax_error(&bytes) {
            return Err(invalid(&format!(": {why}")));
        }
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| invalid(&format!(": {error}")))?;
        if !value.is_object() && !value.is_null() {
            return Err(invalid(&format!(": {}", golang::type_error(&value, "storage.continueToken"))));
        }
        let version = meta::text(&value, "v");
        if version != "meta.k8s.io/v1" {
            return Err(invalid(&format!(": server does not recognize this encoded version {version}")));
        }
        let after = meta::text(&value, "start").to_owned();
        match value.get("rv").and_then(Value::as_i64).unwrap_or_default() {
            0 => Err(invalid(": incorrect encoded start resourceVersion (version meta.k8s.io/v1)")),
            _ if after.is_empty() => Err(invalid(": encoded start key empty (version meta.k8s.io/v1)")),
            rv => Ok(Self { rv: u64::try_from(rv).ok(), after }),
        }
    }
}

/// A `resourceVersion` parameter; `None` if it is not given.
pub(crate) fn parse_version(text: &str) -> Result<Option<u64>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        ApiError::bad_request(format!(
            "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
        ))
    })
}

impl Call<'_> {
    /// GET of one object.
    pub(crate) fn get(&self, view: View) -> Result<Bytes, Failure> {
        let asked =
            parse_version(&self.params.resource_version).map_err(|error| ApiError::new(500, "", error.message))?;
        if let Some(rv) = asked {
            let current = self.inner.state.lock().rv;
            if rv > current {
                return Err(ApiError::too_large_resource_version(rv, current).into());
            }
        }
        let object = self.current()?;
        Ok(view.object(&object, self.kind(), self.route.version, true, self.inner.clock.now()))
    }

    /// GET of a collection.
    pub(crate) fn list(&self, view: View) -> Result<Bytes, Failure> {
        self.check_list_options(false)?;
        let selector = self.selector()?;
        let page = self.page(&selector)?;
        Ok(self.encode(&page, view))
    }

    pub(crate) fn selector(&self) -> Result<Selector, ApiError> {
        let params = self.params;
        Selector::parse(&params.label_selector, &params.field_selector, self.served, self.kind().namespaced)
    }

    /// What all keys of the collection start with.
    pub(crate) fn prefix(&self) -> String {
        self.namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default()
    }

    /// Everything the selector selects, now.
    pub(crate) fn selected(&self) -> Result<Vec<Arc<Object>>, Failure> {
        let selector = self.selector()?;
        let state = self.inner.state.lock();
        let resource = state.resources.get(&self.route.id).ok_or_else(ApiError::no_such_path)?;
        let prefix = self.prefix();
        let all = resource.objects_under(&prefix).map(|(_, object)| object);
        Ok(all.filter(|object| selector.matches(&object.value)).cloned().collect())
    }

    fn page(&self, selector: &Selector) -> Result<Page, Failure> {
        let params = self.params;
        let asked = parse_version(&params.resource_version).map_err(|mut error| {
            error.message.insert_str(0, "invalid resource version: ");
            error
        })?;
        let state = self.inner.state.lock();
        let resource = state.resources.get(&self.route.id).ok_or_else(ApiError::no_such_path)?;
        let current = state.rv;
        if let Some(rv) = asked.filter(|rv| *rv > current) {
            return Err(ApiError::too_large_resource_version(rv, current).into());
        }
        let prefix = self.prefix();
        let floor = state.history_floor(self.route.id);
        let (at, after) = if params.continue_token.is_empty() {
            let exact = params.resource_version_match == "Exact"
                || (params.resource_version_match.is_empty() && params.limit > 0 && asked.is_some_and(|rv| rv > 0));
            let at = asked.filter(|rv| exact && *rv > 0);
            if at.is_some_and(|rv| rv < floor) {
                let message = "The resourceVersion for the provided list is too old.";
                return Err(ApiError::expired(message).into());
            }
            (at.unwrap_or(current), None)
        } else {
            let token = Token::decode(&params.continue_token)?;
            if token.rv.is_some_and(|rv| rv < floor) {
                let mut error = ApiError::expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a new \
                     list without the continue parameter, or use the continue token in this response to retrieve the \
                     remainder of the results. Continuing with the provided token results in an inconsistent list - objects \
                     that were created, modified, or deleted between the time the first chunk was returned and now may show \
                     up in the list.",
                );
                error.details.continue_token = Some(Token { rv: None, after: token.after }.encode());
                return Err(error.into());
            }
            (token.rv.unwrap_or(current), Some(token.after))
        };
        let started = |key: &str| after.as_deref().is_none_or(|after| key > after);
        let mut objects: Vec<Arc<Object>> = if at == current {
            resource.objects_under(&prefix).filter(|(key, _)| started(key)).map(|(_, o)| o.clone()).collect()
        } else {
            let then = resource.objects_at(&prefix, at);
            then.into_iter().filter(|(key, _)| started(key)).map(|(_, object)| object).collect()
        };
        drop(state);
        if !selector.is_empty() {
            objects.retain(|object| selector.matches(&object.value));
        }
        let limit = usize::try_from(params.limit).unwrap_or(usize::MAX);
        let mut page = Page { objects, resource_version: at, continue_token: String::new(), remaining: None };
        if limit > 0 && page.objects.len() > limit {
            let left = page.objects.len() - limit;
            page.objects.truncate(limit);
            if let Some(last) = page.objects.last() {
                let namespace = self.kind().namespaced.then(|| last.namespace());
                let after = crate::store::key_of(namespace, last.name());
                page.continue_token = Token { rv: Some(at), after }.encode();
            }
            page.remaining = selector.is_empty().then_some(left);
        }
        Ok(page)
    }

    fn encode(&self, page: &Page, view: View) -> Bytes {
        let (kind, version) = (self.kind(), self.route.version);
        let rv = page.resource_version.to_string();
        if let View::Table(include) = view {
            let now = self.inner.clock.now();
            let mut rows = page.objects.iter().map(Arc::as_ref);
            return table::table(
                &mut rows,
                &rv,
                &page.continue_token,
                page.remaining,
                kind,
                version,
                include,
                true,
                now,
            );
        }
        let (list_kind, api_version) = match view {
            View::Partial => ("PartialObjectMetadataList", "meta.k8s.io/v1"),
            _ => (kind.list_kind.as_str(), self.served.api_version.as_str()),
        };
        let mut metadata = json!({"resourceVersion": rv});
        if let Some(map) = metadata.as_object_mut() {
            // A list of custom resources always has the member.
            if !page.continue_token.is_empty() || (kind.is_custom() && view == View::Full) {
                map.insert("continue".to_owned(), json!(page.continue_token));
            }
            if let Some(remaining) = page.remaining {
                map.insert("remainingItemCount".to_owned(), json!(remaining));
            }
        }
        let head = json!({"kind": list_kind, "apiVersion": api_version, "metadata": metadata}).to_string();
        let items: Vec<Bytes> = page
            .objects
            .iter()
            .map(|object| match view {
                View::Partial => crate::view::partial(object),
                _ => object.json(kind, version),
            })
            .collect();
        let mut out = Vec::with_capacity(head.len() + 16 + items.iter().map(|i| i.len() + 1).sum::<usize>());
        out.extend_from_slice(head.trim_end_matches('}').as_bytes());
        // The metadata's own brace was trimmed with the outer one.
        out.extend_from_slice(br#"},"items":["#);
        // A typed list does not repeat the type in its items.
        let skip = if view == View::Full && !kind.is_custom() { self.served.prefix.len() + 1 } else { 0 };
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            if skip > 0 {
                out.push(b'{');
            }
            out.extend_from_slice(item.get(skip..).unwrap_or_default());
        }
        out.extend_from_slice(b"]}");
        Bytes::from(out)
    }

    /// The rules by which list and watch parameters may be combined.
    pub(crate) fn check_list_options(&self, watch: bool) -> Result<(), ApiError> {
        let params = self.params;
        let (version, rule) = (params.resource_version.as_str(), params.resource_version_match.as_str());
        let mut errors = Vec::new();
        let forbidden = |field: &str, detail: &str| FieldError::forbidden(field, detail);
        if !rule.is_empty() {
            if version.is_empty() && !watch {
                errors.push(forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                ));
            }
            if !params.continue_token.is_empty() {
                errors.push(forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden when continue is provided",
                ));
            }
            if !watch && !matches!(rule, "Exact" | "NotOlderThan") {
                let detail = r#"supported values: "Exact", "NotOlderThan", """#;
                let kind = FieldErrorKind::NotSupported;
                errors.push(FieldError::with_value(kind, "resourceVersionMatch", &json!(rule), detail));
            }
            if !watch && rule == "Exact" && version == "0" {
                let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                errors.push(forbidden("resourceVersionMatch", detail));
            }
        }
        match params.send_initial_events {
            Some(_) if !watch => {
                errors.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
            }
            Some(_) if rule != "NotOlderThan" => {
                let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                errors.push(forbidden("resourceVersionMatch", detail));
            }
            None if watch && !rule.is_empty() => {
                let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                errors.push(forbidden("resourceVersionMatch", detail));
            }
            _ => {}
        }
        if watch && !matches!(rule, "" | "NotOlderThan") {
            let (kind, detail) = (FieldErrorKind::NotSupported, r#"supported values: "NotOlderThan""#);
            errors.push(FieldError::with_value(kind, "resourceVersionMatch", &json!(rule), detail));
        }
        if !params.continue_token.is_empty() && !version.is_empty() && version != "0" {
            return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
        }
        if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", &errors)) }
    }
}
