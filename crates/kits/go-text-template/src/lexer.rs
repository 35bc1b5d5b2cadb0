//! From text to segments: plain text, and actions as lists of tokens.

use crate::error::{Fault, Pos};
use crate::literal::{self, Refused};
use crate::value::Value;

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

#[derive(Debug)]
pub(crate) enum Segment {
    Text(Pos, String),
    /// What stands between `{{` and `}}`; the place is that of `{{`.
    Action(Pos, Vec<Token>),
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub pos: Pos,
    /// Whether white space stands before it.
    pub spaced: bool,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Dot,
    /// `.name`, without the dot.
    Field(String),
    /// `$name`, with the dollar sign.
    Variable(String),
    /// A function or a keyword.
    Identifier(String),
    Literal(Value),
    Pipe,
    Comma,
    Declare,
    Assign,
    Open,
    Close,
}

impl Kind {
    /// How it reads, for errors.
    pub fn describe(&self) -> String {
        match self {
            Self::Dot => ".".to_owned(),
            Self::Field(name) => format!(".{name}"),
            Self::Variable(name) | Self::Identifier(name) => name.clone(),
            Self::Literal(value) => crate::format::short(value),
            Self::Pipe => "|".to_owned(),
            Self::Comma => ",".to_owned(),
            Self::Declare => ":=".to_owned(),
            Self::Assign => "=".to_owned(),
            Self::Open => "(".to_owned(),
            Self::Close => ")".to_owned(),
        }
    }
}

pub(crate) fn segments(text: &str) -> Result<Vec<Segment>, Fault> {
    let mut lexer = Lexer { rest: text, pos: Pos { line: 1, column: 1 } };
    let mut segments = Vec::new();
    let mut trim_next = false;
    loop {
        if trim_next {
            let blanks = lexer.rest.find(|c| !is_space(c)).unwrap_or(lexer.rest.len());
            lexer.advance(blanks);
        }
        let pos = lexer.pos;
        let Some(start) = lexer.rest.find(OPEN) else {
            push_text(&mut segments, pos, lexer.rest);
            return Ok(segments);
        };
        let plain = lexer.advance(start);
        let opening = lexer.pos;
        lexer.advance(OPEN.len());
        let trim_before = lexer.rest.strip_prefix('-').is_some_and(|tail| tail.starts_with(is_space));
        if trim_before {
            lexer.advance(2);
        }
        push_text(&mut segments, pos, if trim_before { plain.trim_end_matches(is_space) } else { plain });
        if lexer.rest.starts_with("/*") {
            trim_next = lexer.comment(opening)?;
        } else {
            let (tokens, trim) = lexer.action(opening)?;
            trim_next = trim;
            segments.push(Segment::Action(opening, tokens));
        }
    }
}

