//! The clients' limits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use capt_kube::Clients;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

/// Clients of a server that takes connections and never says a word.
async fn clients_of_a_dead_server() -> Clients {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    let _ = rustls::crypto::ring::default_provider().install_default();
    Clients::from_config(kube::Config::new(url), 4).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let clients = clients_of_a_dead_server().await;
    for client in [clients.watches, clients.writes] {
        let began = Instant::now();
        let request = http::Request::get("/version").body(Vec::new()).unwrap();
        let result = timeout(Duration::from_secs(60), client.request_text(request)).await.expect("hangs");
        assert!(result.is_err());
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}
