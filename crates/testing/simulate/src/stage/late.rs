//! A connection whose watches are late.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use memory_apiserver::{ResponseBody, Service};
use tokio::time::Sleep;

/// How late watches are, by plural, while it is on.
#[derive(Clone, Debug, Default)]
pub(super) struct Lateness {
    by: Arc<BTreeMap<&'static str, Duration>>,
    off: Arc<AtomicBool>,
}

impl Lateness {
    pub(super) fn of(late: &[(&'static str, Duration)]) -> Self {
        Self { by: Arc::new(late.iter().copied().collect()), off: Arc::default() }
    }

    /// From now on nothing is late.
    pub(super) fn end(&self) {
        self.off.store(true, Ordering::Relaxed);
    }

    fn of_request<B>(&self, request: &Request<B>) -> Option<Duration> {
        let query = request.uri().query().unwrap_or_default();
        let plural = request.uri().path().rsplit('/').next().unwrap_or_default();
        self.by.get(plural).copied().filter(|_| query.contains("watch=true"))
    }
}

/// The server, with late watches.
#[derive(Clone)]
pub(super) struct LateService {
    pub(super) server: Service,
    pub(super) lateness: Lateness,
}

impl tower::Service<Request<kube::client::Body>> for LateService {
    type Response = Response<LateBody>;
    type Error = <Service as tower::Service<Request<kube::client::Body>>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.server.poll_ready(context)
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let by = self.lateness.of_request(&request);
        let (answer, lateness) = (self.server.call(request), self.lateness.clone());
        Box::pin(async move {
            let answer = answer.await?;
            Ok(answer.map(|body| LateBody { body, by, lateness, held: None }))
        })
    }
}

/// A body of which each part is held back for a while.
pub(super) struct LateBody {
    body: ResponseBody,
    by: Option<Duration>,
    lateness: Lateness,
    held: Option<(Pin<Box<Sleep>>, Frame<Bytes>)>,
}

impl Body for LateBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.held.is_none() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            match self.by.filter(|_| !self.lateness.off.load(Ordering::Relaxed)) {
                None => return Poll::Ready(Some(Ok(frame))),
                Some(by) => self.held = Some((Box::pin(tokio::time::sleep(by)), frame)),
            }
        }
        if let Some((sleep, _)) = &mut self.held {
            ready!(sleep.as_mut().poll(context));
        }
        Poll::Ready(self.held.take().map(|(_, frame)| Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
