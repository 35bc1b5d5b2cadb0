//! A bad line between capt-manager and the API server: writes arrive, and their answers get lost.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use futures::future::BoxFuture;
use http::{Method, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{CAPT, Stage};

/// A bad line. It is cut when this is dropped.
pub struct BadLine {
    /// How to reach the server over it, as capt-manager.
    pub kubeconfig: PathBuf,
    lost: Arc<Lost>,
    _stop: DropGuard,
}

/// How many writes to each place there were; the answers to the first, the third and so on are lost.
#[derive(Default)]
struct Lost(Mutex<BTreeMap<String, u32>>);

impl Stage {
    /// Lays a bad line to the API server.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn bad_line(&self) -> anyhow::Result<BadLine> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let kubeconfig = self.folder().join("bad-line.kubeconfig");
        write_kubeconfig(&kubeconfig, listener.local_addr()?.port())?;
        let client = self.plane.client(CAPT, "capt-manager").await?;
        let (lost, token) = (Arc::new(Lost::default()), CancellationToken::new());
        tokio::spawn(token.clone().run_until_cancelled_owned(serve(listener, client, lost.clone())));
        Ok(BadLine { kubeconfig, lost, _stop: token.drop_guard() })
    }
}

impl BadLine {
    /// How many answers to writes of these objects were lost.
    pub fn lost(&self, plural: &str) -> u32 {
        let counted = self.lost.0.lock();
        let of_kind = counted.iter().filter(|(place, _)| place.split('/').any(|part| part == plural));
        of_kind.map(|(_, writes)| writes.div_ceil(2)).sum()
    }
}

impl Lost {
    fn is_lost(&self, method: &Method, path: &str) -> bool {
        if !matches!(*method, Method::POST | Method::PATCH | Method::PUT | Method::DELETE) {
            return false;
        }
        let mut counted = self.0.lock();
        let writes = counted.entry(format!("{method} {path}")).or_default();
        *writes += 1;
        *writes % 2 == 1
    }
}

fn write_kubeconfig(file: &Path, port: u16) -> anyhow::Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "line", "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
        "users": [{ "name": "line", "user": {} }],
        "contexts": [{ "name": "line", "context": { "cluster": "line", "user": "line" } }],
        "current-context": "line",
    });
    std::fs::write(file, config.to_string()).with_context(|| file.display().to_string())
}

async fn serve(listener: TcpListener, client: Client, lost: Arc<Lost>) -> Infallible {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (client, lost) = (client.clone(), lost.clone());
        let service = service_fn(move |request| pass_on(client.clone(), lost.clone(), request));
        tokio::spawn(async move {
            // What ends a connection here is what a bad line does.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Passes a request on. An error cuts the connection, without an answer.
fn pass_on(
    client: Client,
    lost: Arc<Lost>,
    request: Request<Incoming>,
) -> BoxFuture<'static, anyhow::Result<Response<Body>>> {
    Box::pin(async move {
        let (mut parts, body) = request.into_parts();
        parts.headers.remove(header::HOST);
        let is_lost = lost.is_lost(&parts.method, parts.uri.path());
        let body = body.collect().await?.to_bytes().to_vec();
        let answer = client.send(Request::from_parts(parts, Body::from(body))).await?;
        if is_lost {
            bail!("lost");
        }
        Ok(answer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_whose_answer_was_lost_is_answered_the_next_time_and_reads_always_are() {
        let line = Lost::default();
        let heard =
            [Method::PATCH, Method::PATCH, Method::PATCH, Method::GET].map(|method| line.is_lost(&method, "/a"));
        assert_eq!(heard, [true, false, true, false]);
        assert!(line.is_lost(&Method::PATCH, "/b"), "each object has its own luck");
    }
}
