//! Requests to API servers, counted as Kubernetes' Go client counts them.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Method, Request, Response};
use pin_project_lite::pin_project;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tower::{Layer, Service};

/// Counts requests by status code, host and method.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    total: Family<Kind, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    code: Code,
    host: Arc<str>,
    method: &'static str,
}

/// The status of an answer, or that there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Code(Option<u16>);

impl EncodeLabelValue for Code {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        match self.0 {
            Some(code) => write!(encoder, "{code}"),
            None => encoder.write_str("<error>"),
        }
    }
}

impl Requests {
    /// A layer for clients of the server at this host (with its port, if it has one).
    pub fn layer(&self, host: impl Into<Arc<str>>) -> CountRequests {
        CountRequests { requests: self.clone(), host: host.into() }
    }

    /// How many requests with this method were answered with this status, or not at all.
    pub fn count(&self, host: &str, method: &Method, code: Option<u16>) -> u64 {
        let kind = Kind { code: Code(code), host: host.into(), method: name(method) };
        self.total.get(&kind).map_or(0, |counter| counter.get())
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "rest_client_requests",
            "Requests to API servers, by status code (<error> without an answer), host and method",
            self.total.clone(),
        );
    }
}

/// The methods that we use; others share a word, for what is counted must stay few.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "OTHER",
    }
}

/// Wraps a client's service in one that counts.
#[derive(Clone, Debug)]
pub struct CountRequests {
    requests: Requests,
    host: Arc<str>,
}

impl<S> Layer<S> for CountRequests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, by: self.clone() }
    }
}

/// A client's service whose requests are counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    by: CountRequests,
}

impl<S, B, R> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Counting<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Counting<S::Future> {
        let open = Open { by: self.by.clone(), method: name(request.method()), code: Code(None) };
        Counting { answer: self.inner.call(request), open: Some(open) }
    }
}

pin_project! {
    /// A request under way.
    pub struct Counting<F> {
        #[pin]
        answer: F,
        open: Option<Open>,
    }
}

impl<F, R, E> Future for Counting<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(context));
        if let Some(mut open) = this.open.take() {
            open.code = Code(answer.as_ref().ok().map(|answer| answer.status().as_u16()));
        }
        Poll::Ready(answer)
    }
}

/// A request that is counted when this is dropped: also one that was given up.
struct Open {
    by: CountRequests,
    method: &'static str,
    code: Code,
}

impl Drop for Open {
    fn drop(&mut self) {
        let kind = Kind { code: self.code, host: self.by.host.clone(), method: self.method };
        self.by.requests.total.get_or_create(&kind).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use tower::ServiceExt;

    #[tokio::test]
    async fn an_answer_a_failure_and_a_request_given_up_are_each_counted_once() {
        let requests = Requests::default();
        let layer = requests.layer("h:6443");
        let answers = layer.layer(tower::service_fn(|_: Request<()>| async {
            let answer = Response::builder().status(409).body(()).unwrap();
            Ok::<_, Infallible>(answer)
        }));
        let fails = layer.layer(tower::service_fn(|_: Request<()>| async { Err::<Response<()>, _>(std::fmt::Error) }));
        let never = layer.layer(tower::service_fn(|_: Request<()>| std::future::pending::<Result<Response<()>, ()>>()));
        let request = |method: Method| Request::builder().method(method).body(()).unwrap();

        answers.oneshot(request(Method::PATCH)).await.unwrap();
        fails.oneshot(request(Method::GET)).await.unwrap_err();
        assert!(futures::FutureExt::now_or_never(never.oneshot(request(Method::from_bytes(b"X").unwrap()))).is_none());

        assert_eq!(requests.count("h:6443", &Method::PATCH, Some(409)), 1);
        assert_eq!(requests.count("h:6443", &Method::GET, None), 1);
        assert_eq!(requests.count("h:6443", &Method::OPTIONS, None), 1, "a method nobody expects");
        let mut registry = Registry::default();
        requests.register(&mut registry);
        let text = super::super::text(&registry);
        assert_eq!(text.matches("\nrest_client_requests_total{").count(), 3, "{text}");
        assert!(
            text.contains("rest_client_requests_total{code=\"<error>\",host=\"h:6443\",method=\"GET\"} 1\n"),
            "{text}"
        );
    }
}
