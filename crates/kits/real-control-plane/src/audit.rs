//! Who asked the server for what, as its audit log tells.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;

/// The audit log of one server, in level Metadata. Cheap to copy; reading is left to who asks.
#[derive(Clone, Debug)]
pub struct AuditLog {
    file: PathBuf,
}

/// A place in an audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// A request that was answered. A watch counts when its answer begins, and not again when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Who.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// API group; empty for the core group and for what is no resource.
    pub group: String,
    /// Plural name; empty for what is no resource.
    pub resource: String,
    /// `status` and so on; else empty.
    pub subresource: String,
    /// Namespace of the object; empty where there is none.
    pub namespace: String,
    /// Its name; empty where the request names none.
    pub name: String,
    /// The path asked for, with its query.
    pub path: String,
    /// The program, as it calls itself.
    pub agent: String,
    /// HTTP status of the answer.
    pub code: u16,
    /// When the request came, in RFC 3339 with microseconds.
    pub received: String,
}

impl Asked {
    /// Whether it asks for a change.
    pub fn is_write(&self) -> bool {
        is_write(&self.verb)
    }

    /// `resource/subresource`, or `resource`.
    pub fn full_resource(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }
}

/// Whether a verb asks for a change.
pub fn is_write(verb: &str) -> bool {
    matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection")
}

impl AuditLog {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// The end of the log as it is now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn mark(&self) -> anyhow::Result<Mark> {
        Ok(Mark(std::fs::metadata(&self.file).with_context(|| self.file.display().to_string())?.len()))
    }

    /// All requests answered since a mark, in the order of their answers; the whole log from `Mark::default()`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn since(&self, mark: Mark) -> anyhow::Result<Vec<Asked>> {
        let mut file = std::fs::File::open(&self.file).with_context(|| self.file.display().to_string())?;
        file.seek(SeekFrom::Start(mark.0))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // The last line may be half written; it is read the next time.
        let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
        Ok(whole.lines().filter_map(asked).collect())
    }
}

fn asked(line: &str) -> Option<Asked> {
    let event: Event = serde_json::from_str(line).ok()?;
    let is_watch = event.verb == "watch";
    // A watch has two lines: one when its answer begins, one when it ends.
    if is_watch != (event.stage == "ResponseStarted") {
        return None;
    }
    let ObjectReference { api_group, resource, subresource, namespace, name } = event.object_ref;
    Some(Asked {
        user: event.user.username,
        verb: event.verb,
        group: api_group,
        resource,
        subresource,
        namespace,
        name,
        path: event.request_uri,
        agent: event.user_agent,
        code: event.response_status.code,
        received: event.request_received_timestamp,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: UserInfo,
    #[serde(default)]
    object_ref: ObjectReference,
    #[serde(default, rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    response_status: ResponseStatus,
    #[serde(default)]
    request_received_timestamp: String,
}

#[derive(Deserialize)]
struct UserInfo {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectReference {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_counts_once_and_other_requests_when_they_are_answered() {
        let line = |stage: &str, verb: &str| {
            format!(
                r#"{{"stage":"{stage}","verb":"{verb}","user":{{"username":"u"}},"requestURI":"/x","objectRef":
                {{"apiGroup":"g","resource":"r","subresource":"status","name":"n"}},"responseStatus":{{"code":200}}}}"#
            )
        };
        let read = |stage, verb| asked(&line(stage, verb)).is_some();
        assert!(read("ResponseStarted", "watch") && read("ResponseComplete", "patch"));
        assert!(!read("ResponseComplete", "watch") && !read("ResponseStarted", "list"));
        let patch = asked(&line("ResponseComplete", "patch")).unwrap();
        assert_eq!((patch.full_resource().as_str(), patch.code, patch.is_write()), ("r/status", 200, true));
        assert!(asked("{").is_none());
    }
}
