//! Comparing answers with recordings.

use serde_json::Value;
use std::fmt;

pub struct Difference {
    /// `topic/case/step/part/…`
    pub place: String,
    expected: Option<Value>,
    actual: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(f, "{}\n    recorded: {}\n    answered: {}", self.place, show(&self.expected), show(&self.actual))
    }
}

/// Every place where the two differ.
pub fn differences(place: &str, expected: &Value, actual: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(place, Some(expected), Some(actual), &mut found);
    found
}

fn compare(place: &str, expected: Option<&Value>, actual: Option<&Value>, found: &mut Vec<Difference>) {
    match (expected, actual) {
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
        (a, b) => {
            found.push(Difference { place: place.to_owned(), expected: a.cloned(), actual: b.cloned() });
        }
    }
}
