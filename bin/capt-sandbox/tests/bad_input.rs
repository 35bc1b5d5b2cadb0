//! Input that cannot be used: the message names file, document, object and field, and the status is 2.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::PathBuf;
use std::process::Command;

use capt_sandbox::example::COMPLETE_CLUSTER;

/// Runs the sandbox on a file with this content, and returns what it complains about.
fn complaint(name: &str, content: Option<&str>) -> String {
    let file: PathBuf = std::env::temp_dir().join(format!("capt-sandbox-test-{}-{name}.yaml", std::process::id()));
    if let Some(content) = content {
        std::fs::write(&file, content).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_capt-sandbox")).arg(&file).output().unwrap();
    let _ = std::fs::remove_file(&file);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("machines wanted"), "bad input is reported before anything is provisioned: {text}");
    assert!(error.contains(file.to_str().unwrap()), "the file is named: {error}");
    error
}

fn has_all(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{part:?} in {error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    has_all(&complaint("missing", None), &["cannot read", "No such file"]);
}

#[test]
fn a_broken_document_is_named_by_its_number() {
    let content = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\nspec: [unclosed\n";
    has_all(&complaint("broken", Some(content)), &["document 2", "not valid YAML"]);
}

#[test]
fn a_document_without_a_kind_or_a_name_is_told_so() {
    has_all(&complaint("kindless", Some("apiVersion: v1\n")), &["document 1", "kind is missing"]);
    has_all(
        &complaint("nameless", Some("apiVersion: v1\nkind: Secret\n")),
        &["document 1", "metadata.name is missing"],
    );
}

#[test]
fn an_unknown_kind_and_an_unknown_version_are_named_with_their_object() {
    for (was, is, parts) in [
        (
            "kind: InClusterIPPool\nmetadata",
            "kind: DreamPool\nmetadata",
            ["DreamPool default/production-pool", "document 1"],
        ),
        // The pool's version as many documents still have it.
        ("ipam.cluster.x-k8s.io/v1alpha2", "ipam.cluster.x-k8s.io/v1beta7", ["v1beta7", "default/production-pool"]),
    ] {
        assert!(COMPLETE_CLUSTER.contains(was));
        let error = complaint("unknown", Some(&COMPLETE_CLUSTER.replacen(was, is, 1)));
        has_all(&error, &parts);
        has_all(&error, &["knows no kind"]);
    }
}

#[test]
fn an_object_that_the_schema_refuses_is_named_with_its_field() {
    for (was, is, parts) in [
        ("  prefix: 24", "  prefix: 200", ["InClusterIPPool default/production-pool", "spec.prefix", "document 1"]),
        ("mac: \"02:17:00:00:00:01\"", "mac: nonsense", ["Hardware default/server-001", "dhcp.mac", "document"]),
        ("    host: 10.0.0.50", "    hots: 10.0.0.50", ["TinkerbellCluster default/my-cluster", "hots", "document 3"]),
    ] {
        assert!(COMPLETE_CLUSTER.contains(was));
        let error = complaint("refused", Some(&COMPLETE_CLUSTER.replacen(was, is, 1)));
        has_all(&error, &parts);
        has_all(&error, &["refused"]);
    }
}

#[test]
fn a_file_that_would_make_no_machine_is_refused() {
    let content = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: default}\n";
    has_all(&complaint("idle", Some(content)), &["would make no machine"]);
}

#[test]
fn a_kubeconfig_that_is_not_there_is_bad_input_too() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_capt-sandbox")).args(["--kubeconfig", "no-such-file"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    has_all(&error, &["kubeconfig no-such-file", "No such file"]);
}

#[test]
fn a_refused_object_is_named_although_the_file_would_make_no_machine_anyway() {
    let content = "apiVersion: v1\nkind: Nonsense\nmetadata: {name: a}\n";
    has_all(&complaint("lonely-kind", Some(content)), &["document 1", "Nonsense"]);
    let content = "apiVersion: infrastructure.cluster.x-k8s.io/v1beta1\nkind: TinkerbellMachineTemplate\nmetadata: {name: t}\n\
        spec: {template: {spec: {bootOptions: {bootMode: warp}}}}\n";
    has_all(
        &complaint("lonely-enum", Some(content)),
        &["document 1", "TinkerbellMachineTemplate", "spec.template.spec.bootOptions.bootMode"],
    );
}
