//! Objects of the API server, each kept once: a state of the world is a list of small numbers.
//!
//! An object carries no counter. Its `resourceVersion` is the number under which its content is kept: two equal contents
//! have one version, so that states that differ only in how often something was written are one state. A write that
//! holds for a version still fails when anything at all has changed.

use std::sync::Arc;

use ahash::AHashMap;
use capt_api::contract::OTHER_JOBS_SEEN_ANNOTATION;
use capt_api::meta::ObjectKey;
use capt_reconciler::observed::bmc::Job;
use capt_reconciler::observed::cluster_api::{Cluster, IPAddress, IPAddressClaim, Machine};
use capt_reconciler::observed::infra::{TinkerbellCluster, TinkerbellMachine};
use capt_reconciler::observed::tinkerbell::{Hardware, Template, Workflow};
use serde_json::{Value, json};

/// Number of an object's content.
pub type Id = u32;
/// Number of a kind, namespace and name.
pub type KeyId = u16;
/// Number of a UID.
pub type Uid = u16;

/// The kinds of the small world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Cluster API's cluster.
    Cluster,
    /// Cluster API's machine.
    Machine,
    /// Our cluster.
    TinkerbellCluster,
    /// Our machine.
    TinkerbellMachine,
    /// A server.
    Hardware,
    /// A server's BMC, as rufio knows it.
    BmcMachine,
    /// What a server has to do.
    Template,
    /// One run of a Template.
    Workflow,
    /// A list of BMC actions.
    Job,
    /// One BMC action.
    Task,
    /// A request for an address.
    IPAddressClaim,
    /// An address.
    IPAddress,
}

/// An object as the reconciler reads it.
#[derive(Clone, Debug)]
pub enum Typed {
    /// Cluster API's cluster.
    Cluster(Arc<Cluster>),
    /// Cluster API's machine.
    Machine(Arc<Machine>),
    /// Our cluster.
    TinkerbellCluster(Arc<TinkerbellCluster>),
    /// Our machine.
    TinkerbellMachine(Arc<TinkerbellMachine>),
    /// A server.
    Hardware(Arc<Hardware>),
    /// What a server has to do.
    Template(Arc<Template>),
    /// One run of a Template.
    Workflow(Arc<Workflow>),
    /// A list of BMC actions.
    Job(Arc<Job>),
    /// A request for an address.
    IPAddressClaim(Arc<IPAddressClaim>),
    /// An address.
    IPAddress(Arc<IPAddress>),
    /// Nothing that the reconciler reads.
    Unread,
}

/// One content of one object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Namespace and name.
    pub key: ObjectKey,
    /// The number of kind, namespace and name.
    pub key_id: KeyId,
    /// The object, without a resourceVersion.
    pub json: Value,
    /// The object as the reconciler reads it.
    pub typed: Typed,
    /// Its UID.
    pub uid: Uid,
    /// The UID of its controller.
    pub controller: Option<Uid>,
    /// Name of its controller.
    pub controller_name: String,
    /// Every UID that stands anywhere in it.
    pub mentions: Vec<Uid>,
}

impl Object {
    /// Whether it is on its way out.
    pub fn is_terminating(&self) -> bool {
        self.json.pointer("/metadata/deletionTimestamp").is_some()
    }

