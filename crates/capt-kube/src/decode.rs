//! Decoding that one bad object cannot break: an object that does not decode becomes [`Guarded::Invalid`].

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::value::RawValue;

/// An object as the server sent it: decoded, or known only by its metadata.
///
/// It decodes from JSON text only. The text is read twice, once to find its end and once for its content, which costs
/// less than a tree of values in between, and leaves the rest of a list intact when one item is bad.
#[derive(Clone)]
pub enum Guarded<K> {
    /// Decoded.
    Valid(K),
    /// Not decoded.
    Invalid(Box<Invalid>),
}

/// What is known of an object that does not decode.
#[derive(Clone, Debug)]
pub struct Invalid {
    /// Its metadata, as far as they are readable.
    pub metadata: ObjectMeta,
    /// Where it does not decode; never what stands there, for an object may hold a secret.
    pub error: String,
}

/// Contents stay out of logs.
impl<K> fmt::Debug for Guarded<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid(_) => "Valid",
            Self::Invalid(_) => "Invalid",
        })
    }
}

/// The part of an object that makes it findable.
#[derive(Deserialize)]
struct Named {
    #[serde(default, deserialize_with = "capt_reconciler::observed::decode::lean")]
    metadata: ObjectMeta,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let error = match serde_json::from_str::<K>(text.get()) {
            Ok(object) => return Ok(Self::Valid(object)),
            Err(error) => error,
        };
        let metadata = serde_json::from_str::<Named>(text.get()).map(|named| named.metadata);
        let metadata = metadata.or_else(|_| bare_metadata(text.get())).map_err(D::Error::custom)?;
        let error = format!("wrong type of value at line {}, column {}", error.line(), error.column());
        Ok(Self::Invalid(Box::new(Invalid { metadata, error })))
    }
}

/// Name, namespace, UID and resourceVersion of an object whose metadata hold something unreadable beside them.
fn bare_metadata(text: &str) -> Result<ObjectMeta, serde_json::Error> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    let member = |name: &str| Some(value.get("metadata")?.get(name)?.as_str()?.to_owned());
    Ok(ObjectMeta {
        name: member("name"),
        namespace: member("namespace"),
        uid: member("uid"),
        resource_version: member("resourceVersion"),
        ..ObjectMeta::default()
    })
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    /// Whatever K's scope: the client makes namespaced APIs of kinds with several versions for dynamic scopes only.
    type Scope = kube::core::DynamicResourceScope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }
    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }
    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }
    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }
    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Valid(object) => object.meta(),
            Self::Invalid(invalid) => &invalid.metadata,
        }
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Valid(object) => object.meta_mut(),
            Self::Invalid(invalid) => &mut invalid.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use capt_reconciler::observed::infra::TinkerbellMachine;
    use kube::core::{ObjectList, WatchEvent};

    #[test]
    fn one_bad_item_does_not_break_a_list() {
        let text = r#"{"apiVersion": "v1", "kind": "TinkerbellMachineList", "metadata": {"resourceVersion": "7"}, "items": [
            {"metadata": {"name": "good"}},
            {"metadata": {"name": "bad", "resourceVersion": "6"}, "spec": {"hardwareName": 5}},
            {"metadata": {"name": "worse", "resourceVersion": "5", "labels": 3}}]}"#;
        let list: ObjectList<Guarded<TinkerbellMachine>> = serde_json::from_str(text).unwrap();
        let states: Vec<_> = list.items.iter().map(|i| (i.meta().name.clone().unwrap(), format!("{i:?}"))).collect();
        let state = |n: &str, s: &str| (n.to_owned(), s.to_owned());
        assert_eq!(states, [state("good", "Valid"), state("bad", "Invalid"), state("worse", "Invalid")]);
        assert_eq!(list.items[2].meta().resource_version.as_deref(), Some("5"));
    }

    #[test]
    fn a_watch_event_decodes_and_what_is_wrong_in_it_is_not_quoted() {
        let text = r#"{"type":"ADDED","object":{"metadata":{"name":"h"},"spec":{"hardwareAffinity":"s3cret"}}}"#;
        let WatchEvent::Added(Guarded::<TinkerbellMachine>::Invalid(invalid)) = serde_json::from_str(text).unwrap()
        else {
            panic!("not recognised as invalid");
        };
        assert!(!invalid.error.contains("s3cret"), "{}", invalid.error);
    }
}
