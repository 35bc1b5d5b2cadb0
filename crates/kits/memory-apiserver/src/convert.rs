//! Between the version objects are stored at and those they are served at.

use crate::kind::{Behaviour, Kind, Served};
use crate::meta;
use serde_json::{Map, Value};

/// The members of an Event that `events.k8s.io` names otherwise: core name, new name.
const EVENT_FIELDS: [(&str, &str); 6] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];
const EVENT_COMPONENT: [(&str, &str); 2] =
    [("reportingComponent", "reportingController"), ("reportingInstance", "reportingInstance")];

/// The value at `served`, where that is more than another `apiVersion`; `None` where it is not.
pub(crate) fn to_served(value: &Value, kind: &Kind, served: &Served) -> Option<Value> {
    (kind.behaviour == Behaviour::Event && served.group != kind.group).then(|| renamed(value, false))
}

/// Brings a client's value to the storage version.
pub(crate) fn to_storage(mut value: Value, kind: &Kind, served: &Served) -> Value {
    if kind.behaviour == Behaviour::Event && served.group != kind.group {
        value = renamed(&value, true);
    }
    meta::object_mut(&mut value).insert("apiVersion".to_owned(), Value::from(kind.storage.as_str()));
    value
}

fn renamed(value: &Value, to_core: bool) -> Value {
    let rename = |key: &str| {
        let pairs = EVENT_FIELDS.iter().chain(&EVENT_COMPONENT);
        let mut found = pairs.map(|(core, new)| if to_core { (*new, *core) } else { (*core, *new) });
        found.find(|(from, _)| *from == key).map_or_else(|| key.to_owned(), |(_, to)| to.to_owned())
    };
    let members = value.as_object().into_iter().flatten();
    Value::Object(members.map(|(key, member)| (rename(key), member.clone())).collect::<Map<String, Value>>())
}
