//! Taking out of answers what differs from run to run: uids, resource versions, times, names made at random.

use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

pub struct Normaliser {
    unique: String,
    uids: Vec<String>,
    versions: BTreeSet<u64>,
    generated: Vec<(String, String)>,
    uid: Regex,
    time: Regex,
    micro_time: Regex,
    mentioned: Regex,
}

impl Normaliser {
    pub fn new(unique: &str) -> Self {
        let regex = |text: &str| Regex::new(text).unwrap();
        Self {
            unique: unique.to_owned(),
            uids: Vec::new(),
            versions: BTreeSet::new(),
            generated: Vec::new(),
            uid: regex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
            // Times the cases write themselves lie before 2025 and stay.
            time: regex("20(2[5-9]|[3-9][0-9])-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"),
            micro_time: regex("20(2[5-9]|[3-9][0-9])-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{6}Z"),
            mentioned: regex(
                "resourceVersion\\\\*\":\\\\*\"([0-9]+)|(?:record|precondition) \\(([0-9]+)\\)|current: ([0-9]+)|version: [0-9]+ \\(([0-9]+)\\)",
            ),
        }
    }

    pub fn normalise(mut self, mut transcript: Value) -> Value {
        self.collect(&transcript);
        self.replace(&mut transcript);
        transcript.sort_all_objects();
        transcript
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(|v| self.collect(v)),
            Value::Object(map) => {
                let meta = |key: &str| map.get("metadata").and_then(|m| m.get(key)).and_then(Value::as_str);
                if let Some(version) = meta("resourceVersion").filter(|_| !is_list(map)) {
                    self.versions.extend(version.parse::<u64>());
                }
                if let (Some(prefix), Some(name)) = (meta("generateName"), meta("name"))
                    && name.len() == prefix.len() + 5
                    && name.starts_with(prefix)
                    && !self.generated.iter().any(|(known, _)| known == name)
                {
                    let place = format!("{prefix}<generated-{}>", self.generated.len() + 1);
                    self.generated.push((name.to_owned(), place));
                }
                map.values().for_each(|v| self.collect(v));
            }
            _ => {}
        }
    }

    fn replace(&mut self, value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|v| self.replace(v)),
            Value::Object(map) => {
                let list = is_list(map);
                match map.get("kind").and_then(Value::as_str) {
                    Some("Table") => {
                        let columns = map.get("columnDefinitions").and_then(Value::as_array).cloned();
                        ages(map.get_mut("rows"), columns.as_deref());
                        drop_documentation(map);
                    }
                    Some("APIResourceList") => sort(map.get_mut("resources"), &["name"]),
                    _ => {}
                }
                // A case may keep no more of a table than this.
                ages(map.get_mut("/rows"), None);
                if map.get("reason").and_then(Value::as_str) == Some("Conflict") {
                    sort(map.get_mut("details").and_then(|details| details.get_mut("causes")), &["field", "message"]);
                }
                if let Some(meta) = map.get_mut("metadata").and_then(Value::as_object_mut) {
                    let versioned = meta.get("resourceVersion").and_then(Value::as_str).map(|v| self.version(v, list));
                    if let Some(version) = versioned {
                        meta.insert("resourceVersion".to_owned(), Value::String(version));
                    }
                    sort(meta.get_mut("managedFields"), &["manager", "operation", "subresource", "apiVersion"]);
                    if let Some(token) = meta.get_mut("continue").filter(|t| t.as_str() != Some("")) {
                        *token = Value::String("<continue>".to_owned());
                    }
                }
                map.values_mut().for_each(|v| self.replace(v));
                // Keys of field sets name uids too.
                *map = std::mem::take(map).into_iter().map(|(key, v)| (self.text(&key), v)).collect();
            }
            Value::String(text) => *text = self.text(text),
            _ => {}
        }
    }

    /// Versions of objects by their order in the case; those of lists and bookmarks move with other clients' writes.
    fn version(&self, version: &str, list: bool) -> String {
        match version.parse::<u64>().ok().and_then(|v| self.versions.iter().position(|known| *known == v)) {
            _ if list => "<version>".to_owned(),
            Some(place) => format!("<version-{}>", place + 1),
            None => version.to_owned(),
        }
    }

    fn text(&mut self, text: &str) -> String {
        let mut text = text.replace(&self.unique, "<unique>");
        for (name, place) in &self.generated {
            text = text.replace(name, place);
        }
        while let Some(found) = self.uid.find(&text).map(|m| m.as_str().to_owned()) {
            let place = self.uids.iter().position(|known| *known == found).unwrap_or_else(|| {
                self.uids.push(found.clone());
                self.uids.len() - 1
            });
            text = text.replace(&found, &format!("<uid-{}>", place + 1));
        }
        let text = self.micro_time.replace_all(&text, "<micro-time>");
        let text = self.time.replace_all(&text, "<time>");
        let text = self.mentioned.replace_all(&text, |found: &regex::Captures<'_>| {
            let number = found.iter().skip(1).flatten().next().unwrap().as_str();
            let whole = &found[0];
            let at = whole.rfind(number).unwrap();
            format!("{}{}{}", &whole[..at], self.version(number, whole.contains(':')), &whole[at + number.len()..])
        });
        text.into_owned()
    }
}

/// Lists, tables and bookmarks.
fn is_list(map: &serde_json::Map<String, Value>) -> bool {
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
    let name = map.get("metadata").and_then(|m| m.get("name"));
    kind.ends_with("List") || kind == "Table" || name.is_none()
}

/// Sorts a list of which the server promises no order: conflicts of an apply, managers by the second of their writes, resources by the moment
/// their definitions were seen.
fn sort(list: Option<&mut Value>, keys: &[&str]) {
    if let Some(Value::Array(list)) = list {
        list.sort_by_key(|item| {
            keys.iter().map(|key| item[*key].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        });
    }
}

/// The text about the first column, a name's, is Kubernetes' own documentation, which memory-apiserver does not copy.
fn drop_documentation(table: &mut serde_json::Map<String, Value>) {
    if let Some(name) = table.get_mut("columnDefinitions").and_then(|columns| columns.get_mut(0)) {
        name["description"] = Value::String("<documentation>".to_owned());
    }
}

/// Cells of columns of type `date` tell how long ago that was; where nobody says which those are, all that look like it.
fn ages(rows: Option<&mut Value>, columns: Option<&[Value]>) {
    let is_date =
        |column: &Value| column["type"] == "date" || column["name"] == "Age" || column["name"] == "Created At";
    let is_seconds = |cell: &str| cell.strip_suffix('s').is_some_and(|number| number.parse::<u32>().is_ok());
    for row in rows.and_then(Value::as_array_mut).into_iter().flatten() {
        for (index, cell) in row["cells"].as_array_mut().into_iter().flatten().enumerate() {
            let Value::String(cell) = cell else { continue };
            let is_age = match columns {
                Some(columns) => columns.get(index).is_some_and(is_date) && cell.ends_with('s'),
                None => is_seconds(cell),
            };
            if is_age {
                *cell = "<age>".to_owned();
            }
        }
    }
}
