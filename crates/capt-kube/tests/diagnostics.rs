//! The diagnostics endpoint, as a person with curl and as somebody with bad intentions see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use capt_kube::serve::diagnostics::{LogFilter, MAX_FILTER, Told, bind_loopback, serve_locally};
use memory_apiserver::{Fault, MemoryApiServer};
use serde_json::Value;

mod common;
use common::asking::ask;
use common::server::{Running, started, until};

/// A filter that takes one word.
#[derive(Default)]
struct Word(Mutex<String>);

impl LogFilter for Word {
    fn get(&self) -> String {
        self.0.lock().unwrap().clone()
    }
    fn set(&self, filter: &str) -> Result<(), String> {
        if filter.contains(' ') {
            return Err("two words".to_owned());
        }
        *self.0.lock().unwrap() = filter.to_owned();
        Ok(())
    }
}

async fn endpoint(server: &MemoryApiServer) -> (Running, SocketAddr) {
    let running = started(server).await;
    let listener = bind_loopback("127.0.0.1:0").await.unwrap().unwrap();
    let address = listener.local_addr().unwrap();
    let manager = running.manager.clone();
    let told = Told::new(move || manager.snapshot(), Arc::new(Word("info".to_owned().into())));
    tokio::spawn(serve_locally(listener, Arc::new(told)));
    (running, address)
}

#[tokio::test]
async fn it_tells_of_stores_watches_and_queues() {
    let server = MemoryApiServer::new();
    let (_running, address) = endpoint(&server).await;
    let answer = ask(address, "GET", "/state", "").await;
    assert!(answer.code == 200 && answer.head.contains("content-type: application/json"), "{}", answer.head);
    let state: Value = serde_json::from_str(&answer.body).unwrap();
    let hardware = state["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == "Hardware").unwrap();
    assert_eq!((&hardware["presence"], &hardware["objects"]), (&"Ready".into(), &0.into()));
    assert!(hardware["ageSeconds"].as_f64().unwrap() < 60.0 && hardware["restarts"] == 0, "{hardware}");
    assert_eq!(state["queues"][0]["controller"], "tinkerbellmachine");
    assert_eq!(state["queues"][0]["ready"], 0);
    assert!(state["lease"].is_null());

    let page = ask(address, "GET", "/", "").await;
    assert!(page.head.contains("content-type: text/plain"), "{}", page.head);
    for words in ["lead: no election", "log: info", "tinkerbellmachine ", "Hardware             Ready"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
}

#[tokio::test]
async fn a_watch_that_fails_says_why() {
    let server = MemoryApiServer::new();
    let (running, address) = endpoint(&server).await;
    server.faults().inject(Fault::status(500, "InternalError", "etcd is on fire").verb("watch").resource("hardware"));
    server.faults().drop_watches(None);
    let failed = || running.manager.snapshot().kinds.iter().any(|kind| kind.last_failure.is_some());
    until("a watch failed", Duration::from_secs(10), failed).await;
    let told = async || ask(address, "GET", "/", "").await.body.contains("etcd is on fire");
    let mut tries = 0;
    while !told().await {
        tries += 1;
        assert!(tries < 200, "{}", ask(address, "GET", "/", "").await.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_filter_is_put_if_it_is_good_and_stays_if_it_is_bad() {
    let server = MemoryApiServer::new();
    let (_running, address) = endpoint(&server).await;
    let get = async || ask(address, "GET", "/log", "").await.body;
    assert_eq!(get().await, "info\n");
    let put = ask(address, "PUT", "/log", "debug\n").await;
    assert_eq!((put.code, put.body.as_str()), (200, "debug\n"));
    for (body, code, words) in [
        ("two words", 400, "two words\n"),
        ("", 400, "a filter is wanted"),
        (" \n", 400, "a filter is wanted"),
        (&"x".repeat(MAX_FILTER + 1), 413, "at most 4096 bytes"),
    ] {
        let answer = ask(address, "PUT", "/log", body).await;
        assert!(answer.code == code && answer.body.starts_with(words), "{} {}", answer.code, answer.body);
    }
    assert_eq!(get().await, "debug\n");
    assert_eq!(ask(address, "PUT", "/log", &"x".repeat(MAX_FILTER)).await.code, 200);
}

#[tokio::test]
async fn nothing_else_is_answered() {
    let server = MemoryApiServer::new();
    let (_running, address) = endpoint(&server).await;
    for path in ["/metrics", "/log/", "/state.json", "//"] {
        assert_eq!(ask(address, "GET", path, "").await.code, 404, "{path}");
    }
    for (method, path) in [("POST", "/log"), ("DELETE", "/log"), ("PUT", "/state"), ("POST", "/")] {
        assert_eq!(ask(address, method, path, "debug").await.code, 405, "{method} {path}");
    }
    assert_eq!(ask(address, "GET", "/log", "").await.body, "info\n");
}

#[tokio::test]
async fn without_a_password_it_is_told_on_loopback_only() {
    for address in [":0", "0.0.0.0:0"] {
        let error = bind_loopback(address).await.unwrap_err().to_string();
        assert!(error.contains("can be reached from outside"), "{error}");
    }
    for address in ["127.0.0.1:0", "localhost:0"] {
        assert!(bind_loopback(address).await.unwrap().is_some());
    }
    for off in ["", "0"] {
        assert!(bind_loopback(off).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn klogs_verbosity_is_put_as_in_cluster_apis_managers() {
    let server = MemoryApiServer::new();
    let (_running, address) = endpoint(&server).await;
    for (verbosity, level) in [("0", "info\n"), ("4", "debug\n"), (" 8\n", "trace\n")] {
        let put = ask(address, "PUT", "/debug/flags/v", verbosity).await;
        assert_eq!((put.code, put.body.as_str()), (200, level), "{verbosity}");
        assert_eq!(ask(address, "GET", "/log", "").await.body, level);
    }
    assert_eq!(ask(address, "PUT", "/debug/flags/v", "loud").await.code, 400);
    assert_eq!(ask(address, "GET", "/debug/flags/v", "").await.code, 405);
    assert_eq!(ask(address, "GET", "/log", "").await.body, "trace\n");
}
