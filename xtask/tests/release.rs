//! What a release publishes, as clusterctl, the operator and kubectl take it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use capt_simulators::crds::Group;
use memory_apiserver::{ManifestError, MemoryApiServer};
use serde_json::Value;
use xtask::generated::Files;
use xtask::image::verify;
use xtask::manifests::parse;
use xtask::names::{VERSION, image};
use xtask::release::{CHECKSUMS, COMPONENTS, INSTALL, artefact, render, sha256, variables};
use xtask::workspace;

fn release() -> Files {
    render(&workspace::root().unwrap(), None).unwrap()
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap()
}

/// The text as clusterctl makes it with these values.
fn filled_in(text: &str, values: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (name, default) in variables::of(&text).unwrap() {
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let value = value.or_else(|| default.clone()).unwrap_or_else(|| panic!("{name} has no value"));
        text = text.replace(&format!("${{{name}}}"), &value);
        if let Some(default) = default {
            text = text.replace(&format!("${{{name}:={default}}}"), &value);
        }
    }
    assert!(!text.contains("${"), "{text}");
    text
}

#[test]
fn each_file_has_the_variables_it_is_meant_to_have_and_no_other() {
    let files = release();
    let names = |file: &str| variables::of(&files[file]).unwrap().into_keys().collect::<Vec<_>>();
    assert_eq!(names(COMPONENTS), ["EXTERNAL_TINKERBELL_KUBECONFIG", "TINKERBELL_IP"]);
    let common = [
        "BASE_REGISTRY_URL",
        "CLUSTER_NAME",
        "CONTROL_PLANE_MACHINE_COUNT",
        "CONTROL_PLANE_VIP",
        "KUBERNETES_VERSION",
        "KUBE_VIP_IMAGE",
        "POD_CIDR",
        "SERVICE_CIDR",
        "WORKER_MACHINE_COUNT",
    ];
    for (file, more) in [
        ("cluster-template.yaml", &[][..]),
        ("cluster-template-ipam.yaml", &["NODE_ADDRESSES", "NODE_GATEWAY", "NODE_PREFIX"]),
        ("cluster-template-external-tinkerbell.yaml", &["CONTROL_PLANE_HARDWARE_TYPE", "WORKER_HARDWARE_TYPE"]),
    ] {
        let expected: BTreeSet<&str> = common.iter().chain(more).copied().collect();
        assert_eq!(names(file), Vec::from_iter(expected), "{file}");
    }
    for file in [INSTALL, "monitoring.yaml", "metadata.yaml", "images.txt"] {
        assert!(!files[file].contains("${"), "{file} would have to be filled in before it is applied");
    }
    for (name, default) in variables::of(&files[COMPONENTS]).unwrap() {
        assert!(default.is_some(), "{name}: clusterctl init would ask for it");
        assert!(files["variables.env"].contains(&format!("\n{name}=")), "{name} is not in variables.env");
    }
}

#[test]
fn no_kind_is_in_the_components_that_clusterctl_would_break_or_refuse() {
    // Cluster-scoped kinds that clusterctl knows as such. Every other object gets a namespace.
    let cluster_scoped = [
        "Namespace",
        "ClusterRole",
        "ClusterRoleBinding",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "CustomResourceDefinition",
    ];
    // Kinds that every cluster with cert-manager has.
    let namespaced = ["ServiceAccount", "Role", "RoleBinding", "Service", "Issuer", "Certificate", "Deployment"];
    let objects = parse(&release()[COMPONENTS]).unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for object in &objects {
        *counts.entry(kind(object)).or_default() += 1;
        let namespace = object["metadata"]["namespace"].as_str();
        if namespaced.contains(&kind(object)) {
            assert_eq!(namespace, Some("capt-system"), "{object}");
        } else {
            assert!(cluster_scoped.contains(&kind(object)), "{} is not for clusterctl", kind(object));
            assert_eq!(namespace, None, "{object}");
        }
    }
    assert_eq!((counts["Namespace"], counts["Deployment"]), (1, 1), "clusterctl wants exactly one Namespace");
    let position = |kind: &str| objects.iter().position(|object| self::kind(object) == kind).unwrap();
    assert_eq!(position("Namespace"), 0);
    assert!(position("CustomResourceDefinition") < position("Deployment"), "it would wait for its kinds");
    assert!(position("Certificate") < position("Deployment"));
    assert!(position("Deployment") < position("ValidatingWebhookConfiguration"));
}

