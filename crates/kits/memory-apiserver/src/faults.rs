//! Faults on demand: what a client must survive, made to happen when a test wants it.

use crate::Inner;
use crate::error::ApiError;
use ahash::AHashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A fault to inject with [`Faults::inject`]: what happens, to which requests, and how often (once, unless told
/// otherwise).
#[derive(Debug, Clone)]
pub struct Fault {
    action: Action,
    user: Option<String>,
    verb: Option<String>,
    resource: Option<String>,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    skip: u64,
    times: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Refuse(Box<ApiError>),
    Conflict,
    /// The answer never comes.
    HangBefore,
    HangAfter,
    /// The connection breaks.
    BreakBefore,
    BreakAfter,
    Delay(Duration),
}

impl Fault {
    fn of(action: Action) -> Self {
        Self {
            action,
            user: None,
            verb: None,
            resource: None,
            subresource: None,
            namespace: None,
            name: None,
            skip: 0,
            times: 1,
        }
    }

    /// 409: somebody else was faster. The write has no effect.
    pub fn conflict() -> Self {
        Self::of(Action::Conflict)
    }

    /// Any refusal, such as 500 or 503. The request has no effect.
    pub fn status(code: u16, reason: &'static str, message: &str) -> Self {
        Self::of(Action::Refuse(Box::new(ApiError::new(code, reason, message))))
    }

    /// 500, as when no webhook server can be asked and its `failurePolicy` is `Fail`: `why` is what came of the call, such
    /// as `failed to call webhook: Post "https://…": service "x" not found`. The write has no effect.
    pub fn webhook_unreachable(webhook: &str, why: &str) -> Self {
        Self::of(Action::Refuse(Box::new(ApiError::webhook_unreachable(webhook, why))))
    }

    /// 403, as when a webhook of somebody else says no, in its `message`. The write has no effect.
    pub fn webhook_denied(webhook: &str, message: &str) -> Self {
        Self::of(Action::Refuse(Box::new(ApiError::webhook_denied(webhook, message))))
    }

    /// 429 with a `Retry-After` of that many seconds.
    pub fn too_many_requests(retry_after: u32) -> Self {
        let message = "too many requests, please try again later";
        let mut error = ApiError::new(429, "TooManyRequests", message);
        error.details.retry_after = Some(retry_after);
        Self::of(Action::Refuse(Box::new(error)))
    }

    /// The request has no effect and is never answered; the client's own timeout must end it.
    pub fn timeout_before() -> Self {
        Self::of(Action::HangBefore)
    }

    /// The request takes effect but is never answered.
    pub fn timeout_after() -> Self {
        Self::of(Action::HangAfter)
    }

    /// The connection breaks before the request has an effect.
    pub fn connection_error_before() -> Self {
        Self::of(Action::BreakBefore)
    }

    /// The request takes effect, then the connection breaks.
    pub fn connection_error_after() -> Self {
        Self::of(Action::BreakAfter)
    }

    /// The request is served after this time.
    pub fn latency(delay: Duration) -> Self {
        Self::of(Action::Delay(delay))
    }

    /// Only requests of this user.
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Only this verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `apply`, `delete`, `deletecollection`, or
    /// `write` for all that write.
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    /// Only this resource, by plural name.
    pub fn resource(mut self, plural: &str) -> Self {
        self.resource = Some(plural.to_owned());
        self
    }

    /// Only this subresource (`status`); the empty string means the object itself.
    pub fn subresource(mut self, subresource: &str) -> Self {
        self.subresource = Some(subresource.to_owned());
        self
    }

    /// Only in this namespace.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only the object of this name.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Lets that many matching requests pass first.
    pub fn after(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Happens that many times.
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Happens until it is removed.
    pub fn always(mut self) -> Self {
        self.times = u64::MAX;
        self
    }

    fn matches(&self, request: &Target<'_>) -> bool {
        let fits = |wanted: &Option<String>, actual: &str| wanted.as_deref().is_none_or(|w| w == actual);
        let write = !matches!(request.verb, "get" | "list" | "watch");
        fits(&self.user, request.user)
            && self.verb.as_deref().is_none_or(|v| v == request.verb || (v == "write" && write))
            && fits(&self.resource, request.resource)
            && fits(&self.subresource, request.subresource)
            && fits(&self.namespace, request.namespace)
            && fits(&self.name, request.name)
    }
}

/// What a fault is matched against.
pub(crate) struct Target<'a> {
    pub(crate) user: &'a str,
    pub(crate) verb: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

/// Names an injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(u64);

struct Armed {
    id: FaultId,
    fault: Fault,
    hits: u64,
}

/// The faults that are armed.
#[derive(Default)]
pub(crate) struct FaultTable {
    armed: parking_lot::Mutex<Vec<Armed>>,
    hits: parking_lot::Mutex<AHashMap<u64, u64>>,
    next: AtomicU64,
    /// Number of armed faults, so that requests need no lock when there is none.
    count: AtomicU64,
}

impl FaultTable {
    /// The first armed fault that concerns the request, counted as having happened.
    pub(crate) fn take(&self, request: &Target<'_>) -> Option<Action> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut armed = self.armed.lock();
        let mut action = None;
        for candidate in armed.iter_mut().filter(|a| a.fault.matches(request)) {
            if candidate.fault.skip > 0 {
                candidate.fault.skip -= 1;
            } else if candidate.fault.times > 0 && action.is_none() {
                candidate.hits += 1;
                candidate.fault.times =
                    candidate.fault.times.saturating_sub(u64::from(candidate.fault.times != u64::MAX));
                action = Some(candidate.fault.action.clone());
            }
        }
        let mut hits = self.hits.lock();
        for done in armed.iter() {
            hits.insert(done.id.0, done.hits);
        }
        armed.retain(|a| a.fault.times > 0);
        self.count.store(armed.len() as u64, Ordering::Relaxed);
        action
    }
}

/// How the requests of a stopped user fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// They are never answered.
    Hang,
    /// Their connection breaks.
    Error,
}

/// Users that stop after a number of writes.
#[derive(Default)]
pub(crate) struct Stops(AHashMap<Arc<str>, Stop>);

struct Stop {
    writes_left: u64,
    how: Stopped,
    loses_last_answer: bool,
}

impl Stops {
    /// How the user's requests fail, if it has been stopped.
    pub(crate) fn of(&self, user: &str) -> Option<Stopped> {
        self.0.get(user).filter(|stop| stop.writes_left == 0).map(|stop| stop.how)
    }

    /// Counts a write; says how its answer is lost, if it is.
    pub(crate) fn count(&mut self, user: &str) -> Option<Stopped> {
        let stop = self.0.get_mut(user)?;
        stop.writes_left = stop.writes_left.saturating_sub(1);
        (stop.writes_left == 0 && stop.loses_last_answer).then_some(stop.how)
    }
}

/// Injects faults. Cheap to clone.
#[derive(Clone)]
pub struct Faults {
    pub(crate) inner: Arc<Inner>,
}

impl Faults {
    /// Arms a fault. Of several that match a request, the one injected first happens.
    pub fn inject(&self, fault: Fault) -> FaultId {
        let table = &self.inner.faults;
        let id = FaultId(table.next.fetch_add(1, Ordering::Relaxed));
        let mut armed = table.armed.lock();
        armed.push(Armed { id, fault, hits: 0 });
        table.count.store(armed.len() as u64, Ordering::Relaxed);
        id
    }

    /// How often a fault has happened.
    pub fn hits(&self, id: FaultId) -> u64 {
        self.inner.faults.hits.lock().get(&id.0).copied().unwrap_or(0)
    }

    /// Removes a fault.
    pub fn remove(&self, id: FaultId) {
        let table = &self.inner.faults;
        let mut armed = table.armed.lock();
        armed.retain(|a| a.id != id);
        table.count.store(armed.len() as u64, Ordering::Relaxed);
    }

    /// From now on the garbage collector takes up each change only after this time. What it already waits for stays due
    /// when it was. See [`Builder::garbage_collector_delay`](crate::Builder::garbage_collector_delay).
    pub fn delay_garbage_collector(&self, delay: Duration) {
        self.inner.pace.set_garbage_collector(delay);
    }

    /// From now on the controllers that empty Namespaces and CRDs take up each change only after this time. See
    /// [`Builder::namespace_controller_delay`](crate::Builder::namespace_controller_delay).
    pub fn delay_namespace_controller(&self, delay: Duration) {
        self.inner.pace.set_namespace_controller(delay);
    }

    /// Removes all faults, lets stopped users go on, and gives the controllers the delays they were built with.
    pub fn clear(&self) {
        self.inner.keep_pace();
        let table = &self.inner.faults;
        table.armed.lock().clear();
        table.count.store(0, Ordering::Relaxed);
        self.inner.state.lock().stops.0.clear();
    }

    /// Stops `user` after its next `writes` writes took effect (0: at once): every later request of it fails as `how`
    /// says, its open watches fall silent or end, and nothing it asks takes effect. With `lose_last_answer` the last
    /// write takes effect but its answer is lost the same way.
    pub fn stop_after(&self, user: &str, writes: u64, how: Stopped, lose_last_answer: bool) {
        let stop = Stop { writes_left: writes, how, loses_last_answer: lose_last_answer };
        self.inner.state.lock().stops.0.insert(user.into(), stop);
    }

    /// Whether [`stop_after`](Self::stop_after) has struck.
    pub fn is_stopped(&self, user: &str) -> bool {
        self.inner.state.lock().stops.of(user).is_some()
    }

    /// Lets a stopped user go on, as after a restart.
    pub fn resume(&self, user: &str) {
        self.inner.state.lock().stops.0.remove(user);
    }

    /// Ends open watches: of one resource by plural name, or of all. Returns how many.
    pub fn drop_watches(&self, resource: Option<&str>) -> usize {
        self.inner.state.lock().drop_watches(resource, None)
    }

    /// Ends the open watches of one user. Returns how many.
    pub fn drop_watches_of(&self, user: &str) -> usize {
        self.inner.state.lock().drop_watches(None, Some(user))
    }

    /// Forgets all history: every watch or list that starts at an older resourceVersion gets 410.
    pub fn compact(&self) {
        self.inner.state.lock().compact();
    }
}
