//! What is remembered while a relist is under way.

use ahash::AHashSet;
use capt_api::meta::ObjectKey;

/// The objects that a relist held, and those that an answer of the server brought meanwhile.
#[derive(Default)]
pub(super) struct Relist {
    listed: AHashSet<ObjectKey>,
    answered: AHashSet<ObjectKey>,
}

impl Relist {
    pub(super) fn listed(&mut self, key: ObjectKey) {
        self.listed.insert(key);
    }

    pub(super) fn answered(&mut self, key: ObjectKey) {
        self.answered.insert(key);
    }

    pub(super) fn lists(&self, key: &ObjectKey) -> bool {
        self.listed.contains(key)
    }

    pub(super) fn has_answer(&self, key: &ObjectKey) -> bool {
        self.answered.contains(key)
    }
}
