//! What is remembered while a relist is under way.

use ahash::AHashSet;
use capt_api::meta::ObjectKey;

/// The objects that a relist held, and those that the server told of otherwise meanwhile.
#[derive(Default)]
pub(super) struct Relist {
    listed: AHashSet<ObjectKey>,
    answered: AHashSet<ObjectKey>,
    buried: AHashSet<ObjectKey>,
    returned: usize,
}

impl Relist {
    pub(super) fn listed(&mut self, key: ObjectKey) {
        self.listed.insert(key);
    }

    pub(super) fn answered(&mut self, key: ObjectKey) {
        self.answered.insert(key);
    }

    pub(super) fn buried(&mut self, key: ObjectKey) {
        self.buried.insert(key);
    }

    /// Whether all that is known of this object was known when the relist began. A list shows the state after its
    /// request, so it is newer than that, whatever the versions say.
    pub(super) fn knows_better(&self, key: &ObjectKey) -> bool {
        !self.answered.contains(key) && !self.buried.contains(key)
    }

    /// An object is there that was gone or newer by what we knew.
    pub(super) fn returned(&mut self) {
        self.returned += 1;
    }

    /// How many there were.
    pub(super) fn count_returned(&self) -> usize {
        self.returned
    }

    pub(super) fn lists(&self, key: &ObjectKey) -> bool {
        self.listed.contains(key)
    }

    pub(super) fn has_answer(&self, key: &ObjectKey) -> bool {
        self.answered.contains(key)
    }
}
