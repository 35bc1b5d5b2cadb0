//! The rules of the webhooks that Go CAPT's recorded calls do not show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use capt_reconciler::admission::{REGISTRATIONS, Webhook, answer};
use k8s_openapi::ByteString;
use proptest::prelude::*;
use serde_json::{Value, json};

fn path(webhook: Webhook, resource: &str) -> &'static str {
    let found = REGISTRATIONS.iter().find(|known| known.webhook == webhook && known.resource == resource);
    found.unwrap().path
}

fn call(path: &str, request: Value) -> Value {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let answer = answer(path, review.to_string().as_bytes());
    assert_eq!(answer.http, 200);
    serde_json::from_slice::<Value>(&answer.body).unwrap()["response"].take()
}

fn object(kind: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": kind,
        "metadata": {"name": "x", "namespace": "d"}, "spec": spec,
    })
}

fn update_machine(old: &Value, new: &Value) -> Value {
    let (old, new) = (object("TinkerbellMachine", old), object("TinkerbellMachine", new));
    let request = json!({"uid": "u", "operation": "UPDATE", "object": new, "oldObject": old});
    call(path(Webhook::Validating, "tinkerbellmachines"), request)
}

/// A template update, with changes to the request or to the objects.
fn update_template(old: &Value, new: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let kind = "TinkerbellMachineTemplate";
    let (old, new) = (object(kind, &json!({"template": old})), object(kind, &json!({"template": new})));
    let mut request = json!({"uid": "u", "operation": "UPDATE", "object": new, "oldObject": old, "dryRun": false});
    change(&mut request);
    call(path(Webhook::Validating, "tinkerbellmachinetemplates"), request)
}