#[test]
fn no_selector_of_ours_looks_for_the_label_that_clusterctl_overwrites_on_objects() {
    // It is safe on pods, which clusterctl leaves alone.
    for object in parse(&release()["monitoring.yaml"]).unwrap() {
        if kind(&object) == "ServiceMonitor" {
            let text = object["spec"]["selector"].to_string();
            assert!(!text.contains("cluster.x-k8s.io/provider"), "{text}");
        }
    }
}

#[tokio::test]
async fn every_object_of_the_installation_is_taken_by_an_api_server_that_knows_its_kind() {
    let server = MemoryApiServer::new();
    let (mut taken, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for object in parse(&release()[INSTALL]).unwrap() {
        let kind = kind(&object).to_owned();
        match server.apply_object(object) {
            Ok(()) => drop(taken.insert(kind)),
            Err(ManifestError::UnknownKind { .. }) => drop(unknown.insert(kind)),
            Err(error) => panic!("{error}"),
        }
    }
    let expected = [
        "CustomResourceDefinition",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Service",
        "ServiceAccount",
        "ValidatingWebhookConfiguration",
    ];
    assert_eq!(Vec::from_iter(taken), expected, "unknown: {unknown:?}");
    let machines = server.get(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        None,
        "tinkerbellmachines.infrastructure.cluster.x-k8s.io",
    );
    assert_eq!(machines.unwrap()["spec"]["conversion"]["strategy"], "Webhook");
}

/// Whether everything of `wanted` is in `stored`: what a definition does not know would have been dropped.
fn is_in(wanted: &Value, stored: &Value) -> bool {
    match (wanted, stored) {
        (Value::Object(wanted), Value::Object(stored)) => {
            wanted.iter().all(|(name, member)| stored.get(name).is_some_and(|stored| is_in(member, stored)))
        }
        (Value::Array(wanted), Value::Array(stored)) => {
            wanted.len() == stored.len() && wanted.iter().zip(stored).all(|(wanted, stored)| is_in(wanted, stored))
        }
        (wanted, stored) => wanted == stored,
    }
}

#[tokio::test]
async fn every_cluster_template_makes_objects_that_their_definitions_take_whole() {
    let values = [
        ("CLUSTER_NAME", "my-cluster"),
        ("KUBERNETES_VERSION", "v1.33.5"),
        ("CONTROL_PLANE_MACHINE_COUNT", "3"),
        ("WORKER_MACHINE_COUNT", "2"),
        ("CONTROL_PLANE_VIP", "10.0.0.50"),
        ("NODE_ADDRESSES", "10.0.0.100-10.0.0.200"),
        ("NODE_GATEWAY", "10.0.0.1"),
    ];
    let files = release();
    for (file, expected) in [
        ("cluster-template.yaml", 7),
        ("cluster-template-ipam.yaml", 8),
        ("cluster-template-external-tinkerbell.yaml", 7),
    ] {
        let server = MemoryApiServer::new();
        for crd in capt_api::crds().unwrap() {
            server.apply_object(serde_json::to_value(crd).unwrap()).unwrap();
        }
        for crd in Group::ALL.iter().flat_map(|group| group.crds()) {
            server.apply_manifest(crd).unwrap();
        }
        let objects = parse(&filled_in(&files[file], &values)).unwrap();
        assert_eq!(objects.len(), expected, "{file}");
        for object in objects {
            let (group, plural) = (
                object["apiVersion"].as_str().unwrap().split('/').next().unwrap(),
                format!("{}s", kind(&object).to_lowercase()),
            );
            server.apply_object(object.clone()).unwrap_or_else(|error| panic!("{file}: {error}"));
            let name = object["metadata"]["name"].as_str().unwrap();
            let stored = server.get(group, &plural, Some("default"), name).unwrap();
            assert!(is_in(&object["spec"], &stored["spec"]), "{file}: {object}\nbecame {stored}");
        }
    }
}

#[test]
fn machines_of_a_template_get_their_provider_id_and_kube_vip_is_let_in_before_kubeadm_has_ended() {
    for (name, text) in release().iter().filter(|(name, _)| name.starts_with("cluster-template")) {
        assert_eq!(text.matches("value: PROVIDER_ID").count(), 3, "{name}: init, join, workers");
        assert!(text.contains("super-admin.conf"), "{name}");
        assert!(!text.contains("cluster.x-k8s.io/v1beta1\nkind: Cluster"), "{name}: v1beta1 ends in April 2027");
    }
}

#[test]
fn clusterctl_finds_this_version_and_every_one_that_may_be_installed() {
    let metadata: Value = serde_saphyr::from_str(&release()["metadata.yaml"]).unwrap();
    assert_eq!(metadata["apiVersion"], "clusterctl.cluster.x-k8s.io/v1alpha3");
    let series: BTreeMap<u64, &str> = metadata["releaseSeries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|series| (series["minor"].as_u64().unwrap(), series["contract"].as_str().unwrap()))
        .collect();
    let minor: u64 = VERSION.split('.').nth(1).unwrap().parse().unwrap();
    assert!(minor >= 8, "Go CAPT is at 0.7: a lower version would be a downgrade");
    assert_eq!(series[&minor], "v1beta2");
    let old = [(1, "v1beta1"), (3, "v1beta1"), (4, "v1beta1"), (5, "v1beta1"), (6, "v1beta1"), (7, "v1beta2")];
    for (minor, contract) in old {
        assert_eq!(series[&minor], contract, "0.{minor} may be installed");
    }
}

#[test]
fn every_file_has_its_checksum_and_every_image_of_the_manifests_is_listed() {
    let files = release();
    let sums: BTreeMap<&str, &str> =
        files[CHECKSUMS].lines().map(|line| line.split_once("  ").map(|(sum, name)| (name, sum)).unwrap()).collect();
    assert_eq!(sums.len(), files.len() - 1);
    for (name, content) in files.iter().filter(|(name, _)| *name != CHECKSUMS) {
        assert_eq!(sums[name.as_str()], sha256(content.as_bytes()), "{name}");
    }
    assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let images: Vec<&str> = files["images.txt"].lines().collect();
    for file in [INSTALL, COMPONENTS] {
        let used = files[file].lines().filter_map(|line| line.trim().strip_prefix("image: "));
        let used: Vec<&str> = used.collect();
        assert_eq!(used, [image()], "{file}");
        assert!(images.contains(&used[0]));
    }
    assert!(images.iter().any(|image| image.contains("kube-vip")) && images.len() == 6, "{images:?}");
}

#[test]
fn the_bill_of_materials_names_what_is_linked_in_and_nothing_that_is_not() {
    let bill: Value = serde_json::from_str(&release()["sbom.cdx.json"]).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(bill["metadata"]["component"]["name"], "capt-manager");
    let names: BTreeSet<&str> =
        bill["components"].as_array().unwrap().iter().map(|component| component["name"].as_str().unwrap()).collect();
    for linked in ["ring", "rustls", "kube-client", "k8s-openapi", "capt-kube", "tikv-jemallocator"] {
        assert!(names.contains(linked), "{linked} is in the program");
    }
    for other in ["memory-apiserver", "capt-simulators", "xtask", "proptest", "cyclonedx-bom"] {
        assert!(!names.contains(other), "{other} is not in the program");
    }
    for component in bill["components"].as_array().unwrap() {
        assert!(component["licenses"].is_array(), "under which licence is {}?", component["name"]);
    }
    assert_eq!(release(), release(), "the same twice");
}

#[test]
fn the_operator_finds_in_the_artefact_what_clusterctl_finds_in_the_release() {
    let (files, root) = (release(), std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("artefact"));
    let folder = artefact::write(&root, &files).unwrap();
    let found = verify::artefact(&folder).unwrap();
    // These names are the operator's: it passes by any other.
    assert_eq!(found.keys().collect::<Vec<_>>(), ["infrastructure-components.yaml", "metadata.yaml"]);
    for (title, content) in &found {
        assert_eq!(content, files[title].as_bytes(), "{title}");
    }
    let json = |path: &std::path::Path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();
    let named = json(&folder.join("index.json"))["manifests"][0].clone();
    assert_eq!(named["annotations"]["org.opencontainers.image.ref.name"], VERSION);
    assert_eq!(named["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let digest = named["digest"].as_str().unwrap().replace(':', "/");
    let manifest = json(&folder.join("blobs").join(digest));
    assert!(
        manifest["artifactType"].is_string(),
        "a registry refuses an artefact that does not say of which kind it is"
    );
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
}

#[test]
fn the_artefact_is_the_same_twice_and_another_of_other_manifests_and_faults_in_it_are_found() {
    let files = release();
    let one = artefact::of(&files).unwrap();
    assert_eq!(one, artefact::of(&release()).unwrap());
    let mut other = files.clone();
    other.get_mut(COMPONENTS).unwrap().push('#');
    assert_ne!(one.digest, artefact::of(&other).unwrap().digest);
    other.remove("metadata.yaml");
    assert!(artefact::of(&other).is_err(), "the operator would refuse it");
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty-artefact");
    for (name, content) in one.files().into_iter().filter(|(name, _)| name.starts_with("blobs")) {
        one.write(&folder).unwrap();
        std::fs::write(folder.join(&name), [&content[..], b" "].concat()).unwrap();
        assert!(verify::artefact(&folder).is_err(), "{name} is not what its digest says");
    }
}
