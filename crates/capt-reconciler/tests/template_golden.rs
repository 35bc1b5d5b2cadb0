//! The default template and the ISO URL beside what Go CAPT v0.7.0 made of the same 14 machines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;

use capt_reconciler::template::{
    DefaultTemplate, ImageLookup, TemplateError, default_template, defaults, image_url, iso_url,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

/// A template of which each scalar is its source text: a field of type String takes `0600` and `true` as written.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    version: String,
    name: String,
    global_timeout: String,
    tasks: Vec<Task>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    name: String,
    worker: String,
    volumes: Vec<String>,
    actions: Vec<Action>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    name: String,
    image: String,
    timeout: String,
    pid: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    volumes: Vec<String>,
}

fn read(yaml: &str) -> Template {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

fn cases() -> Vec<Value> {
    let mut golden: Value = serde_json::from_str(include_str!("golden/default-template.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_value(golden["cases"].take()).unwrap();
    assert_eq!(cases.len(), 14, "the recording is complete");
    cases
}

/// The machine's field, else the cluster's; a recorded schema default counts as the empty text it was made from.
fn looked_up<'a>(input: &'a Value, field: &str) -> &'a str {
    let of = |owner: &str| input[owner][field].as_str().filter(|value| *value != "(schema default)");
    of("spec").or_else(|| of("cluster")).unwrap_or_default()
}

fn generated(input: &Value) -> Result<String, TemplateError> {
    let image = image_url(&ImageLookup {
        format: looked_up(input, "imageLookupFormat"),
        base_registry: looked_up(input, "imageLookupBaseRegistry"),
        os_distro: looked_up(input, "imageLookupOSDistro"),
        os_version: looked_up(input, "imageLookupOSVersion"),
        kubernetes_version: input["kubernetesVersion"].as_str().unwrap(),
    })?;
    default_template(&DefaultTemplate {
        name: input["machine"].as_str().unwrap(),
        image_url: &image,
        disk: input["disk"].as_str().unwrap(),
        tinkerbell_ip: input["TINKERBELL_IP"].as_str().unwrap(),
        metadata_port: 50061,
    })
}

#[test]
fn every_recorded_machine_gets_the_template_go_capt_gave_it() {
    for case in cases() {
        let golden: Template = serde_json::from_value(case["template"].clone()).unwrap();
        assert_eq!(read(&generated(&case["input"]).unwrap()), golden, "{}", case["input"]);
    }
}

#[test]
fn every_recorded_iso_url_is_the_one_go_capt_wrote() {
    let mut seen = 0;
    for case in cases() {
        let boot = &case["input"]["spec"]["bootOptions"];
        let Some(url) = boot["isoURL"].as_str() else { continue };
        let id = case["input"]["instanceID"].as_str().unwrap();
        assert_eq!(iso_url(url, id).unwrap(), case["workflowSpec"]["bootOptions"]["isoURL"], "{boot}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn the_defaults_are_those_the_recorded_clusters_carried() {
    for case in cases() {
        assert_eq!(case["input"]["cluster"]["imageLookupFormat"], defaults::FORMAT);
        assert_eq!(case["input"]["cluster"]["imageLookupOSVersion"], defaults::UBUNTU_VERSION);
    }
}

/// Guards the comparison itself: a reader that turned `0600` into 384 would make it worthless.
#[test]
fn the_reader_keeps_source_text() {
    let read: Vec<String> = serde_saphyr::from_str("[0600, true, 6000, off, 1.50, \"0700\", ~x]").unwrap();
    assert_eq!(read, ["0600", "true", "6000", "off", "1.50", "0700", "~x"]);
}

fn input() -> DefaultTemplate<'static> {
    DefaultTemplate { name: "m", image_url: "i", disk: "/dev/sda", tinkerbell_ip: "", metadata_port: 7080 }
}

fn contents(yaml: &str) -> String {
    read(yaml).tasks[0].actions[1].environment["CONTENTS"].clone()
}

#[test]
fn numbers_stay_numbers_for_readers_with_types() {
    let value: Value = serde_saphyr::from_str(&default_template(&input()).unwrap()).unwrap();
    assert_eq!(value["global_timeout"], 6000);
    assert_eq!(value["tasks"][0]["actions"][0]["timeout"], 600);
    assert_eq!(value["tasks"][0]["actions"][1]["environment"]["MODE"], "0600");
}

#[test]
fn the_metadata_address_has_a_default_a_port_and_room_for_ipv6() {
    for (ip, url) in [
        ("", "http://192.168.1.1:7080"),
        ("10.0.0.2", "http://10.0.0.2:7080"),
        ("fd00::1", "http://[fd00::1]:7080"),
        ("tink.example", "http://tink.example:7080"),
    ] {
        let text = default_template(&DefaultTemplate { tinkerbell_ip: ip, ..input() }).unwrap();
        let config: Value = serde_saphyr::from_str(&contents(&text)).unwrap();
        assert_eq!(config["datasource"]["Ec2"]["metadata_urls"], serde_json::json!([url]));
    }
}

#[test]
fn an_empty_name_or_image_is_refused_in_upstreams_words() {
    let error = |input| default_template(&input).unwrap_err().to_string();
    assert_eq!(error(DefaultTemplate { name: "", ..input() }), "name can't be empty");
    assert_eq!(error(DefaultTemplate { image_url: "", ..input() }), "imageURL can't be empty");
}

proptest! {
    #[test]
    fn no_input_can_add_to_the_template(
        name in "(?s).{1,20}",
        image_url in "(?s).{1,30}|[\"'\n:{}#&*-]{1,30}",
        disk in "(?s).{0,20}",
        tinkerbell_ip in "(?s).{0,20}|[\"'\n:{}#]{0,20}",
    ) {
        prop_assume!(tinkerbell_ip.parse::<std::net::Ipv6Addr>().is_err());
        let made = DefaultTemplate {
            name: &name, image_url: &image_url, disk: &disk, tinkerbell_ip: &tinkerbell_ip, metadata_port: 1,
        };
        let text = default_template(&made).unwrap();
        prop_assert_eq!(text.matches("{{").count(), 1, "only the worker is Tinkerbell's to fill");
        let plain = read(&default_template(&input()).unwrap());
        let read = read(&text);
        let task = &read.tasks[0];
        prop_assert_eq!((&read.name, &task.name, read.tasks.len()), (&name, &name, 1));
        prop_assert_eq!(&task.actions[0].environment["IMG_URL"], &image_url);
        prop_assert_eq!(&task.actions[0].environment["DEST_DISK"], &disk);
        prop_assert_eq!(&task.actions[3].environment["BLOCK_DEVICE"], &task.actions[1].environment["DEST_DISK"]);
        let config: Value = serde_saphyr::from_str(&contents(&text)).unwrap();
        let host = if tinkerbell_ip.is_empty() { "192.168.1.1" } else { &tinkerbell_ip };
        prop_assert_eq!(&config["datasource"]["Ec2"]["metadata_urls"][0], &Value::from(format!("http://{host}:1")));
        for (ours, plain) in task.actions.iter().zip(&plain.tasks[0].actions) {
            prop_assert_eq!((&ours.name, &ours.image, &ours.timeout), (&plain.name, &plain.image, &plain.timeout));
            prop_assert!(ours.environment.keys().eq(plain.environment.keys()));
        }
    }
}
