//! The webhook server over real TLS, as API servers and others see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::time::Duration;

use capt_kube::certificates::{CERTIFICATE, KEY, REREAD};
use capt_kube::webhook::{ALL_BODIES, MAX_BODY};
use serde_json::{Value, json};
use support::{Call, Folder, Http, Running, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const MACHINE: &str = "/validate-infrastructure-cluster-x-k8s-io-v1beta1-tinkerbellmachine";
const CLUSTER: &str = "/mutate-infrastructure-cluster-x-k8s-io-v1beta1-tinkerbellcluster";

fn review(kind: &str, spec: &Value) -> Vec<u8> {
    let object = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": kind,
        "metadata": {"name": "x", "namespace": "d"}, "spec": spec,
    });
    let request = json!({"uid": "u-1", "operation": "CREATE", "name": "x", "namespace": "d", "object": object});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).to_string().into_bytes()
}

const READS: &str = "certwatcher_read_certificate_total";
const FAILURES: &str = "certwatcher_read_certificate_errors_total";

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[tokio::test]
async fn reviews_are_answered_over_http_1_and_2_with_the_query_of_the_api_server() {
    let running = Running::start("answers").await;
    let weight =
        json!({"hardwareAffinity": {"preferred": [{"weight": 0, "hardwareAffinityTerm": {"labelSelector": {}}}]}});
    for http in [Http::One, Http::Two] {
        let mut client = running.connect(http).await;
        let (status, body) =
            client.call(Call::post(&format!("{MACHINE}?timeout=10s"), review("TinkerbellMachine", &json!({})))).await;
        assert_eq!(status, 200);
        let allowed = json!({"uid": "u-1", "allowed": true, "status": {"metadata": {}, "code": 200}});
        assert_eq!(json(&body)["response"], allowed);
        let (status, body) = client.call(Call::post(MACHINE, review("TinkerbellMachine", &weight))).await;
        let response = &json(&body)["response"];
        assert_eq!((status, &response["allowed"], &response["status"]["code"]), (200, &false.into(), &422.into()));
        let (_, body) = client.call(Call::post(CLUSTER, review("TinkerbellCluster", &json!({})))).await;
        assert_eq!(json(&body)["response"]["patchType"], "JSONPatch");
    }
    let answered = format!(r#"controller_runtime_webhook_requests_total{{code="200",webhook="{MACHINE}"}}"#);
    assert_eq!(running.counted(&answered), 4);
    assert_eq!(running.counted(&format!(r#"controller_runtime_webhook_requests_in_flight{{webhook="{MACHINE}"}}"#)), 0);
}

#[tokio::test]
async fn a_conversion_is_answered_for_the_definitions_name_it() {
    let running = Running::start("converts").await;
    let version = "infrastructure.cluster.x-k8s.io/v1beta1";
    let request = json!({"uid": "u-1", "desiredAPIVersion": version, "objects": [{"apiVersion": version, "spec": {}}]});
    let review = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request});
    let mut client = running.connect(Http::Two).await;
    let (status, body) = client.call(Call::post("/convert?timeout=30s", review.to_string().into_bytes())).await;
    let response = &json(&body)["response"];
    assert_eq!((status, &response["uid"], &response["result"]["status"]), (200, &"u-1".into(), &"Success".into()));
    assert_eq!(response["convertedObjects"], request["objects"]);
    assert_eq!(running.counted(r#"controller_runtime_webhook_requests_total{code="200",webhook="/convert"}"#), 1);
    let plain = Call { content_type: "text/plain", ..Call::post("/convert", b"x".to_vec()) };
    assert_eq!(json(&client.call(plain).await.1)["response"]["result"]["status"], "Failure");
}

#[tokio::test]
async fn what_is_no_call_gets_a_clear_answer() {
    let running = Running::start("odd").await;
    let mut client = running.connect(Http::One).await;
    assert_eq!(client.call(Call::post("/none", Vec::new())).await, (404, b"404 page not found\n".to_vec()));
    assert_eq!(client.call(Call { method: "GET", ..Call::post(MACHINE, Vec::new()) }).await.0, 405);
    let text = |body: &[u8]| json(body)["response"]["status"]["message"].as_str().unwrap().to_owned();
    let plain = Call { content_type: "text/plain", ..Call::post(MACHINE, review("TinkerbellMachine", &json!({}))) };
    let (status, body) = client.call(plain).await;
    assert_eq!((status, text(&body).as_str()), (200, "contentType=text/plain, expected application/json"));
    let (status, body) = client.call(Call::post(MACHINE, Vec::new())).await;
    assert_eq!((status, text(&body).as_str()), (200, "request body is empty"));
}

#[tokio::test]
async fn a_large_object_passes_and_one_too_large_is_told_so() {
    let running = Running::start("large").await;
    let mut client = running.connect(Http::Two).await;
    let review = review("TinkerbellMachine", &json!({"templateOverride": "x".repeat(6 * 1024 * 1024)}));
    let (status, body) = client.call(Call::post(MACHINE, review)).await;
    assert_eq!((status, &json(&body)["response"]["allowed"]), (200, &true.into()));
    let (status, body) = client.call(Call::post(MACHINE, vec![b' '; MAX_BODY + 1])).await;
    assert_eq!((status, String::from_utf8(body).unwrap().contains("limit is 7340032 bytes")), (413, true));
    let mut again = running.connect(Http::Two).await;
    assert_eq!(again.call(Call::post(MACHINE, Vec::new())).await.0, 200);
}

#[tokio::test]
async fn broken_and_slow_peers_hold_up_nobody() {
    let running = Running::start("slow").await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    let mut broken = TcpStream::connect(running.address).await.unwrap();
    broken.write_all(b"POST / HTTP/1.1\r\n\r\nthis is no TLS").await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(5), broken.read_to_end(&mut rest)).await.expect("kept for ever");
    let good = async {
        let mut client = running.connect(Http::One).await;
        client.call(Call::post(MACHINE, review("TinkerbellMachine", &json!({})))).await
    };
    assert_eq!(timeout(Duration::from_secs(5), good).await.expect("held up").0, 200);
    let mut first = silent.swap_remove(0);
    let _ = timeout(Duration::from_secs(15), first.read_to_end(&mut rest)).await.expect("kept for ever");
}

#[tokio::test]
async fn idle_connections_keep_no_api_server_out() {
    let running = Running::small("idle", 8).await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        for http in [Http::One, Http::Two] {
            idle.push(running.connect(http).await);
        }
    }
    let call = async {
        let mut client = running.connect(Http::Two).await;
        client.call(Call::post(MACHINE, review("TinkerbellMachine", &json!({})))).await
    };
    let (status, _) = timeout(Duration::from_secs(5), call).await.expect("all places are taken by who wants nothing");
    assert_eq!(status, 200);
}

#[tokio::test]
async fn bodies_that_are_under_way_have_a_common_limit() {
    let running = Running::start("bodies").await;
    let begin = || async {
        let mut stream = running.handshake(Http::One).await.unwrap();
        let head = format!(
            "POST {MACHINE} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {MAX_BODY}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    // All but the last byte, so that each is held.
    let (most, held) = (vec![b' '; MAX_BODY - 1], ALL_BODIES / MAX_BODY);
    let mut streams = Vec::new();
    for _ in 0..held {
        let mut stream = begin().await;
        stream.write_all(&most).await.unwrap();
        streams.push(stream);
    }
    let mut one_more = begin().await;
    let taken = timeout(Duration::from_secs(2), one_more.write_all(&most)).await;
    assert!(taken.is_err(), "{} bytes are in memory for nobody", (held + 1) * MAX_BODY);
    drop((streams, one_more));
    let mut client = running.connect(Http::Two).await;
    let call = client.call(Call::post(MACHINE, review("TinkerbellMachine", &json!({}))));
    assert_eq!(timeout(Duration::from_secs(20), call).await.expect("room is not given back").0, 200);
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart_and_a_broken_one_never() {
    let running = Running::start("rotates").await;
    let first = running.connect(Http::One).await.certificate;
    assert_eq!((running.counted(READS), running.counted(FAILURES)), (1, 0));

    let (certificate, key) = pair();
    // One half only: not a pair.
    running.folder.write(CERTIFICATE, &certificate);
    tokio::time::sleep(REREAD + Duration::from_secs(1)).await;
    assert_eq!(running.connect(Http::One).await.certificate, first);
    assert_eq!((running.counted(READS), running.counted(FAILURES)), (2, 1));
    assert!(running.passes());

    running.folder.write(KEY, &key);
    tokio::time::sleep(REREAD + Duration::from_secs(1)).await;
    let mut client = running.connect(Http::Two).await;
    assert_ne!(client.certificate, first);
    assert_eq!(running.counted(READS), 3);
    assert_eq!(client.call(Call::post(MACHINE, Vec::new())).await.0, 200);
}

#[tokio::test]
async fn without_a_certificate_it_waits_and_is_not_ready() {
    let folder = Folder::new("waits");
    let running = Running::of(folder).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!running.passes());
    assert!(running.handshake(Http::One).await.is_err());
    let (certificate, key) = pair();
    running.folder.write(CERTIFICATE, &certificate);
    running.folder.write(KEY, &key);
    tokio::time::sleep(REREAD + Duration::from_secs(1)).await;
    assert!(running.passes());
    running.connect(Http::One).await;
}

#[tokio::test]
async fn told_to_stop_it_takes_no_more_and_ends_soon() {
    let mut running = Running::start("stops").await;
    let mut client = running.connect(Http::Two).await;
    assert_eq!(client.call(Call::post(MACHINE, Vec::new())).await.0, 200);
    let _silent = TcpStream::connect(running.address).await.unwrap();
    running.cancel.cancel();
    timeout(Duration::from_secs(3), running.task.take().unwrap()).await.expect("runs on").unwrap().unwrap();
    assert!(!running.passes());
    assert!(TcpStream::connect(running.address).await.is_err());
}
