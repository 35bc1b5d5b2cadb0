//! Watch: what is there, what happens, bookmarks, and the end.

use super::list::parse_version;
use super::{Call, Failure};
use crate::Inner;
use crate::error::ApiError;
use crate::kind::Kind;
use crate::selectors::Selector;
use crate::store::{Change, Event, Object, Watcher};
use crate::view::View;
use bytes::Bytes;
use serde_json::json;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, Sleep};

/// How often a quiet watch tells its client how far it has come.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);
/// The length of a watch whose client names none; a real server takes something between 30 and 60 minutes.
const DEFAULT_LENGTH: Duration = Duration::from_secs(45 * 60);
/// Frames are joined up to about this size.
const CHUNK: usize = 64 * 1024;

/// An open watch: a stream of chunks of JSON lines.
pub(crate) struct Watch {
    inner: Weak<Inner>,
    user: Arc<str>,
    kind: Arc<Kind>,
    version: usize,
    view: View,
    selector: Selector,
    /// What is said before anything happens.
    initial: VecDeque<Initial>,
    events: UnboundedReceiver<Arc<Event>>,
    /// Events up to this version are not of interest.
    after: u64,
    bookmarks: Option<Pin<Box<Sleep>>>,
    deadline: Pin<Box<Sleep>>,
    ended: bool,
    /// A table was sent: the next ones need not say what their columns are.
    headed: bool,
}

enum Initial {
    Added(Arc<Object>),
    Happened(Arc<Event>),
    /// The bookmark that says that all initial events were sent.
    Complete(u64),
    Error(Box<ApiError>),
}

impl Call<'_> {
    /// Opens a watch.
    pub(crate) fn watch(&self, view: View, inner: &Arc<Inner>) -> Result<Watch, Failure> {
        self.check_list_options(true)?;
        let selector = self.selector()?;
        let asked =
            parse_version(&self.params.resource_version).map_err(|error| ApiError::new(500, "", error.message))?;
        let initial_list = self.params.send_initial_events == Some(true);
        let mut state = self.inner.state.lock();
        if let Some(stopped) = state.stops.of(self.user) {
            return Err(Failure::Stopped(stopped));
        }
        let current = state.rv;
        if let Some(rv) = asked.filter(|rv| initial_list && *rv > current) {
            return Err(ApiError::too_large_resource_version(rv, current).into());
        }
        let floor = state.history_floor(self.route.id);
        let resource = state.resources.get(&self.route.id).ok_or_else(ApiError::no_such_path)?;
        let prefix = self.prefix();
        let mut initial = VecDeque::new();
        let from_now = self.params.send_initial_events == Some(false);
        let after = match asked {
            None | Some(0) if from_now => current,
            _ if initial_list => {
                initial.extend(resource.objects_under(&prefix).map(|(_, o)| Initial::Added(o.clone())));
                initial.push_back(Initial::Complete(current));
                current
            }
            None | Some(0) => {
                initial.extend(resource.objects_under(&prefix).map(|(_, o)| Initial::Added(o.clone())));
                current
            }
            Some(rv) if rv < floor => {
                let message = format!("too old resource version: {rv} ({floor})");
                initial.push_back(Initial::Error(Box::new(ApiError::expired(message))));
                current
            }
            Some(rv) => {
                let missed = resource.events_after(rv).filter(|event| event.key.starts_with(&prefix));
                initial.extend(missed.map(|event| Initial::Happened(event.clone())));
                rv.max(current)
            }
        };
        let (sender, events) = unbounded_channel();
        state.watch(self.route.id, Watcher { user: self.user.clone(), prefix, sender, muted: false });
        drop(state);
        let length = self.params.timeout_seconds.filter(|s| *s > 0).map_or(DEFAULT_LENGTH, Duration::from_secs);
        let sleep = |duration| Box::pin(tokio::time::sleep(duration));
        Ok(Watch {
            inner: Arc::downgrade(inner),
            user: self.user.clone(),
            kind: self.route.kind.clone(),
            version: self.route.version,
            view,
            selector,
            initial,
            events,
            after,
            bookmarks: self.params.allow_bookmarks.then(|| sleep(BOOKMARK_PERIOD)),
            deadline: sleep(length),
            ended: false,
            headed: false,
        })
    }
}