fn patch(spec: Option<Value>) -> Option<Value> {
    let mut cluster = object("TinkerbellCluster", &Value::Null);
    match spec {
        Some(spec) => cluster["spec"] = spec,
        None => drop(cluster.as_object_mut().unwrap().remove("spec")),
    }
    let request = json!({"uid": "u", "operation": "CREATE", "object": cluster});
    let response = call(path(Webhook::Mutating, "tinkerbellclusters"), request);
    assert_eq!(response["allowed"], true, "{response}");
    let ByteString(bytes) = serde_json::from_value(response.get("patch")?.clone()).unwrap();
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn pool(name: &str) -> Value {
    json!({"apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool", "name": name})
}

/// Set, replaced, cleared.
fn pool_changes() -> [(Option<Value>, Option<Value>); 3] {
    [(None, Some(pool("a"))), (Some(pool("a")), Some(pool("b"))), (Some(pool("a")), None)]
}

fn machine_spec(hardware: &str, pool: &Option<Value>) -> Value {
    let mut spec = json!({});
    if !hardware.is_empty() {
        spec["hardwareName"] = json!(hardware);
    }
    if let Some(pool) = pool {
        spec["ipamPoolRef"] = pool.clone();
    }
    spec
}

#[test]
fn the_pool_of_a_machine_with_hardware_never_changes() {
    for (old, new) in pool_changes() {
        let response = update_machine(&machine_spec("h", &old), &machine_spec("h", &new));
        assert_eq!(response["allowed"], false, "{old:?} {new:?}");
        assert_eq!(
            response["status"],
            json!({
                "metadata": {}, "status": "Failure", "reason": "Invalid", "code": 422,
                "message": "TinkerbellMachine.infrastructure.cluster.x-k8s.io \"x\" is invalid: \
                            spec.ipamPoolRef: Forbidden: is immutable once hardware is selected",
                "details": {
                    "name": "x", "group": "infrastructure.cluster.x-k8s.io", "kind": "TinkerbellMachine",
                    "causes": [{
                        "reason": "FieldValueForbidden", "field": "spec.ipamPoolRef",
                        "message": "Forbidden: is immutable once hardware is selected",
                    }],
                },
            })
        );
    }
}

#[test]
fn the_pool_of_a_machine_is_free_until_hardware_is_selected() {
    for (old, new) in pool_changes() {
        // Selecting Hardware in the same update still comes after the old state, which had none.
        for hardware in ["", "h"] {
            let response = update_machine(&machine_spec("", &old), &machine_spec(hardware, &new));
            assert_eq!(response["allowed"], true, "{old:?} {new:?} {hardware}");
        }
    }
}

#[test]
fn a_machine_keeping_its_pool_and_hardware_can_be_updated() {
    let old = machine_spec("h", &Some(pool("a")));
    let mut new = old.clone();
    new["providerID"] = json!("tinkerbell://d/h");
    assert_eq!(update_machine(&old, &new)["allowed"], true);
}

#[test]
fn clearing_hardware_does_not_free_the_pool_in_the_same_update() {
    let response = update_machine(&machine_spec("h", &Some(pool("a"))), &json!({}));
    let causes = response["status"]["details"]["causes"].as_array().unwrap();
    let fields: Vec<_> = causes.iter().map(|cause| cause["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["spec.hardwareName", "spec.ipamPoolRef"]);
}

#[test]
fn an_odd_status_does_not_make_a_machine_impossible_to_update() {
    let machine = |spec| {
        let mut machine = object("TinkerbellMachine", &spec);
        machine["status"] = json!({"conditions": "of another age"});
        machine
    };
    let request = json!({
        "uid": "u", "operation": "UPDATE", "object": machine(json!({})), "oldObject": machine(json!({})),
    });
    assert_eq!(call(path(Webhook::Validating, "tinkerbellmachines"), request)["allowed"], true);
}

#[test]
fn a_machine_whose_name_is_still_generated_is_refused_without_a_name_in_the_details() {
    let mut machine = object(
        "TinkerbellMachine",
        &json!({"hardwareAffinity": {"preferred": [
            {"weight": 0, "hardwareAffinityTerm": {"labelSelector": {}}},
        ]}}),
    );
    machine["metadata"] = json!({"generateName": "x-"});
    let request = json!({"uid": "u", "operation": "CREATE", "object": machine});
    let response = call(path(Webhook::Validating, "tinkerbellmachines"), request);
    assert_eq!(response["status"]["code"], 422);
    assert_eq!(response["status"]["details"].get("name"), None);
}

#[test]
fn only_a_dry_run_of_the_topology_controller_may_change_a_template() {
    let (old, new) = (json!({"spec": {}}), json!({"spec": {"templateOverride": "a"}}));
    let annotate = |request: &mut Value, member: &str| {
        request[member]["metadata"]["annotations"] = json!({"topology.cluster.x-k8s.io/dry-run": ""});
    };
    let update = |dry_run: bool, annotated: &[&str]| {
        let response = update_template(&old, &new, |request| {
            request["dryRun"] = json!(dry_run);
            annotated.iter().for_each(|member| annotate(request, member));
        });
        (response["allowed"] == true, response["status"]["code"].as_u64().unwrap())
    };
    assert_eq!(update(true, &["object"]), (true, 200));
    assert_eq!(update(true, &[]), (false, 400), "a user's dry run has to tell the truth");
    assert_eq!(update(false, &["object"]), (false, 400), "an annotation alone opens nothing");
    assert_eq!(update(true, &["oldObject"]), (false, 400), "only the new object counts");
}

#[test]
fn metadata_for_clones_may_change_while_their_spec_may_not() {
    let old = json!({"spec": {"templateOverride": "a"}});
    let new = json!({"metadata": {"labels": {"rack": "1"}}, "spec": {"templateOverride": "a"}});
    assert_eq!(update_template(&old, &new, |_| {})["allowed"], true);
    assert_eq!(update_template(&new, &old, |_| {})["allowed"], true);
    let both = json!({"metadata": {"labels": {"rack": "1"}}, "spec": {"templateOverride": "b"}});
    let response = update_template(&old, &both, |_| {});
    assert_eq!(response["status"]["message"], "TinkerbellMachineTemplate.Spec is immutable");
    assert_eq!(response["status"]["code"], 400);
}

#[test]
fn every_field_of_a_template_is_fixed_and_empty_structs_are_no_change() {
    let base = json!({"spec": {}});
    for changed in [
        json!({"imageLookupFormat": "f"}),
        json!({"hardwareAffinity": {"required": [{"labelSelector": {"matchLabels": {"a": "b"}}}]}}),
        json!({"bootOptions": {"bootMode": "netboot"}}),
        json!({"bootOptions": {"custombootConfig": {"postActions": [{"powerAction": "on"}]}}}),
        json!({"ipamPoolRef": pool("a")}),
    ] {
        let response = update_template(&base, &json!({"spec": changed}), |_| {});
        assert_eq!(response["allowed"], false, "{changed}");
    }
    let empty = json!({"spec": {"bootOptions": {"custombootConfig": {}}}});
    assert_eq!(update_template(&base, &empty, |_| {})["allowed"], true);
}

#[test]
fn a_cluster_without_a_spec_gets_one_before_its_members() {
    for spec in [None, Some(Value::Null)] {
        let patch = patch(spec).unwrap();
        assert_eq!(patch[0], json!({"op": "add", "path": "/spec", "value": {}}));
        assert_eq!(patch[1]["path"], "/spec/imageLookupFormat");
    }
}

#[test]
fn an_explicit_empty_text_is_defaulted() {
    let patch = patch(Some(json!({
        "imageLookupFormat": "f", "imageLookupOSDistro": "UBUNTU", "imageLookupOSVersion": "",
    })));
    assert_eq!(patch, Some(json!([{"op": "add", "path": "/spec/imageLookupOSVersion", "value": "20.04"}])));
}

#[test]
fn an_object_that_cannot_be_decoded_is_refused_with_400() {
    for (webhook, resource, kind) in [
        (Webhook::Validating, "tinkerbellmachines", "TinkerbellMachine"),
        (Webhook::Mutating, "tinkerbellclusters", "TinkerbellCluster"),
    ] {
        for spec in [json!({"imageLookupFormat": 1}), json!(["f"]), json!("f")] {
            let request = json!({"uid": "u", "operation": "CREATE", "object": object(kind, &spec)});
            let response = call(path(webhook, resource), request);
            assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(400)), "{spec}");
        }
        let response = call(path(webhook, resource), json!({"uid": "u", "operation": "CREATE"}));
        assert_eq!(response["status"]["message"], "there is no content to decode");
    }
}

#[test]
fn a_review_of_an_unknown_version_is_refused_with_its_uid() {
    let path = path(Webhook::Validating, "tinkerbellmachines");
    for type_meta in [("admission.k8s.io/v2", "AdmissionReview"), ("admission.k8s.io/v1", "Pod"), ("v1", "")] {
        let review = json!({"apiVersion": type_meta.0, "kind": type_meta.1, "request": {"uid": "u"}});
        let answer = answer(path, review.to_string().as_bytes());
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let response = &answer["response"];
        assert_eq!((&response["uid"], &response["status"]["code"]), (&json!("u"), &json!(400)), "{type_meta:?}");
        assert_eq!(response["allowed"], false);
    }
}

#[test]
fn no_two_webhooks_share_a_name_or_a_path() {
    for (i, one) in REGISTRATIONS.iter().enumerate() {
        for other in &REGISTRATIONS[i + 1..] {
            assert_ne!(one.name, other.name);
            assert_ne!(one.path, other.path);
        }
    }
}

/// Any JSON, now and then with the names that the webhooks look for.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop_oneof![Just("h"), Just("ubuntu"), Just("CREATE"), Just("UPDATE")].prop_map(Value::from),
    ];
    let name = prop_oneof![
        3 => prop::sample::select(vec![
            "metadata", "annotations", "name", "spec", "template", "hardwareName", "providerID", "ipamPoolRef", "kind",
            "hardwareAffinity", "preferred", "weight", "hardwareAffinityTerm", "labelSelector", "bootOptions",
            "custombootConfig", "imageLookupOSDistro", "imageLookupFormat", "operation", "object", "oldObject",
        ]).prop_map(str::to_owned),
        1 => ".{0,4}",
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name.clone(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(REGISTRATIONS.map(|known| known.path).to_vec())
}

/// Parses an answer and checks that a server can use it.
fn well_formed(body: &[u8], uid: &str) -> Result<Value, TestCaseError> {
    let review: Value = serde_json::from_slice(body).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let response = &review["response"];
    prop_assert_eq!(&response["uid"], uid);
    prop_assert!(response["allowed"].is_boolean());
    let code = response["status"]["code"].as_u64();
    let codes: &[u64] = if response["allowed"] == true { &[200] } else { &[400, 422] };
    prop_assert!(code.is_some_and(|code| codes.contains(&code)), "{}", response);
    prop_assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some());
    if response["allowed"] == false {
        prop_assert!(response["status"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    Ok(review)
}

proptest! {
    #[test]
    fn any_bytes_get_a_well_formed_answer(path in any_path(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let answer = answer(path, &body);
        prop_assert_eq!(answer.http, 200);
        well_formed(&answer.body, "")?;
    }

    #[test]
    fn any_json_gets_a_well_formed_answer(path in any_path(), body in any_json()) {
        let uid = body.pointer("/request/uid").and_then(Value::as_str).unwrap_or_default();
        well_formed(&answer(path, body.to_string().as_bytes()).body, uid)?;
    }

    #[test]
    fn any_objects_in_a_review_are_answered_with_its_uid_in_its_version(
        path in any_path(),
        version in prop_oneof![Just("admission.k8s.io/v1"), Just("admission.k8s.io/v1beta1")],
        uid in ".{0,40}",
        operation in prop_oneof![Just("CREATE"), Just("UPDATE"), Just("DELETE"), Just("CONNECT"), Just("")],
        (new, old) in (any_json(), any_json()),
        (new_spec, old_spec) in (any_json(), any_json()),
        whole in any::<bool>(),
    ) {
        let kind = match path {
            path if path.ends_with("template") => "TinkerbellMachineTemplate",
            path if path.ends_with("machine") => "TinkerbellMachine",
            _ => "TinkerbellCluster",
        };
        let (new, old) = if whole { (object(kind, &new_spec), object(kind, &old_spec)) } else { (new, old) };
        let request = json!({"uid": uid, "operation": operation, "object": new, "oldObject": old, "dryRun": old_spec});
        let review = json!({"apiVersion": version, "kind": "AdmissionReview", "request": request});
        let answered = well_formed(&answer(path, review.to_string().as_bytes()).body, &uid)?;
        prop_assert_eq!(&answered["kind"], "AdmissionReview");
        prop_assert_eq!(&answered["apiVersion"], version);
    }
}

#[test]
fn a_machine_whose_name_no_label_takes_is_refused_before_it_exists() {
    let create = |name: &str| {
        let mut machine = object("TinkerbellMachine", &json!({}));
        machine["metadata"]["name"] = json!(name);
        let request = json!({"uid": "u", "operation": "CREATE", "object": machine});
        call(path(Webhook::Validating, "tinkerbellmachines"), request)
    };
    assert_eq!(create(&"n".repeat(63))["allowed"], true);
    let refused = create(&"n".repeat(64));
    assert_eq!((&refused["allowed"], &refused["status"]["code"]), (&json!(false), &json!(422)));
    let message = refused["status"]["message"].as_str().unwrap();
    assert!(message.contains("metadata.name") && message.contains("no more than 63 characters"), "{message}");
}
