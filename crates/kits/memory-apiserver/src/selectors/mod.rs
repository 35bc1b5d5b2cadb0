//! Label and field selectors.

mod labels;

use crate::error::ApiError;
use crate::kind::Served;
use crate::meta;
use serde_json::Value;

/// What a list or watch asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldTerm>,
}

#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

#[derive(Debug, Clone)]
struct FieldTerm {
    field: Field,
    equal: bool,
    value: String,
}

#[derive(Debug, Clone)]
enum Field {
    Name,
    Namespace,
    Path(crate::jsonpath::JsonPath),
}

impl Selector {
    pub(crate) fn parse(labels: &str, fields: &str, served: &Served, namespaced: bool) -> Result<Self, ApiError> {
        let labels = labels::parse(labels).map_err(ApiError::bad_request)?;
        Ok(Self { labels, fields: parse_fields(fields, served, namespaced)? })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.fields.iter().all(|term| term.matches(object)) && {
            let labels = meta::meta(object).and_then(|m| m.get("labels"));
            self.labels.iter().all(|requirement| requirement.matches(labels))
        }
    }
}

impl Requirement {
    fn matches(&self, labels: Option<&Value>) -> bool {
        let value = labels.and_then(|l| l.get(&self.key)).and_then(Value::as_str);
        let number = || value.and_then(|v| v.parse::<i64>().ok());
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
            Test::NotIn(values) => value.is_none_or(|v| values.iter().all(|w| w != v)),
            Test::Above(bound) => number().is_some_and(|n| n > *bound),
            Test::Below(bound) => number().is_some_and(|n| n < *bound),
        }
    }
}

impl FieldTerm {
    fn matches(&self, object: &Value) -> bool {
        let equal = match &self.field {
            Field::Name => meta::name(object) == self.value,
            Field::Namespace => meta::namespace(object) == self.value,
            Field::Path(path) => match path.find(object).first() {
                Some(Value::String(text)) => *text == self.value,
                Some(other) => other.to_string() == self.value,
                None => self.value.is_empty(),
            },
        };
        equal == self.equal
    }
}

/// Undoes the escapes of a field selector's value.
fn unescape(value: &str) -> Result<String, ApiError> {
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
            other => {
                let sequence: String = other.into_iter().collect();
                let why = format!("invalid field selector: invalid escape sequence: \\{sequence}");
                return Err(ApiError::bad_request(why));
            }
        }
    }
    Ok(plain)
}

fn parse_fields(text: &str, served: &Served, namespaced: bool) -> Result<Vec<FieldTerm>, ApiError> {
    let mut terms = Vec::new();
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (name, value, equal) = if let Some((name, value)) = part.split_once("!=") {
            (name, value, false)
        } else if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            (name, value, true)
        } else {
            return Err(ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{part}'")));
        };
        let field = match name.trim() {
            "metadata.name" => Field::Name,
            "metadata.namespace" if namespaced => Field::Namespace,
            other => match served.selectable.iter().find(|(known, _)| known == other) {
                Some((_, path)) => Field::Path(path.clone()),
                None if !served.custom && served.selectable.is_empty() => {
                    return Err(ApiError::bad_request(format!(
                        "{other:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    )));
                }
                None => return Err(ApiError::bad_request(format!("field label not supported: {other}"))),
            },
        };
        terms.push(FieldTerm { field, equal, value: unescape(value.trim())? });
    }
    Ok(terms)
}
