//! The tree of a parsed template.

use crate::error::Pos;
use crate::functions::Callee;
use crate::value::Value;

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Text(Pos, String),
    /// `{{pipeline}}`: prints its value, unless it declares or assigns.
    Output(Pipeline),
    Branch(Branch),
    Range(Range),
    Break,
    Continue,
}

/// `if` or `with`: the first arm whose condition is true runs.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    /// `with` moves the dot to the condition's value.
    pub moves_dot: bool,
    pub arms: Vec<(Pipeline, Vec<Node>)>,
    pub otherwise: Vec<Node>,
}

#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub over: Pipeline,
    pub body: Vec<Node>,
    pub otherwise: Vec<Node>,
}

#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub pos: Pos,
    /// Variables that take its value, with their `$`.
    pub variables: Vec<String>,
    /// `=` rather than `:=`.
    pub assigns: bool,
    pub commands: Vec<Command>,
}

/// An operand and its arguments; more than one only for functions.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub first: Operand,
    pub arguments: Vec<Operand>,
}

#[derive(Debug, Clone)]
pub(crate) struct Operand {
    pub pos: Pos,
    pub term: Term,
    /// `.A.B` after the term.
    pub fields: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Term {
    Dot,
    Nil,
    Literal(Value),
    /// With its `$`.
    Variable(String),
    Function(String, Callee),
    Parenthesis(Box<Pipeline>),
}

impl Operand {
    /// Whether it is a bare constant or dot, which can neither be called nor stand behind a `|`.
    pub fn is_constant(&self) -> bool {
        self.fields.is_empty() && matches!(self.term, Term::Dot | Term::Nil | Term::Literal(_))
    }

    /// How the operand reads in the template, for errors.
    pub fn describe(&self) -> String {
        let mut text = match &self.term {
            Term::Dot if !self.fields.is_empty() => String::new(),
            Term::Dot => ".".to_owned(),
            Term::Nil => "nil".to_owned(),
            Term::Literal(Value::String(text)) => format!("{text:?}"),
            Term::Literal(value) => crate::format::short(value),
            Term::Variable(name) | Term::Function(name, _) => name.clone(),
            Term::Parenthesis(_) => "(…)".to_owned(),
        };
        for field in &self.fields {
            text.push('.');
            text.push_str(field);
        }
        text
    }
}