    /// A text in it, empty when absent.
    pub fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its finalizers.
    pub fn finalizers(&self) -> Vec<&str> {
        let all = self.json.pointer("/metadata/finalizers").and_then(Value::as_array);
        all.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// All objects that any state of this run holds.
#[derive(Default)]
pub struct Universe {
    objects: Vec<Object>,
    by_content: AHashMap<(Kind, String), Id>,
    keys: AHashMap<(Kind, ObjectKey), KeyId>,
    all_keys: Vec<(Kind, ObjectKey)>,
    results: AHashMap<(Id, Act), Option<Id>>,
}

/// A change that always does the same to the same object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A neighbour's, by its name.
    Named(&'static str),
    /// A write of the manager, by the place where its decision is kept.
    Write(usize),
    /// The deletion.
    Deletion,
}

/// The text of a UID. Every group of it carries the number, so that any part of it that goes into a name tells it apart.
pub fn uid_text(uid: Uid) -> String {
    format!("{uid:04x}{uid:04x}-{uid:04x}-4{:03x}-a{:03x}-{uid:04x}{uid:04x}{uid:04x}", uid & 0xfff, uid & 0xfff)
}

/// The number of a UID's text.
pub fn uid_number(text: &str) -> Option<Uid> {
    let number = Uid::from_str_radix(text.get(..4)?, 16).ok()?;
    (uid_text(number) == text).then_some(number)
}

/// Every UID in a text.
fn mentions(text: &str) -> Vec<Uid> {
    const LENGTH: usize = 36;
    let mut found = Vec::new();
    // A UID's text has its first hyphen after eight digits.
    for (hyphen, _) in text.match_indices("-") {
        let Some(start) = hyphen.checked_sub(8) else { continue };
        if let Some(uid) = text.get(start..start + LENGTH).and_then(uid_number)
            && !found.contains(&uid)
        {
            found.push(uid);
        }
    }
    found
}

impl Universe {
    /// An object by its number.
    pub fn get(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    /// Kind, namespace and name by their number.
    pub fn key(&self, id: KeyId) -> &(Kind, ObjectKey) {
        &self.all_keys[usize::from(id)]
    }

    /// What this change made of this object, if it is known: another content, or nothing that the server would take.
    pub fn known_result(&self, id: Id, act: Act) -> Option<Option<Id>> {
        self.results.get(&(id, act)).copied()
    }

    /// Remembers what this change makes of this object.
    pub fn know_result(&mut self, id: Id, act: Act, result: Option<Id>) {
        self.results.insert((id, act), result);
    }

    /// How many contents there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The number of a kind, namespace and name.
    pub fn key_id(&mut self, kind: Kind, key: &ObjectKey) -> KeyId {
        if let Some(id) = self.keys.get(&(kind, key.clone())) {
            return *id;
        }
        let id = KeyId::try_from(self.all_keys.len()).expect("a small world has few names");
        self.all_keys.push((kind, key.clone()));
        self.keys.insert((kind, key.clone()), id);
        id
    }

    /// The number of a kind, namespace and name, if anything ever had them.
    pub fn known_key(&self, kind: Kind, key: &ObjectKey) -> Option<KeyId> {
        self.keys.get(&(kind, key.clone())).copied()
    }

    /// The number of this content.
    pub fn intern(&mut self, kind: Kind, mut json: Value) -> Id {
        if let Some(metadata) = json.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
        }
        tidy(&mut json);
        let text = json.to_string();
        if let Some(id) = self.by_content.get(&(kind, text.clone())) {
            return *id;
        }
        let id = Id::try_from(self.objects.len()).expect("a small world has few objects");
        let part = |name: &str| json.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = ObjectKey::new(part("/metadata/namespace"), part("/metadata/name"));
        let owners = json.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let controller = owners.into_iter().flatten().find(|owner| owner.get("controller") == Some(&json!(true)));
        let of_controller = |name: &str| controller.and_then(|c| c.get(name)).and_then(Value::as_str);
        let object = Object {
            kind,
            key_id: self.key_id(kind, &key),
            key,
            uid: uid_number(&part("/metadata/uid")).expect("every object has a UID"),
            controller: of_controller("uid").and_then(uid_number),
            controller_name: of_controller("name").unwrap_or_default().to_owned(),
            mentions: mentions(&text),
            typed: Typed::Unread,
            json,
        };
        let object = finished(object, id);
        self.objects.push(object);
        self.by_content.insert((kind, text), id);
        id
    }
}

/// The `resourceVersion` of a content.
pub fn version(id: Id) -> String {
    (u64::from(id) + 1).to_string()
}

/// One order of members and no empty ones, so that equal contents have equal texts.
fn tidy(json: &mut Value) {
    match json {
        Value::Object(members) => {
            for member in members.values_mut() {
                tidy(member);
            }
            members.retain(|name, member| {
                let is_empty = match &*member {
                    Value::Object(inner) => inner.is_empty() && name != "netboot" && name != "dhcp",
                    Value::Array(inner) => inner.is_empty(),
                    _ => false,
                };
                !is_empty
            });
            members.sort_keys();
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Versions of one Job.
const VERSIONS_OF_A_JOB: u64 = 8;

/// The version that the reconciler sees. Those of Jobs tell which of two is newer: it asks for that.
fn seen_version(object: &Object, id: Id) -> String {
    if object.kind != Kind::Job {
        return version(id);
    }
    let progress = match object.text("/status/conditions/0/type") {
        "" => 0,
        "Running" => 1,
        _ => 2,
    };
    let leaves = if object.is_terminating() { 4 } else { 0 };
    (u64::from(object.uid) * VERSIONS_OF_A_JOB + progress + leaves).to_string()
}

/// The object as the reconciler reads it, and what it mentions only by a version.
fn finished(mut object: Object, id: Id) -> Object {
    let mut json = object.json.clone();
    json["metadata"]["resourceVersion"] = json!(seen_version(&object, id));
    object.typed = typed(object.kind, json);
    let annotations = object.json.pointer("/metadata/annotations");
    let seen = annotations.and_then(|all| all.get(OTHER_JOBS_SEEN_ANNOTATION)).and_then(Value::as_str);
    if let Some(seen) = seen.and_then(|text| text.parse::<u64>().ok()) {
        object.mentions.extend(Uid::try_from(seen / VERSIONS_OF_A_JOB).ok());
    }
    object
}

fn typed(kind: Kind, json: Value) -> Typed {
    fn read<K: serde::de::DeserializeOwned>(json: Value) -> Arc<K> {
        Arc::new(serde_json::from_value(json).expect("the model makes objects that can be read"))
    }
    match kind {
        Kind::Cluster => Typed::Cluster(read(json)),
        Kind::Machine => Typed::Machine(read(json)),
        Kind::TinkerbellCluster => Typed::TinkerbellCluster(read(json)),
        Kind::TinkerbellMachine => Typed::TinkerbellMachine(read(json)),
        Kind::Hardware => Typed::Hardware(read(json)),
        Kind::Template => Typed::Template(read(json)),
        Kind::Workflow => Typed::Workflow(read(json)),
        Kind::Job => Typed::Job(read(json)),
        Kind::IPAddressClaim => Typed::IPAddressClaim(read(json)),
        Kind::IPAddress => Typed::IPAddress(read(json)),
        Kind::BmcMachine | Kind::Task => Typed::Unread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_found_wherever_it_stands() {
        let text = format!("a-b {} job-{}-1", uid_text(7), uid_text(300));
        assert_eq!(mentions(&text), [7, 300]);
        assert_eq!(uid_number(&uid_text(300)), Some(300));
        assert_eq!(uid_number("00070007-0007-4007-a007-000700070008"), None);
    }

    #[test]
    fn equal_contents_are_one_object() {
        let mut universe = Universe::default();
        let make = |version: &str| {
            json!({"metadata": {"name": "h", "namespace": "n", "uid": uid_text(1),
            "resourceVersion": version, "labels": {}}})
        };
        let one = universe.intern(Kind::Hardware, make("1"));
        assert_eq!(universe.intern(Kind::Hardware, make("2")), one);
    }
}