fn push_text(segments: &mut Vec<Segment>, pos: Pos, text: &str) {
    if !text.is_empty() {
        segments.push(Segment::Text(pos, text.to_owned()));
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

struct Lexer<'a> {
    rest: &'a str,
    pos: Pos,
}

impl<'a> Lexer<'a> {
    /// Moves on by `bytes` and gives what was passed.
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for character in passed.chars() {
            if character == '\n' {
                self.pos.line = self.pos.line.saturating_add(1);
                self.pos.column = 1;
            } else {
                self.pos.column = self.pos.column.saturating_add(1);
            }
        }
        self.rest = rest;
        passed
    }

    /// Passes a comment with its `}}`; true when the text behind it is to be trimmed.
    fn comment(&mut self, opening: Pos) -> Result<bool, Fault> {
        let Some(end) = self.rest.find("*/") else {
            return Err(Fault::parse(opening, "unclosed comment"));
        };
        self.advance(end + 2);
        self.close().ok_or_else(|| Fault::parse(self.pos, "comment ends before closing delimiter"))
    }

    /// Passes `}}` or ` -}}` if it comes next; true when it trims.
    fn close(&mut self) -> Option<bool> {
        if self.rest.starts_with(CLOSE) {
            self.advance(CLOSE.len());
            return Some(false);
        }
        let trims = self.rest.starts_with(is_space) && self.rest.get(1..).is_some_and(|tail| tail.starts_with("-}}"));
        if trims {
            self.advance(1 + 1 + CLOSE.len());
            return Some(true);
        }
        None
    }

    fn action(&mut self, opening: Pos) -> Result<(Vec<Token>, bool), Fault> {
        let mut tokens = Vec::new();
        let mut open_parentheses = 0usize;
        let mut spaced = false;
        loop {
            let pos = self.pos;
            if let Some(trims) = self.close() {
                if open_parentheses > 0 {
                    return Err(Fault::parse(pos, "unclosed left paren"));
                }
                return Ok((tokens, trims));
            }
            let Some(next) = self.rest.chars().next() else {
                return Err(Fault::parse(opening, "unclosed action"));
            };
            if is_space(next) {
                self.advance(1);
                spaced = true;
                continue;
            }
            let kind = self.token(next)?;
            match kind {
                Kind::Open => open_parentheses += 1,
                Kind::Close if open_parentheses == 0 => {
                    return Err(Fault::parse(pos, "unexpected right paren"));
                }
                Kind::Close => open_parentheses -= 1,
                _ => {}
            }
            tokens.push(Token { pos, spaced, kind });
            spaced = false;
        }
    }

    fn token(&mut self, next: char) -> Result<Kind, Fault> {
        let single = match next {
            '|' => Some(Kind::Pipe),
            ',' => Some(Kind::Comma),
            '=' => Some(Kind::Assign),
            '(' => Some(Kind::Open),
            ')' => Some(Kind::Close),
            _ => None,
        };
        if let Some(kind) = single {
            self.advance(1);
            return Ok(kind);
        }
        if self.rest.starts_with(":=") {
            self.advance(2);
            return Ok(Kind::Declare);
        }
        let second = self.rest.chars().nth(1);
        match next {
            '"' => self.quoted('"').and_then(|(pos, body)| {
                literal::string(body).map(|text| Kind::Literal(text.into())).map_err(|why| refused(pos, why, "string"))
            }),
            '\'' => self.quoted('\'').and_then(|(pos, body)| {
                literal::character(body)
                    .map(|code| Kind::Literal(Value::Int(code)))
                    .map_err(|why| refused(pos, why, "character constant"))
            }),
            '`' => self.raw(),
            '.' if !second.is_some_and(|c| c.is_ascii_digit()) => {
                self.advance(1);
                let name = self.word()?;
                Ok(if name.is_empty() { Kind::Dot } else { Kind::Field(name.to_owned()) })
            }
            '$' => {
                self.advance(1);
                Ok(Kind::Variable(format!("${}", self.word()?)))
            }
            '.' | '+' | '-' | '0'..='9' => self.number(),
            c if is_word(c) => Ok(match self.word()? {
                "true" => Kind::Literal(Value::Bool(true)),
                "false" => Kind::Literal(Value::Bool(false)),
                word => Kind::Identifier(word.to_owned()),
            }),
            c => Err(Fault::parse(self.pos, format!("unexpected {c:?} in action"))),
        }
    }

    /// Letters, digits and underscores, and a check that a name may end there.
    fn word(&mut self) -> Result<&'a str, Fault> {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let word = self.advance(end);
        match self.rest.chars().next() {
            Some(next) if !is_space(next) && !".,|:)(".contains(next) && !self.rest.starts_with(CLOSE) => {
                Err(Fault::parse(self.pos, format!("bad character {next:?}")))
            }
            _ => Ok(word),
        }
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let pos = self.pos;
        let hexadecimal = {
            let digits = self.rest.trim_start_matches(['+', '-']);
            digits.starts_with("0x") || digits.starts_with("0X")
        };
        let mut previous = None;
        let end = self
            .rest
            .char_indices()
            .find(|(_, c)| {
                let part = match c {
                    '+' | '-' => match previous {
                        None => true,
                        Some('e' | 'E') => !hexadecimal,
                        Some('p' | 'P') => hexadecimal,
                        _ => false,
                    },
                    '.' => true,
                    c => is_word(*c),
                };
                previous = Some(*c);
                !part
            })
            .map_or(self.rest.len(), |(at, _)| at);
        let text = self.advance(end);
        literal::number(text).map(Kind::Literal).map_err(|why| match why {
            Refused::Malformed => Fault::parse(pos, format!("bad number syntax: {text:?}")),
            Refused::Unsupported => Fault::unsupported(pos, &format!("the number {text}")),
        })
    }

    /// A quoted literal on one line: its place and what stands between the quotes.
    fn quoted(&mut self, delimiter: char) -> Result<(Pos, &'a str), Fault> {
        let pos = self.pos;
        self.advance(1);
        let mut escaped = false;
        for (at, character) in self.rest.char_indices() {
            match character {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == delimiter => {
                    let body = self.advance(at);
                    self.advance(1);
                    return Ok((pos, body));
                }
                _ => {}
            }
        }
        let what = if delimiter == '"' { "unterminated quoted string" } else { "unterminated character constant" };
        Err(Fault::parse(pos, what))
    }

    fn raw(&mut self) -> Result<Kind, Fault> {
        let pos = self.pos;
        self.advance(1);
        let Some(end) = self.rest.find('`') else {
            return Err(Fault::parse(pos, "unterminated raw quoted string"));
        };
        let body = self.advance(end);
        self.advance(1);
        // As in Go's source, a carriage return is no part of a raw string.
        Ok(Kind::Literal(body.replace('\r', "").into()))
    }
}

fn refused(pos: Pos, why: Refused, what: &str) -> Fault {
    match why {
        Refused::Malformed => Fault::parse(pos, format!("malformed {what}")),
        Refused::Unsupported => Fault::unsupported(pos, "a string that is not UTF-8"),
    }
}
