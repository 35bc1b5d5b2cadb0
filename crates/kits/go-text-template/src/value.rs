//! The data of a template and the values it computes.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A value. Clones are cheap: lists, maps, structs and strings are shared.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Go's untyped nil.
    #[default]
    Nil,
    /// A boolean.
    Bool(bool),
    /// Any of Go's integers.
    Int(i64),
    /// Go's float64.
    Float(f64),
    /// Text.
    String(Arc<str>),
    /// A slice.
    List(Arc<[Value]>),
    /// A map with string keys; Go visits and prints maps in key order.
    Map(Arc<BTreeMap<String, Value>>),
    /// A struct: its fields are known, an unknown one is an error.
    Struct(Arc<Struct>),
}

/// A Go struct: fields in their order.
#[derive(Debug, Clone)]
pub struct Struct {
    type_name: String,
    fields: Vec<(String, Value)>,
}

impl Struct {
    /// A struct of the type `type_name` (it appears in errors) with `fields` in their order.
    pub fn new<K: Into<String>>(type_name: &str, fields: impl IntoIterator<Item = (K, Value)>) -> Self {
        let fields = fields.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self { type_name: type_name.to_owned(), fields }
    }

    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The name of its type.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }
}

impl Value {
    /// Whether `if` and `with` take it as true: everything but nil, false, zero and what is empty.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(i) => *i != 0,
            Self::Float(f) => *f != 0.0,
            Self::String(s) => !s.is_empty(),
            Self::List(l) => !l.is_empty(),
            Self::Map(m) => !m.is_empty(),
            Self::Struct(_) => true,
        }
    }

    /// The name Go gives its type in errors and in `%!d(string=…)`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Struct(s) => s.type_name(),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value.into())
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Self::List(value.into())
    }
}

impl From<BTreeMap<String, Value>> for Value {
    fn from(value: BTreeMap<String, Value>) -> Self {
        Self::Map(Arc::new(value))
    }
}

impl From<Struct> for Value {
    fn from(value: Struct) -> Self {
        Self::Struct(Arc::new(value))
    }
}

impl From<serde_json::Value> for Value {
    /// Every number becomes a [`Value::Float`], because that is what Go's encoding/json makes of it: `1000000` prints
    /// as `1e+06`, and `eq .n 5` is a comparison of incompatible types.
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(b) => Self::Bool(b),
            serde_json::Value::Number(n) => n.as_f64().map_or(Self::Nil, Self::Float),
            serde_json::Value::String(s) => s.into(),
            serde_json::Value::Array(items) => items.into_iter().map(Self::from).collect::<Vec<_>>().into(),
            serde_json::Value::Object(entries) => {
                entries.into_iter().map(|(key, value)| (key, value.into())).collect::<BTreeMap<_, _>>().into()
            }
        }
    }
}
