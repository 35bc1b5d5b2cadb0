//! The health endpoint, as a kubelet and as somebody with bad intentions see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use capt_kube::http::bind;
use capt_kube::serve::health::{Check, Checks, serve};
use memory_apiserver::MemoryApiServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

mod common;
use common::server::{apply, core_kinds, start};

async fn endpoint(checks: Checks) -> SocketAddr {
    let listener = bind("127.0.0.1:0").await.unwrap().unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, checks));
    address
}

/// Status and body.
async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn ready_is_what_the_checks_say() {
    let filled = Arc::new(AtomicBool::new(false));
    let stores = {
        let filled = filled.clone();
        move || filled.load(Ordering::SeqCst)
    };
    let ready = vec![Check::new("stores", stores), Check::new("other", || true)];
    let address = endpoint(Checks { ready, ..Checks::default() }).await;
    let get = async |path| ask(address, "GET", path).await;

    let failed = "[-]stores failed\n[+]other ok\nhealthz check failed\n";
    assert_eq!(get("/readyz").await, (500, failed.into()));
    assert_eq!(get("/readyz?verbose").await, (500, failed.into()));
    assert_eq!(get("/readyz/stores").await.0, 500);
    assert_eq!(get("/readyz/other").await, (200, "ok".into()));
    assert_eq!(get("/healthz").await, (200, "ok".into()));
    filled.store(true, Ordering::SeqCst);
    assert_eq!(get("/readyz").await, (200, "ok".into()));
    assert_eq!(get("/readyz?verbose").await, (200, "[+]stores ok\n[+]other ok\nhealthz check passed\n".into()));
    assert_eq!(get("/readyz/stores?verbose=1").await, (200, "[+]stores ok\nhealthz check passed\n".into()));
    assert_eq!(get("/healthz?verbose").await, (200, "healthz check passed\n".into()));
    for path in ["/", "/metrics", "/readyz/none", "/healthz/stores", "/readyzz"] {
        assert_eq!(get(path).await.0, 404, "{path}");
    }
    assert_eq!(ask(address, "HEAD", "/readyz").await, (200, String::new()));
    assert_eq!(ask(address, "POST", "/readyz").await.0, 405);
}

#[tokio::test]
async fn a_peer_that_sends_nothing_or_too_much_is_sent_away() {
    let address = endpoint(Checks::default()).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HT").await.unwrap();
    let mut big = TcpStream::connect(address).await.unwrap();
    // The server may hang up before it took all of it.
    let _ = big.write_all(format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000)).as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(5), big.read_to_end(&mut answer)).await.expect("kept for ever");
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    let _ = timeout(Duration::from_secs(5), idle.read_to_end(&mut answer)).await.expect("kept for ever");
    assert_eq!(ask(address, "GET", "/healthz").await.0, 200);
}

#[tokio::test]
async fn connections_that_are_kept_alive_do_not_starve_the_probes() {
    let address = endpoint(Checks::default()).await;
    let mut kept = Vec::new();
    for _ in 0..capt_kube::http::CONNECTIONS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut first = [0; 16];
        stream.read_exact(&mut first).await.unwrap();
        kept.push(stream);
    }
    let probe = timeout(Duration::from_secs(1), ask(address, "GET", "/healthz"));
    assert_eq!(probe.await.expect("the kubelet would restart us").0, 200);
}

#[tokio::test]
async fn an_empty_address_or_0_turns_it_off_and_nonsense_is_an_error() {
    assert!(bind("").await.unwrap().is_none() && bind("0").await.unwrap().is_none());
    let taken = bind("localhost:0").await.unwrap().unwrap().local_addr().unwrap();
    assert!(bind("127.0.0.1:http").await.unwrap_err().to_string().contains("127.0.0.1:http"));
    assert!(taken.ip().is_loopback());
}

#[tokio::test(start_paused = true)]
async fn the_manager_is_not_ready_before_its_stores_are_filled() {
    let server = MemoryApiServer::new();
    let running = start(&server, capt_kube::Settings::default());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!running.manager.stores_are_filled());
    apply(&server, &core_kinds());
    timeout(Duration::from_secs(60), running.manager.synced()).await.unwrap();
    assert!(running.manager.stores_are_filled());
}
