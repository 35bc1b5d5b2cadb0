//! Whatever a client sends, it gets an answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON, with a liking for the field names of the schema.
fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["fast", "00:11:22:33:44:55", "2026-01-01T00:00:00Z", "https://x"])
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "size",
            "mode",
            "mac",
            "text",
            "when",
            "link",
            "port",
            "nothing",
            "free",
            "labels",
            "tags",
            "plain",
            "items",
            "fixed",
            "pair",
            "choice",
            "template",
            "name",
            "value",
            "metadata",
            "spec",
            "status",
            "conditions",
            "type",
            "apiVersion",
            "kind",
            "finalizers",
            "ownerReferences",
            "managedFields",
            "resourceVersion",
            "annotations",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
    ];
    scalar.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<String, Value>>())),
        ]
    })
}

fn answered(answer: &(u16, Value)) -> bool {
    let (code, body) = answer;
    // The two refusals that a real server words as errors of its own.
    let own = |start: &str| *code == 500 && message(body).starts_with(start);
    (200..300).contains(code)
        || (400..500).contains(code)
        || own("failed to create typed patch object")
        || own("strconv.ParseUint")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn any_json_is_stored_or_refused_but_never_a_panic(spec in any_json(), meta in any_json(), status in any_json()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = server();
            post(&server, THINGS_PATH, body("base", json!({"items": [{"name": "a"}], "tags": ["t"]}))).await;
            let mut object = body("a", spec.clone());
            object["status"] = status.clone();
            let created = post(&server, THINGS_PATH, object.clone()).await;
            assert!(answered(&created), "{created:?}");
            let path = format!("{THINGS_PATH}/base");
            for part in [json!({"spec": spec}), json!({"metadata": meta}), spec.clone()] {
                let answer = merge(&server, &path, part.clone()).await;
                assert!(answered(&answer), "{answer:?}");
                let answer = json_patch(&server, &path, json!([{"op": "add", "path": "/spec", "value": part}])).await;
                assert!(answered(&answer), "{answer:?}");
            }
            let answer = merge(&server, &format!("{path}/status"), json!({"status": status})).await;
            assert!(answered(&answer), "{answer:?}");
            let mut config = body("base", spec.clone());
            config["metadata"] = meta.clone();
            for manager in ["one", "two"] {
                let answer = apply(&server, &path, manager, true, config.clone()).await;
                assert!(answered(&answer), "{answer:?}");
            }
            assert!(answered(&post(&server, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", spec).await));
            assert_eq!(get(&server, THINGS_PATH).await.0, 200);
        });
    }

    #[test]
    fn any_url_is_answered(path in "/[a-z0-9/.%]{0,40}", query in "[a-zA-Z=&%0-9,!()]{0,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = server();
            for path in [path.as_str(), THINGS_PATH] {
                let url = format!("{path}?{query}");
                if url.parse::<http::Uri>().is_ok() && !query.contains("watch") {
                    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                        let (code, _, body) = raw(&server, method, &url, "application/json", "", "{}").await;
                        assert!(answered(&(code, body)) || code == 504, "{method} {url}: {code}");
                    }
                }
            }
        });
    }
}

/// A value that once passed is returned by a second, equal write unchanged.
#[tokio::test]
async fn normalising_twice_changes_nothing() {
    let server = server();
    let spec = json!({"size": 3, "items": [{"name": "x"}], "free": {"a": null}, "unknown": {"x": 1}, "nothing": null});
    let (_, created) = post(&server, THINGS_PATH, body("a", spec)).await;
    let (code, same) = put(&server, &format!("{THINGS_PATH}/a"), created.clone()).await;
    assert_eq!((code, &same), (200, &created));
}
