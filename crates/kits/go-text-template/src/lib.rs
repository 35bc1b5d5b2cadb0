//! The part of Go's text/template that Tinkerbell's users write, without panics.
//!
//! Two kinds of text use it: the image URL of a machine (data is a struct of four strings, Go's own functions only) and
//! whole Tinkerbell workflow templates (data are maps, a missing key is an error, Sprig and Tinkerbell functions).
//!
//! Here: fields, variables, literals, parentheses, pipelines, trim markers, comments, `if`, `with`, `range`, `break`,
//! `continue`, and the functions `and`, `or`, `not`, `eq`, `ne`, `lt`, `le`, `gt`, `ge`, `len`, `index`, `slice`,
//! `print`, `printf`. What Go has beyond that (`define`, `template`, `block`, `html`, `js`, `urlquery`, `println`,
//! `call`, ranging over an integer, rare format flags) is refused with [`ErrorKind::Unsupported`], never rendered
//! differently from Go.
//!
//! Maps act as with Go's option `missingkey=error`. Every render is bounded in output and work, see [`Limits`].
//!
//! ```
//! use go_text_template::{Functions, Limits, Template, Value};
//! let template = Template::parse("greeting", "Hello {{.name}}", &Functions::builtin())?;
//! let data = Value::from(serde_json::json!({"name": "rack 7"}));
//! assert_eq!(template.render(&data, Limits::URL)?, "Hello rack 7");
//! # Ok::<(), go_text_template::Error>(())
//! ```

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
