//! What a review asks: an operation on an object.

use capt_api::contract::{INFRASTRUCTURE_GROUP, INFRASTRUCTURE_VERSION};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::Refusal;

/// The request of a review. Absent members are empty.
pub(super) struct Request<'a> {
    content: &'a Value,
}

/// What is done to the object.
pub(super) enum Operation<'a> {
    Create {
        object: Object<'a>,
    },
    Update {
        object: Object<'a>,
        old: Object<'a>,
    },
    /// Nothing that a webhook of ours looks at: deleting or connecting.
    Other,
}

impl<'a> Request<'a> {
    pub(super) fn new(content: &'a Value) -> Self {
        Self { content }
    }

    /// The operation with its objects, which have to be of this kind.
    pub(super) fn operation(&self, kind: &str) -> Result<Operation<'a>, Refusal> {
        match self.content.get("operation").and_then(Value::as_str).unwrap_or_default() {
            "CREATE" => Ok(Operation::Create { object: self.object("object", kind)? }),
            "UPDATE" => {
                Ok(Operation::Update { object: self.object("object", kind)?, old: self.object("oldObject", kind)? })
            }
            "DELETE" | "CONNECT" => Ok(Operation::Other),
            unknown => Err(Refusal::Unreadable(format!("unknown operation {unknown:?}"))),
        }
    }

    /// Whether nothing will be stored.
    pub(super) fn is_dry_run(&self) -> bool {
        self.content.get("dryRun") == Some(&Value::Bool(true))
    }

    fn object(&self, member: &str, kind: &str) -> Result<Object<'a>, Refusal> {
        match self.content.get(member) {
            None | Some(Value::Null) => Err(Refusal::Unreadable("there is no content to decode".to_owned())),
            Some(content) => Object::of_kind(content, kind),
        }
    }
}

/// An object of a known kind. Only what a decision needs is ever decoded, so that odd content elsewhere, such as an
/// old status, does not make an object impossible to update.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    content: &'a Value,
}

impl<'a> Object<'a> {
    fn of_kind(content: &'a Value, kind: &str) -> Result<Self, Refusal> {
        let wanted_version = format!("{INFRASTRUCTURE_GROUP}/{INFRASTRUCTURE_VERSION}");
        let text = |member: &str, absent| content.get(member).map_or(Some(absent), Value::as_str).unwrap_or_default();
        let (found_version, found_kind) = (text("apiVersion", wanted_version.as_str()), text("kind", kind));
        if content.is_object() && found_version == wanted_version && found_kind == kind {
            return Ok(Self { content });
        }
        Err(Refusal::Unreadable(format!(
            "unable to decode {found_version}, Kind={found_kind} into *{INFRASTRUCTURE_VERSION}.{kind}"
        )))
    }

    /// The object's name; empty while the server is still to generate it.
    pub(super) fn name(self) -> &'a str {
        self.content.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the object carries this annotation, with any value.
    pub(super) fn has_annotation(self, key: &str) -> bool {
        self.content.pointer("/metadata/annotations").and_then(|all| all.get(key)).is_some()
    }

    /// Whether there is an object at this JSON pointer.
    pub(super) fn has_object_at(self, pointer: &str) -> bool {
        self.content.pointer(pointer).is_some_and(Value::is_object)
    }

    /// The part at this JSON pointer, decoded; its default where there is none.
    pub(super) fn decode<T: DeserializeOwned + Default>(self, pointer: &str) -> Result<T, Refusal> {
        match self.content.pointer(pointer) {
            None | Some(Value::Null) => Ok(T::default()),
            // serde would take a list for a struct, member by member.
            Some(part) if !part.is_object() => {
                Err(Refusal::Unreadable(format!("unable to decode {pointer}: it is no object")))
            }
            Some(part) => T::deserialize(part)
                .map_err(|error| Refusal::Unreadable(format!("unable to decode {pointer}: {error}"))),
        }
    }
}
