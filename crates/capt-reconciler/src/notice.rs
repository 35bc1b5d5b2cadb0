//! What is told of an object, in an Event.

use capt_api::conditions::Reason;

/// Something that a person may want to know about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether a person should look.
    pub warning: bool,
    /// Why, for programs.
    pub reason: Reason,
    /// Text for a person; names the objects.
    pub message: String,
}

impl Notice {
    /// Something that goes as it should.
    pub fn normal(reason: Reason, message: impl Into<String>) -> Self {
        Self { warning: false, reason, message: message.into() }
    }

    /// Something that a person should look at.
    pub fn warning(reason: Reason, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::normal(reason, message) }
    }
}
