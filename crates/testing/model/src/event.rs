//! What can happen next, and what is told of it.

use std::fmt;

use crate::object::{KeyId, Universe};
use crate::state::State;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who does it.
    pub actor: &'static str,
    /// What is done.
    pub what: &'static str,
    /// To what.
    pub key: Option<KeyId>,
    /// How the manager hears of it, or the writer of the end of its write.
    pub heard: Heard,
    /// Whether it may be taken at once, before anything else: what it does is seen by nobody else, or changes nothing for
    /// him, and its order among what others do is not explored.
    pub is_quick: bool,
    /// Whether it happens in the end if everybody goes on with his work: nobody's mistake, whim or bad luck.
    pub is_fair: bool,
}

/// How an event becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// At once.
    AtOnce,
    /// The manager's watch tells of it later.
    Late,
    /// The write is done and its answer lost.
    Lost,
    /// The server answers that the object has changed meanwhile.
    Conflict,
}

/// What follows from a state.
#[derive(Clone, Debug)]
pub struct Next {
    /// What happens.
    pub event: Event,
    /// What is then.
    pub state: State,
    /// The rule that this breaks.
    pub broken: Option<&'static str>,
}

impl Event {
    /// Somebody's ordinary work.
    pub fn work(actor: &'static str, what: &'static str, key: KeyId) -> Self {
        Self { actor, what, key: Some(key), heard: Heard::AtOnce, is_quick: false, is_fair: true }
    }

    /// The same, at once.
    pub fn quickly(self) -> Self {
        Self { is_quick: true, ..self }
    }

    /// What need not happen.
    pub fn mishap(actor: &'static str, what: &'static str, key: Option<KeyId>) -> Self {
        Self { actor, what, key, heard: Heard::AtOnce, is_quick: false, is_fair: false }
    }

    /// The event in words.
    pub fn words<'a>(&'a self, universe: &'a Universe) -> impl fmt::Display + 'a {
        Words(self, universe)
    }
}

struct Words<'a>(&'a Event, &'a Universe);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(event, universe) = self;
        write!(f, "{}: {}", event.actor, event.what)?;
        if let Some(key) = event.key {
            let (kind, key) = universe.key(key);
            write!(f, " {kind:?} {key}")?;
        }
        match event.heard {
            Heard::AtOnce => Ok(()),
            Heard::Late => f.write_str(" (the manager hears of it later)"),
            Heard::Lost => f.write_str(" (done, but the answer is lost)"),
            Heard::Conflict => f.write_str(" (refused: the object has changed; it is read again)"),
        }
    }
}
