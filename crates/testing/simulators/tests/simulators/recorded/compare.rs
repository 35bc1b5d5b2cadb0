//! Where a replay differs from the recording, and which of that is known.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Difference {
    /// `case/kind/number of the event of that kind/part/…`, or `case/order/number of the event`.
    pub place: String,
    #[serde(default)]
    recorded: Option<Value>,
    #[serde(default)]
    replayed: Option<Value>,
}

impl Difference {
    pub fn new(place: &str, recorded: Option<Value>, replayed: Option<Value>) -> Self {
        Self { place: place.to_owned(), recorded, replayed }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(f, "{}\n    recorded: {}\n    replayed: {}", self.place, show(&self.recorded), show(&self.replayed))
    }
}

/// Every place where the two differ: events of a kind one by one, and the order of all.
pub fn differences(case: &str, recorded: &[Value], replayed: &[Value]) -> Vec<Difference> {
    let (recorded, replayed) = (in_order(recorded), in_order(replayed));
    let mut found = Vec::new();
    compare(case, Some(&recorded), Some(&replayed), &mut found);
    found
}

fn in_order(events: &[Value]) -> Value {
    let mut uids = Vec::new();
    let mut kinds = Map::new();
    for event in events {
        let mut event = event.clone();
        name_uids(&mut event, &mut uids);
        let of_kind = kinds.entry(event["kind"].as_str().unwrap()).or_insert_with(|| Value::Array(Vec::new()));
        of_kind.as_array_mut().unwrap().push(event);
    }
    let text = |event: &Value, part: &str| event[part].as_str().unwrap().to_owned();
    let order = events.iter().map(|event| ["event", "kind", "name"].map(|part| text(event, part)).join(" "));
    kinds.insert("order".to_owned(), order.collect());
    kinds.into()
}

/// UIDs differ from run to run: they are told by the order of their coming.
fn name_uids(value: &mut Value, known: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(uid) if key == "uid" => {
                        let at = known.iter().position(|known| known == uid).unwrap_or_else(|| {
                            known.push(uid.clone());
                            known.len() - 1
                        });
                        *uid = format!("uid {}", at + 1);
                    }
                    value => name_uids(value, known),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| name_uids(value, known)),
        _ => {}
    }
}

fn compare(place: &str, recorded: Option<&Value>, replayed: Option<&Value>, found: &mut Vec<Difference>) {
    match (recorded, replayed) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                compare(&format!("{place}/{key}"), a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                compare(&format!("{place}/{}", index + 1), a.get(index), b.get(index), found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(Difference::new(place, a.cloned(), b.cloned())),
    }
}

#[derive(Deserialize)]
struct Entry {
    #[serde(flatten)]
    difference: Difference,
    /// Why it stays.
    why: String,
}

/// The differences that stay.
pub struct Listed {
    entries: Vec<Entry>,
}

impl Listed {
    fn all() -> Self {
        Self::parse(include_str!("../../golden/tinkerbell/differences.yaml"))
    }

    pub fn parse(text: &str) -> Self {
        let entries: Option<Vec<Entry>> = serde_saphyr::from_str(text).unwrap();
        Self { entries: entries.unwrap_or_default() }
    }

    /// Those of one case.
    pub fn of(case: &str) -> Self {
        let mut listed = Self::all();
        listed.entries.retain(|entry| case_of(&entry.difference) == case);
        listed
    }

    /// The cases that have any.
    pub fn namespaces() -> BTreeSet<String> {
        Self::all().entries.iter().map(|entry| case_of(&entry.difference).to_owned()).collect()
    }

    /// What is wrong with the list, or with the replay.
    pub fn judge(&self, found: &[Difference]) -> Vec<String> {
        let is_listed = |found: &&Difference| self.entries.iter().any(|entry| entry.difference == **found);
        let unlisted = found.iter().filter(|found| !is_listed(found)).map(Difference::to_string);
        let gone = self.entries.iter().filter(|entry| !found.contains(&entry.difference));
        let gone = gone.map(|entry| format!("listed, but no longer true ({}): {}", entry.why, entry.difference));
        let no_reason = self.entries.iter().filter(|entry| entry.why.trim().is_empty());
        let no_reason = no_reason.map(|entry| format!("listed without a reason: {}", entry.difference));
        unlisted.chain(gone).chain(no_reason).collect()
    }
}

fn case_of(difference: &Difference) -> &str {
    difference.place.split('/').next().unwrap_or_default()
}
