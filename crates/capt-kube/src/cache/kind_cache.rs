//! The objects of one kind, and how well we know them.

use capt_reconciler::observed::cluster_api::Served;
use capt_reconciler::ports::Presence;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Cache;
use crate::store::{Change, Index, Store};

/// Whether we can do without a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing is done before all its objects are in memory.
    Required,
    /// It may be absent, and appear later.
    Optional,
}

/// In which cluster a kind is, where there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// The one we manage.
    Management,
    /// The one where Tinkerbell is.
    Tinkerbell,
}

/// The versions of a kind that we understand.
pub trait Version: Copy + Default + Send + Sync + 'static {
    /// Their names, most wanted first.
    fn all<K: Resource<DynamicType = Self>>() -> Vec<(String, Self)>;
}

/// A kind with one version only.
impl Version for () {
    fn all<K: Resource<DynamicType = Self>>() -> Vec<(String, Self)> {
        vec![(K::version(&()).into_owned(), ())]
    }
}

/// Cluster API's versions.
impl Version for Served {
    fn all<K: Resource<DynamicType = Self>>() -> Vec<(String, Self)> {
        Self::ALL.into_iter().map(|version| (version.as_str().to_owned(), version)).collect()
    }
}

/// A kind that we keep in memory.
pub trait Cached:
    Resource<Scope = NamespaceResourceScope, DynamicType: Version> + DeserializeOwned + Clone + Send + Sync + 'static
{
    /// Its index.
    type Index: Index<Self> + 'static;

    /// Whether we can do without it.
    const NEED: Need;

    /// In which cluster it is.
    const HOME: Home;

    /// Its place in the cache.
    fn kind_cache(cache: &Cache) -> &KindCache<Self>;

    /// Wakes whom a change concerns.
    fn changed(cache: &Cache, change: &Change<Self>);

    /// Wakes whom it concerns that the kind became ready or absent.
    fn presence_changed(_: &Cache) {}
}

/// The objects of one kind, and how well we know them.
pub struct KindCache<K: Cached> {
    /// The objects.
    pub store: Store<K, K::Index>,
    /// Told when something speaks against the kind being served.
    pub(crate) verify: tokio::sync::Notify,
    pub(super) state: watch::Sender<ShelfState<K::DynamicType>>,
    pub(super) trouble: Mutex<Trouble>,
}

/// What went wrong with the watch of a kind.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// Times it failed and was begun again.
    pub restarts: u64,
    /// Why it failed last, in words that hold no secret, and when.
    pub last: Option<(String, Instant)>,
}

/// How well we know the objects of a kind.
#[derive(Clone, Copy, Debug)]
pub struct ShelfState<D> {
    /// Whether the kind is served and all objects are known.
    pub presence: Presence,
    /// Whether the server once said that it does not serve the kind.
    pub was_absent: bool,
    /// The version in use.
    pub version: D,
    /// When the watch last began with a list of all objects.
    pub listed: Option<Instant>,
    /// When the watch last had anything to say.
    pub last_event: Option<Instant>,
}

impl<D> ShelfState<D> {
    pub(super) fn is_read_again(&self) -> bool {
        self.was_absent && self.presence == Presence::Syncing
    }
}

impl<K: Cached> KindCache<K> {
    pub(super) fn new(index: K::Index) -> Self {
        let state = ShelfState {
            presence: Presence::Syncing,
            was_absent: false,
            version: K::DynamicType::default(),
            listed: None,
            last_event: None,
        };
        Self {
            store: Store::new(index),
            verify: tokio::sync::Notify::new(),
            state: watch::Sender::new(state),
            trouble: Mutex::default(),
        }
    }

    /// What went wrong with the watch.
    pub fn trouble(&self) -> Trouble {
        self.trouble.lock().clone()
    }

    /// How well we know the objects.
    pub fn state(&self) -> ShelfState<K::DynamicType> {
        *self.state.borrow()
    }

    /// Waits until the kind's presence is as wanted.
    pub async fn until(&self, wanted: impl Fn(Presence) -> bool) {
        // The sender lives as long as we do.
        let _ = self.state.subscribe().wait_for(|state| wanted(state.presence)).await;
    }
}
