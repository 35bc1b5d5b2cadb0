//! The API server: what becomes of a write.

use capt_reconciler::effect::{Hold, Kind as Written, Verb, Write};
use serde_json::{Value, json};

use crate::object::{Act, Id, Kind, Typed, Universe, uid_text, version};
use crate::state::State;

/// When everything was made and deleted.
pub const THEN: &str = "2026-01-01T12:00:00Z";

/// What the server says to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// The object is not what the decision saw.
    Conflict,
    /// The write is refused as it is.
    Refused,
}

/// The kind of the small world for a kind that is written.
pub fn kind(written: Written) -> Kind {
    match written {
        Written::TinkerbellCluster => Kind::TinkerbellCluster,
        Written::TinkerbellMachine => Kind::TinkerbellMachine,
        Written::Hardware => Kind::Hardware,
        Written::Template => Kind::Template,
        Written::Workflow => Kind::Workflow,
        Written::Job => Kind::Job,
        Written::IPAddressClaim => Kind::IPAddressClaim,
    }
}

/// Performs a write of the manager. `place` tells writes apart.
pub fn write(universe: &mut Universe, state: &mut State, write: &Write, place: usize) -> Answer {
    if is_held(universe, state, write) {
        return Answer::Conflict;
    }
    let kind = kind(write.kind);
    let key = universe.key_id(kind, &write.key);
    let current = state.at(universe, key);
    match (&write.verb, current) {
        (Verb::Create(_), Some(_)) | (Verb::Merge(_) | Verb::Json(_) | Verb::Status(_) | Verb::Delete { .. }, None) => {
            Answer::Conflict
        }
        (Verb::Create(_), None) if state.namespace_ends => Answer::Refused,
        (Verb::Create(body), None) => {
            let mut body = body.clone();
            body["metadata"]["name"] = json!(write.key.name);
            body["metadata"]["namespace"] = json!(write.key.namespace);
            create(universe, state, kind, body);
            Answer::Done
        }
        (Verb::Delete { uid }, Some(id)) => {
            if universe.get(id).text("/metadata/uid") != uid {
                return Answer::Conflict;
            }
            delete(universe, state, id);
            Answer::Done
        }
        (Verb::Merge(_) | Verb::Json(_) | Verb::Status(_), Some(id)) => {
            let act = Act::Write(place);
            let result = universe.known_result(id, act).unwrap_or_else(|| {
                let result = patched(universe, id, write).and_then(|object| replaced(universe, id, object));
                universe.know_result(id, act, result);
                result
            });
            settle(universe, state, id, result)
        }
    }
}

/// The object with the patch applied, unless that does not apply.
fn patched(universe: &Universe, id: Id, write: &Write) -> Option<Value> {
    let mut object = with_version(universe, id);
    match &write.verb {
        Verb::Merge(patch) | Verb::Status(patch) => json_patch::merge(&mut object, patch),
        Verb::Json(patch) => {
            let patch = serde_json::from_value::<json_patch::Patch>(patch.clone()).ok()?;
            json_patch::patch(&mut object, &patch).ok()?;
        }
        Verb::Create(_) | Verb::Delete { .. } => return None,
    }
    Some(object)
}

/// Whether the manager itself keeps the write back: its stores show the address on another Hardware.
fn is_held(universe: &Universe, state: &State, write: &Write) -> bool {
    let Some(Hold::Address(address)) = write.hold else { return false };
    let text = address.to_string();
    state.view(universe).into_iter().any(|id| {
        let object = universe.get(id);
        matches!(&object.typed, Typed::Hardware(hardware)
            if object.key != write.key && hardware.addresses().any(|other| other == text))
    })
}

fn with_version(universe: &Universe, id: Id) -> Value {
    let mut object = universe.get(id).json.clone();
    object["metadata"]["resourceVersion"] = json!(version(id));
    object
}

/// The content that the server would put in the place of what was there, unless it refuses. One that is on its way out
/// and has no finalizer left is gone: its content stays what it was.
fn replaced(universe: &mut Universe, id: Id, object: Value) -> Option<Id> {
    let (before, kind) = (universe.get(id), universe.get(id).kind);
    let same = |pointer: &str, expected: &str| {
        object.pointer(pointer).and_then(Value::as_str).is_none_or(|text| text == expected)
    };
    if !same("/metadata/resourceVersion", &version(id)) || !same("/metadata/uid", before.text("/metadata/uid")) {
        return None;
    }
    let all = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let mut all = all.into_iter().flatten().filter_map(Value::as_str);
    if before.is_terminating() && all.any(|finalizer| !before.finalizers().contains(&finalizer)) {
        return None;
    }
    Some(universe.intern(kind, object))
}

/// Puts a content in the place of another one.
fn settle(universe: &Universe, state: &mut State, id: Id, result: Option<Id>) -> Answer {
    let Some(new) = result else { return Answer::Conflict };
    let object = universe.get(new);
    if object.is_terminating() && object.finalizers().is_empty() {
        state.remove(universe, id);
    } else {
        state.put(universe, new);
    }
    Answer::Done
}

/// Puts a new object on the server, whoever makes it.
pub fn create(universe: &mut Universe, state: &mut State, kind: Kind, mut body: Value) -> Id {
    body["metadata"]["uid"] = json!(uid_text(state.fresh_uid(universe, kind)));
    body["metadata"]["creationTimestamp"] = json!(THEN);
    let id = universe.intern(kind, body);
    state.put(universe, id);
    id
}

/// Changes an object, whoever does it. One that is on its way out goes with its last finalizer.
pub fn change(universe: &mut Universe, state: &mut State, id: Id, change: impl FnOnce(&mut Value)) {
    let mut object = with_version(universe, id);
    change(&mut object);
    let result = replaced(universe, id, object);
    settle(universe, state, id, result);
}

/// Changes an object in a way that depends on nothing else.
pub fn change_always(
    universe: &mut Universe,
    state: &mut State,
    id: Id,
    name: &'static str,
    change: impl FnOnce(&mut Value),
) {
    let act = Act::Named(name);
    let result = universe.known_result(id, act).unwrap_or_else(|| {
        let mut object = with_version(universe, id);
        change(&mut object);
        let result = replaced(universe, id, object);
        universe.know_result(id, act, result);
        result
    });
    settle(universe, state, id, result);
}

/// Deletes an object, whoever does it.
pub fn delete(universe: &mut Universe, state: &mut State, id: Id) {
    if universe.get(id).finalizers().is_empty() {
        state.remove(universe, id);
    } else if !universe.get(id).is_terminating() {
        let result = universe.known_result(id, Act::Deletion).unwrap_or_else(|| {
            let (kind, mut json) = (universe.get(id).kind, universe.get(id).json.clone());
            json["metadata"]["deletionTimestamp"] = json!(THEN);
            let result = Some(universe.intern(kind, json));
            universe.know_result(id, Act::Deletion, result);
            result
        });
        settle(universe, state, id, result);
    }
}
