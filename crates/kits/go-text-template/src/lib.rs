#![doc = include_str!("../README.md")]

mod ast;
mod buffer;
mod builtins;
mod compare;
mod error;
mod exec;
mod format;
mod functions;
mod lexer;
mod literal;
mod parser;
pub mod sprig;
pub mod tinkerbell;
mod value;
mod yaml;

pub use buffer::{Buffer, TooBig};
pub use error::{Error, ErrorKind};
pub use exec::Limits;
pub use functions::{Call, CallError, Functions};
pub use value::{Struct, Value};

/// A parsed template, ready to be rendered any number of times.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    nodes: Vec<ast::Node>,
}

impl Template {
    /// Parses `text`. `name` appears in errors only.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`] for text that Go refuses too, [`ErrorKind::Unsupported`] for Go that this crate leaves out.
    pub fn parse(name: &str, text: &str, functions: &Functions) -> Result<Self, Error> {
        let nodes = parser::parse(text, functions).map_err(|fault| fault.named(name))?;
        Ok(Self { name: name.to_owned(), nodes })
    }

    /// Renders the template on `data`, which is both `.` and `$` at the start.
    ///
    /// # Errors
    /// [`ErrorKind::Exec`] as Go (unknown field, missing key, wrong type), [`ErrorKind::Limit`] when `limits` are reached.
    pub fn render(&self, data: &Value, limits: Limits) -> Result<String, Error> {
        exec::render(&self.nodes, data, limits).map_err(|fault| fault.named(&self.name))
    }
}
