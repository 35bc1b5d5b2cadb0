//! What machines have to tell, held until they rest: transitions that follow each other in a moment become one event.
//!
//! An event is a write, and a machine that is provisioned without a hitch passes through all its stages in seconds. A
//! crash loses what was held; the conditions tell the same.

use crate::notice::Notice;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use capt_api::meta::ObjectKey;

/// What each machine has to tell.
#[derive(Debug, Default)]
pub struct Stories(Mutex<HashMap<ObjectKey, Story>>);

/// What one machine has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The machine's UID.
    pub uid: String,
    /// Reason of the last transition, and the words of all, first to last.
    pub notice: Notice,
}

impl Stories {
    /// Adds a transition to the story of a machine. A successor of the same name begins its own.
    pub fn add(&self, machine: ObjectKey, uid: &str, notice: Notice) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&machine).filter(|story| story.uid == uid) {
            Some(story) => {
                let message = format!("{}; {}", story.notice.message, notice.message);
                story.notice = Notice { message, ..notice };
            }
            None => {
                all.insert(machine, Story { uid: uid.to_owned(), notice });
            }
        }
    }

    /// Ends the story of a machine, if there is one.
    pub fn take(&self, machine: &ObjectKey) -> Option<Story> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use capt_api::conditions::Reason;

    fn machine() -> ObjectKey {
        ObjectKey::new("default", "m")
    }

    #[test]
    fn transitions_in_a_moment_do_not_cost_an_event_each() {
        let stories = Stories::default();
        stories.add(machine(), "u1", Notice::normal(Reason::Reserved, "reserved Hardware metal/a"));
        stories.add(machine(), "u1", Notice::normal(Reason::AddressWritten, "wrote address 10.0.0.5"));
        let story = stories.take(&machine()).unwrap();
        assert_eq!(story.notice.reason, Reason::AddressWritten);
        assert_eq!(story.notice.message, "reserved Hardware metal/a; wrote address 10.0.0.5");
        assert_eq!(stories.take(&machine()), None, "told once");
    }

    #[test]
    fn a_successor_of_the_same_name_does_not_tell_the_story_of_its_predecessor() {
        let stories = Stories::default();
        stories.add(machine(), "u1", Notice::normal(Reason::Released, "released Hardware metal/a"));
        stories.add(machine(), "u2", Notice::normal(Reason::Reserved, "reserved Hardware metal/b"));
        let story = stories.take(&machine()).unwrap();
        assert_eq!((story.uid.as_str(), story.notice.message.as_str()), ("u2", "reserved Hardware metal/b"));
    }
}
