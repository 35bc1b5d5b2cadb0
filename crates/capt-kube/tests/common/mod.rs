//! What several tests need.

#[allow(dead_code, reason = "not every test needs it")]
pub mod asking;
#[allow(dead_code, reason = "not every test needs all of it")]
pub mod server;

use std::sync::Arc;

use capt_kube::api::KubeWriter;
use capt_kube::cache::Cache;
use capt_kube::clock::TokioClock;
use capt_kube::events::Events;
use capt_kube::ports::Ports;
use kube::client::Body;

/// Ports over a cache, with a server that nobody can reach.
#[allow(dead_code, reason = "not every test needs it")]
pub fn offline_ports(cache: &Arc<Cache>) -> Ports {
    let service = tower::service_fn(|_: http::Request<Body>| async {
        Err::<http::Response<Body>, _>(std::io::Error::other("there is no server"))
    });
    let client = kube::Client::new(service, "default");
    Ports::new(cache.clone(), KubeWriter::new(client, cache.clone()), Events::new().0, TokioClock::new())
}

/// A server that answers as `answer` says: method, path with query, body in; status and body out.
#[allow(dead_code, reason = "not every test needs it")]
pub fn scripted<A, F>(answer: A) -> kube::Client
where
    A: Fn(http::Method, String, serde_json::Value) -> F + Clone + Send + 'static,
    F: std::future::Future<Output = (u16, serde_json::Value)> + Send + 'static,
{
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap_or_default();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let (status, body) = answer(parts.method, parts.uri.to_string(), body).await;
            let response = http::Response::builder().status(status).body(Body::from(body.to_string().into_bytes()));
            response.map_err(std::io::Error::other)
        }
    });
    kube::Client::new(service, "default")
}
