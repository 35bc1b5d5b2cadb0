//! The functions a template may call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::buffer::{Buffer, TooBig};
use crate::builtins;
use crate::value::Value;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// Wrong arguments; the message becomes part of the render error.
    Failed(String),
    /// Go would accept this; we leave it out.
    Unsupported(String),
    /// The result is larger than the render may be.
    TooBig,
}

impl From<TooBig> for CallError {
    fn from(_: TooBig) -> Self {
        Self::TooBig
    }
}

impl CallError {
    /// A [`CallError::Failed`].
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

/// One call: its arguments, the value piped into it last.
#[derive(Debug)]
pub struct Call<'a> {
    arguments: &'a [Value],
    max_bytes: usize,
}

impl<'a> Call<'a> {
    pub(crate) fn new(arguments: &'a [Value], max_bytes: usize) -> Self {
        Self { arguments, max_bytes }
    }

    /// All arguments.
    #[must_use]
    pub fn arguments(&self) -> &'a [Value] {
        self.arguments
    }

    /// An empty text for the result, bounded as the render is.
    #[must_use]
    pub fn buffer(&self) -> Buffer {
        Buffer::new(self.max_bytes)
    }

    /// Exactly `N` arguments.
    ///
    /// # Errors
    /// When there are more or fewer.
    pub fn exactly<const N: usize>(&self) -> Result<&'a [Value; N], CallError> {
        self.arguments
            .try_into()
            .map_err(|_| CallError::Failed(format!("wrong number of args: want {N} got {}", self.arguments.len())))
    }
}

/// The argument as text.
///
/// # Errors
/// When it is no string; nothing is converted, as in Go.
pub(crate) fn text(value: &Value) -> Result<&str, CallError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong_type("string", other)),
    }
}

pub(crate) fn wrong_type(expected: &str, got: &Value) -> CallError {
    CallError::Failed(format!("wrong type for value; expected {expected}; got {}", got.type_name()))
}

type Function = dyn Fn(&Call<'_>) -> Result<Value, CallError> + Send + Sync;

/// What a name in a template stands for.
#[derive(Clone)]
pub(crate) enum Callee {
    /// Stops at the first false argument.
    And,
    /// Stops at the first true argument.
    Or,
    Plain(Arc<Function>),
}

impl fmt::Debug for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callee")
    }
}

/// The table of functions of a template.
#[derive(Debug, Clone)]
pub struct Functions {
    table: BTreeMap<String, Callee>,
}

impl Functions {
    /// Go's own functions, without the ones this crate leaves out.
    #[must_use]
    pub fn builtin() -> Self {
        let table = [("and".to_owned(), Callee::And), ("or".to_owned(), Callee::Or)].into();
        let mut functions = Self { table };
        builtins::register(&mut functions);
        functions
    }

    /// Adds a function, or replaces the one of that name. A function must not panic, and builds long text in
    /// [`Call::buffer`], so that the render stays bounded.
    pub fn register(
        &mut self,
        name: &str,
        function: impl Fn(&Call<'_>) -> Result<Value, CallError> + Send + Sync + 'static,
    ) {
        self.table.insert(name.to_owned(), Callee::Plain(Arc::new(function)));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Callee> {
        self.table.get(name)
    }
}
