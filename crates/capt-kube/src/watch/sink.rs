//! Where the events of a watch go.

use capt_api::meta::ObjectKey;
use kube::Resource;
use kube::runtime::watcher::Event;

use crate::decode::Guarded;

/// What takes in the events of a watch.
pub trait Sink<K: Resource>: Send + Sync {
    /// Takes in one event. Returns objects that the server must be asked about (see
    /// [`relist_ends`](crate::store::Store::relist_ends)).
    fn event(&self, event: Event<Guarded<K>>) -> Vec<ObjectKey>;
    /// Takes in the answer to such a question: the object as it is now, or that it is gone.
    fn resolved(&self, key: &ObjectKey, uid: &str, now: Option<Guarded<K>>);
    /// The UID of an object as we know it.
    fn uid(&self, key: &ObjectKey) -> Option<String>;
    /// The server serves the kind in this version; its objects are about to be read.
    fn served(&self, version: K::DynamicType);
    /// The server does not serve the kind.
    fn absent(&self);
    /// The watch failed and is begun again; why, in words that hold no secret.
    fn failed(&self, _error: &str) {}
}