impl Watch {
    /// The next chunk; `None` at the end.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK {
            let Some(next) = self.initial.pop_front() else { break };
            self.write_initial(next, &mut chunk);
        }
        if self.initial.is_empty() && !self.ended {
            self.write_events(cx, &mut chunk);
        }
        if !self.ended && self.initial.is_empty() {
            let due = self.bookmarks.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
            let over = self.deadline.as_mut().poll(cx).is_ready();
            if due || (over && self.bookmarks.is_some()) {
                self.write_bookmark(cx, &mut chunk);
                if let Some(timer) = &mut self.bookmarks {
                    timer.as_mut().reset(Instant::now() + BOOKMARK_PERIOD);
                    // Registers the new time.
                    let _ = timer.as_mut().poll(cx);
                }
            }
            self.ended |= over;
        }
        if !chunk.is_empty() {
            return Poll::Ready(Some(Bytes::from(chunk)));
        }
        if self.ended { Poll::Ready(None) } else { Poll::Pending }
    }

    fn write_initial(&mut self, next: Initial, chunk: &mut Vec<u8>) {
        match next {
            Initial::Added(object) if self.selector.matches(&object.value) => self.frame("ADDED", &object, chunk),
            Initial::Added(_) => {}
            Initial::Happened(event) => self.write_event(&event, chunk),
            Initial::Complete(rv) => self.bookmark(rv, true, chunk),
            Initial::Error(error) => {
                chunk.extend_from_slice(json!({"type": "ERROR", "object": error.to_value()}).to_string().as_bytes());
                chunk.push(b'\n');
                self.ended = true;
                self.initial.clear();
            }
        }
    }

    fn write_events(&mut self, cx: &mut Context<'_>, chunk: &mut Vec<u8>) {
        while chunk.len() < CHUNK {
            match self.events.poll_recv(cx) {
                Poll::Ready(Some(event)) if event.rv > self.after => self.write_event(&event, chunk),
                Poll::Ready(Some(_)) => {}
                // The server ended the watch.
                Poll::Ready(None) => {
                    self.ended = true;
                    return;
                }
                Poll::Pending => return,
            }
        }
        // More may be waiting.
        cx.waker().wake_by_ref();
    }

    /// What the change means to a watcher of the selection.
    fn write_event(&mut self, event: &Event, chunk: &mut Vec<u8>) {
        let selects = |object: &Object| self.selector.matches(&object.value);
        let before = event.old.as_ref().filter(|old| selects(old));
        if event.change == Change::Deleted {
            if before.is_some() {
                self.frame("DELETED", &event.object, chunk);
            }
            return;
        }
        match (before, selects(&event.object)) {
            (None, true) => self.frame("ADDED", &event.object, chunk),
            (Some(_), true) => self.frame("MODIFIED", &event.object, chunk),
            (Some(old), false) => {
                let left = Object::new(old.value.clone(), event.rv, old.managers.clone());
                self.frame("DELETED", &left, chunk);
            }
            (None, false) => {}
        }
    }

    fn frame(&mut self, change: &str, object: &Object, chunk: &mut Vec<u8>) {
        let now = self.inner.upgrade().map(|inner| inner.clock.now()).unwrap_or_default();
        chunk.extend_from_slice(br#"{"type":""#);
        chunk.extend_from_slice(change.as_bytes());
        chunk.extend_from_slice(br#"","object":"#);
        chunk.extend_from_slice(&self.view.object(object, &self.kind, self.version, !self.headed, now));
        chunk.extend_from_slice(b"}\n");
        self.headed = true;
    }

    /// A bookmark must not overtake an event: the version is read under the lock under which events are sent, and all
    /// that was sent goes first.
    fn write_bookmark(&mut self, cx: &mut Context<'_>, chunk: &mut Vec<u8>) {
        let Some(inner) = self.inner.upgrade() else { return };
        let rv = {
            let state = inner.state.lock();
            if state.stops.of(&self.user).is_some() {
                return;
            }
            state.rv
        };
        while let Poll::Ready(Some(event)) = self.events.poll_recv(cx) {
            if event.rv > self.after {
                self.write_event(&event, chunk);
            }
        }
        self.bookmark(rv, false, chunk);
    }

    fn bookmark(&self, rv: u64, complete: bool, chunk: &mut Vec<u8>) {
        let (kind, api_version) = match (self.view, self.kind.version(self.version)) {
            (View::Partial, _) => ("PartialObjectMetadata", "meta.k8s.io/v1"),
            (View::Table(_), _) => ("Table", "meta.k8s.io/v1"),
            (View::Full, served) => {
                (self.kind.kind.as_str(), served.map(|s| s.api_version.as_str()).unwrap_or_default())
            }
        };
        let mut metadata = json!({"resourceVersion": rv.to_string()});
        if let Some(map) = metadata.as_object_mut() {
            if !self.kind.is_custom() {
                map.insert("creationTimestamp".to_owned(), serde_json::Value::Null);
            }
            if complete {
                map.insert("annotations".to_owned(), json!({"k8s.io/initial-events-end": "true"}));
            }
        }
        let object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        chunk.extend_from_slice(json!({"type": "BOOKMARK", "object": object}).to_string().as_bytes());
        chunk.push(b'\n');
    }
}
