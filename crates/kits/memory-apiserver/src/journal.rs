//! What was asked and what took effect: every write in order, and counts of all requests.

use crate::Inner;
use ahash::AHashMap;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A write that took effect: it changed the store. Refused writes, dry runs and writes that changed nothing are not
/// recorded; [`Journal::requests`] counts those too.
#[derive(Debug, Clone)]
pub struct WriteRecord {
    /// 1 for the first write of the server, without gaps.
    pub sequence: u64,
    /// The server's time.
    pub time: jiff::Timestamp,
    /// Who wrote. `garbage-collector` and `namespace-controller` are the server itself.
    pub user: Arc<str>,
    /// `create`, `update`, `patch`, `apply`, `delete` or `deletecollection`.
    pub verb: &'static str,
    /// API group, empty for the core group.
    pub group: Arc<str>,
    /// The version the request was made at.
    pub version: Arc<str>,
    /// Plural resource name.
    pub resource: Arc<str>,
    /// `status`, or empty.
    pub subresource: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// The object before; `None` for a creation.
    pub old: Option<Arc<Value>>,
    /// The object after; `None` when the write removed it.
    pub new: Option<Arc<Value>>,
    /// HTTP status of the answer.
    pub code: u16,
    /// The resourceVersion this write made.
    pub resource_version: u64,
}

impl WriteRecord {
    /// Whether this write is a lease renewal or acquisition, which budgets usually leave out.
    pub fn is_lease(&self) -> bool {
        &*self.group == "coordination.k8s.io" && &*self.resource == "leases"
    }
}

type Callback = Arc<dyn Fn(&WriteRecord) + Send + Sync>;

/// The writing side, under the store's lock.
#[derive(Default)]
pub(crate) struct Log {
    sequence: u64,
    keep: usize,
    records: VecDeque<Arc<WriteRecord>>,
    callbacks: Vec<Callback>,
    streams: Vec<UnboundedSender<Arc<WriteRecord>>>,
    counts: AHashMap<(Arc<str>, Arc<str>), u64>,
}

impl Log {
    pub(crate) fn keeping(keep: usize) -> Self {
        Self { keep, ..Self::default() }
    }

    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn push(&mut self, record: WriteRecord) {
        *self.counts.entry((record.user.clone(), record.resource.clone())).or_default() += 1;
        for callback in &self.callbacks {
            callback(&record);
        }
        if self.keep == 0 && self.streams.is_empty() {
            return;
        }
        let record = Arc::new(record);
        self.streams.retain(|stream| stream.send(record.clone()).is_ok());
        if self.keep > 0 {
            self.records.push_back(record);
            while self.records.len() > self.keep {
                self.records.pop_front();
            }
        }
    }
}

/// How often a user made a kind of request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestCount {
    /// Who asked.
    pub user: Arc<str>,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `apply`, `delete` or `deletecollection`.
    pub verb: &'static str,
    /// API group, empty for the core group.
    pub group: String,
    /// Plural resource name, with `/status` behind it for the subresource.
    pub resource: String,
    /// Number of requests, refused ones included.
    pub count: u64,
}

/// `(verb, group, resource with subresource)` by user.
type Requests = AHashMap<Arc<str>, AHashMap<(&'static str, String, String), u64>>;

#[derive(Default)]
pub(crate) struct RequestLog(parking_lot::Mutex<Requests>);

impl RequestLog {
    pub(crate) fn count(&self, user: &Arc<str>, verb: &'static str, group: &str, resource: &str, subresource: &str) {
        let resource = if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
        let mut users = self.0.lock();
        let of_user = users.entry(user.clone()).or_default();
        *of_user.entry((verb, group.to_owned(), resource)).or_default() += 1;
    }
}

/// Reads what the server recorded. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    pub(crate) inner: Arc<Inner>,
}

impl Journal {
    /// Calls `callback` at every write that takes effect from now on, in order, while the store is locked: it sees a
    /// state no other write has touched. It must be quick, and must not call the server, which would wait for itself.
    pub fn on_write(&self, callback: impl Fn(&WriteRecord) + Send + Sync + 'static) {
        self.inner.state.lock().journal.callbacks.push(Arc::new(callback));
    }

    /// All writes from now on, in order.
    pub fn subscribe(&self) -> UnboundedReceiver<Arc<WriteRecord>> {
        let (sender, receiver) = unbounded_channel();
        self.inner.state.lock().journal.streams.push(sender);
        receiver
    }

    /// The writes so far, oldest first; at most as many as the builder's `journal` says, the newest of them.
    pub fn records(&self) -> Vec<Arc<WriteRecord>> {
        self.inner.state.lock().journal.records.iter().cloned().collect()
    }

    /// Number of writes so far. Never forgets.
    pub fn writes(&self) -> u64 {
        self.inner.state.lock().journal.sequence
    }

    /// Number of writes so far by a user (by all, if `None`) to a resource, by plural name (to all, if `None`). Never
    /// forgets.
    pub fn count(&self, user: Option<&str>, resource: Option<&str>) -> u64 {
        let state = self.inner.state.lock();
        let matching = state.journal.counts.iter().filter(|((u, r), _)| {
            user.is_none_or(|user| user == &**u) && resource.is_none_or(|resource| resource == &**r)
        });
        matching.map(|(_, count)| count).sum()
    }

    /// Counts of all requests, reads and refused ones included, sorted.
    pub fn requests(&self) -> Vec<RequestCount> {
        let users = self.inner.requests.0.lock();
        let mut counts: Vec<RequestCount> = users
            .iter()
            .flat_map(|(user, requests)| {
                requests.iter().map(|((verb, group, resource), count)| RequestCount {
                    user: user.clone(),
                    verb,
                    group: group.clone(),
                    resource: resource.clone(),
                    count: *count,
                })
            })
            .collect();
        counts.sort();
        counts
    }

    /// Number of requests by a user with a verb to a resource; `None` matches all.
    pub fn count_requests(&self, user: Option<&str>, verb: Option<&str>, resource: Option<&str>) -> u64 {
        let matching = self.requests().into_iter().filter(|r| {
            user.is_none_or(|u| u == &*r.user)
                && verb.is_none_or(|v| v == r.verb)
                && resource.is_none_or(|name| name == r.resource)
        });
        matching.map(|r| r.count).sum()
    }
}
