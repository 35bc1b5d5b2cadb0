//! Structural schemas of custom resources, compiled once when the CRD is stored.

mod cel;
mod format;
pub(crate) mod listtype;
pub(crate) mod normalise;
mod parse;
pub(crate) mod typed;
pub(crate) mod validate;

use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One node of a compiled schema.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) types: Vec<Type>,
    pub(crate) nullable: bool,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded: bool,
    pub(crate) properties: BTreeMap<String, Node>,
    pub(crate) additional: Additional,
    pub(crate) items: Option<Box<Node>>,
    pub(crate) default: Option<Value>,
    pub(crate) list: ListType,
    /// `x-kubernetes-map-type: atomic`.
    pub(crate) atomic_map: bool,
    /// A struct of a built-in kind: always there, so nobody owns that it is.
    pub(crate) structure: bool,
    pub(crate) limits: Option<Box<Limits>>,
    rules: Vec<cel::Rule>,
    /// Some rule exists here or below, so that walking down is worth it.
    rules_below: bool,
    /// Some list of type `map` or `set` exists here or below.
    unique_below: bool,
}

#[derive(Debug, Default)]
pub(crate) enum Additional {
    /// Unknown keys are pruned.
    #[default]
    No,
    /// Any value is kept as it is.
    Any,
    Schema(Box<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    Null,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) enum ListType {
    #[default]
    Atomic,
    Set,
    Map(Vec<ListKey>),
}

/// A key of a `map` list, and the value an element without it is taken to have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListKey {
    pub(crate) name: String,
    pub(crate) default: Option<Value>,
}

/// The value validations of a node; most nodes have none.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    required: Vec<String>,
    enumeration: Vec<Value>,
    pattern: Option<(String, Regex)>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    exclusive_minimum: bool,
    exclusive_maximum: bool,
    multiple_of: Option<f64>,
    min_items: Option<u64>,
    max_items: Option<u64>,
    unique_items: bool,
    min_properties: Option<u64>,
    max_properties: Option<u64>,
    format: Option<String>,
    all_of: Vec<Node>,
    any_of: Vec<Node>,
    one_of: Vec<Node>,
    not: Option<Box<Node>>,
}

impl Node {
    /// A schema that accepts and keeps everything: built-in kinds, and CRDs without a schema.
    pub(crate) fn anything() -> Self {
        Self { preserve_unknown: true, additional: Additional::Any, ..Self::default() }
    }

    /// What field ownership has to know of built-in kinds: their structs, and references that are owned as a whole.
    pub(crate) fn of_built_in() -> Self {
        let part = |structure: bool| Self { structure, atomic_map: !structure, ..Self::anything() };
        let mut node = Self::anything();
        for (name, structure) in
            [("spec", true), ("status", true), ("source", true), ("involvedObject", false), ("regarding", false)]
        {
            node.properties.insert(name.to_owned(), part(structure));
        }
        node
    }

    /// The schema of a member of an object.
    pub(crate) fn child(&self, key: &str) -> Option<&Node> {
        self.properties.get(key).or(match &self.additional {
            Additional::Schema(node) => Some(node),
            _ => None,
        })
    }
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Null => "null",
        }
    }

    /// The JSON type of a value; a number without a fraction is an integer.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
            Value::Number(n) if n.is_f64() && n.as_f64().is_some_and(|f| f.fract() != 0.0) => Self::Number,
            Value::Number(_) => Self::Integer,
        }
    }
}

/// The list types of `ObjectMeta`.
pub(crate) static META: LazyLock<Node> = LazyLock::new(|| {
    let text_map = || Node {
        types: vec![Type::Object],
        additional: Additional::Schema(Box::new(Node { types: vec![Type::String], ..Node::default() })),
        ..Node::default()
    };
    let list = |list: ListType| Node { types: vec![Type::Array], list, ..Node::default() };
    let by_uid = ListType::Map(vec![ListKey { name: "uid".to_owned(), default: None }]);
    let mut node = Node { types: vec![Type::Object], additional: Additional::Any, ..Node::default() };
    node.properties.insert("labels".to_owned(), text_map());
    node.properties.insert("annotations".to_owned(), text_map());
    node.properties.insert("finalizers".to_owned(), list(ListType::Set));
    let reference =
        Node { types: vec![Type::Object], atomic_map: true, additional: Additional::Any, ..Node::default() };
    let references = Node { items: Some(Box::new(reference)), ..list(by_uid) };
    node.properties.insert("ownerReferences".to_owned(), references);
    node
});
