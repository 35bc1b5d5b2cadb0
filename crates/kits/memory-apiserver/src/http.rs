//! The HTTP/1.1 face: a listener on loopback, a bearer token for each user, a kubeconfig.

use crate::Inner;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A running HTTP listener. Dropping it ends it.
pub struct Serving {
    address: SocketAddr,
    stop: CancellationToken,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Serving {
    pub(crate) async fn start(inner: Arc<Inner>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(accept(listener, inner, stop.clone()));
        Ok(Self { address, stop, task: Some(task) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig, as YAML, with which a client is `user`.
    pub fn kubeconfig(&self, user: &str) -> String {
        let quoted = serde_json::Value::from(user);
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: memory\n  cluster:\n    server: {}\nusers:\n- name: {quoted}\n  user:\n    \
             token: {quoted}\n    as: {quoted}\ncontexts:\n- name: memory\n  context:\n    cluster: memory\n    user: {quoted}\n    namespace: \
             default\ncurrent-context: memory\n",
            self.url(),
        )
    }

    /// Ends the listener and its connections.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>, stop: CancellationToken) {
    let connections = tokio_util::task::TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, or a connection that went away: others may still come.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (inner, stop) = (inner.clone(), stop.clone());
        connections.spawn(async move {
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let inner = inner.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let user = user_of(&parts.headers);
                    match body.collect().await {
                        Ok(body) => inner.handle(&user, &parts, &body.to_bytes()).await,
                        Err(error) => Err(std::io::Error::other(error)),
                    }
                }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                },
                () = stop.cancelled() => {}
            }
        });
    }
    connections.close();
    connections.wait().await;
}

/// The bearer token is the name of the user. Everybody may impersonate anybody: Go clients, `kubectl` among them, send no token
/// without TLS (`k8s.io/client-go/tools/clientcmd/client_config.go`), but they do say as whom they come.
fn user_of(headers: &http::HeaderMap) -> Arc<str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let token = || text("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
    text("impersonate-user").or_else(token).unwrap_or("anonymous").into()
}
