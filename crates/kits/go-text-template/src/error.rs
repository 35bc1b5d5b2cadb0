//! Errors with their place in the template.

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is no valid template.
    Parse,
    /// The template does not fit its data.
    Exec,
    /// Valid Go that this crate leaves out.
    Unsupported,
    /// Output, work or nesting went past its limit.
    Limit,
}

/// An error and its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}:{column}: {message}")]
pub struct Error {
    /// What kind of error.
    pub kind: ErrorKind,
    /// Name of the template, as given to [`crate::Template::parse`].
    pub name: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong, in Go's words where Go has some.
    pub message: String,
}

/// A place in the text; both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pos {
    pub line: u32,
    pub column: u32,
}

/// An [`Error`] that does not know its template's name yet.
#[derive(Debug)]
pub(crate) struct Fault {
    pub kind: ErrorKind,
    pub pos: Pos,
    pub message: String,
}

impl Fault {
    pub fn parse(pos: Pos, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Parse, pos, message: message.into() }
    }

    pub fn exec(pos: Pos, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Exec, pos, message: message.into() }
    }

    pub fn unsupported(pos: Pos, what: &str) -> Self {
        Self { kind: ErrorKind::Unsupported, pos, message: format!("{what} is not supported") }
    }

    pub fn limit(pos: Pos, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Limit, pos, message: message.into() }
    }

    pub fn named(self, name: &str) -> Error {
        Error {
            kind: self.kind,
            name: name.to_owned(),
            line: self.pos.line,
            column: self.pos.column,
            message: self.message,
        }
    }
}
