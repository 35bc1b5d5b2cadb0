//! The image: what is in it, how it is started, and that it is the same whoever makes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;
use xtask::dist::Platform;
use xtask::image::content::{Content, Origin};
use xtask::image::{Parts, again, reference, verify, write};
use xtask::manifests::parse;
use xtask::names::{USER, VERSION, image};
use xtask::release::licenses;
use xtask::release::linked::Linked;
use xtask::workspace;

/// A folder of its own, empty, for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// The head of a static program: 64 bytes that say for which processor it is, and that nothing follows.
fn program(machine: u16) -> Vec<u8> {
    let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    head.resize(64, 0);
    head[18..20].copy_from_slice(&machine.to_le_bytes());
    head[52] = 64;
    head
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;

fn content(program: Vec<u8>) -> Content {
    let text = b"Apache License".to_vec();
    let sbom = br#"{"bomFormat":"CycloneDX"}"#.to_vec();
    Content { program, license: text.clone(), third_party: text, sbom }
}

fn parts() -> Parts {
    Parts {
        origin: Origin { seconds: 1_700_000_000, revision: Some("abc".to_owned()) },
        contents: vec![(Platform::AMD64, content(program(X86_64))), (Platform::ARM64, content(program(AARCH64)))],
        programs: Vec::new(),
    }
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn blob(folder: &Path, descriptor: &Value) -> PathBuf {
    folder.join("blobs").join(descriptor["digest"].as_str().unwrap().replace(':', "/"))
}

#[test]
fn the_same_parts_give_the_same_bytes_and_others_do_not() {
    let folder = folder("twice");
    write(&parts(), &folder).unwrap();
    again(&parts(), &folder).unwrap();
    let mut later = parts();
    later.origin.seconds += 1;
    let error = again(&later, &folder).unwrap_err();
    assert!(error.to_string().contains("blobs") || error.to_string().contains("index.json"), "{error}");
    // And no file is left of what lay there before.
    let blobs = || std::fs::read_dir(folder.join("blobs/sha256")).unwrap().count();
    let before = blobs();
    write(&later, &folder).unwrap();
    assert_eq!(blobs(), before);
}

#[test]
fn every_platform_has_its_own_program_and_starts_it_as_a_user_without_a_name() {
    let folder = folder("platforms");
    let layout = write(&parts(), &folder).unwrap();
    let top = json(folder.join("index.json"));
    assert_eq!(top["manifests"].as_array().unwrap().len(), 1, "tools that copy a layout want one thing in it");
    assert_eq!(top["manifests"][0]["digest"], layout.digest.as_str());
    let index = json(blob(&folder, &top["manifests"][0]));
    let mut programs = BTreeMap::new();
    for descriptor in index["manifests"].as_array().unwrap() {
        assert_eq!(descriptor["platform"]["os"], "linux");
        let manifest = json(blob(&folder, descriptor));
        let config = json(blob(&folder, &manifest["config"]));
        assert_eq!(config["architecture"], descriptor["platform"]["architecture"]);
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/manager"]));
        assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "abc");
        assert_eq!(config["config"]["Labels"]["org.opencontainers.image.version"], VERSION);
        assert_eq!(config["created"], "2023-11-14T22:13:20Z");
        let files = files(&blob(&folder, &manifest["layers"][0]));
        programs.insert(config["architecture"].as_str().unwrap().to_owned(), files["manager"].1.clone());
    }
    let expected = [("amd64".to_owned(), program(X86_64)), ("arm64".to_owned(), program(AARCH64))];
    assert_eq!(programs, BTreeMap::from(expected));
}

/// Everything in a layer, with its mode and content; all of it is root's.
fn files(layer: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let packed = std::fs::read(layer).unwrap();
    assert_eq!(packed[4..8], [0; 4], "the time of packing would make each one different");
    let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!(header.mtime().unwrap(), 1_700_000_000);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let path = entry.path().unwrap().display().to_string();
        files.insert(path.trim_end_matches('/').to_owned(), (header.mode().unwrap(), content));
    }
    files
}

#[test]
fn nobody_may_write_in_the_image_and_licences_and_bill_of_materials_are_there() {
    let folder = folder("files");
    write(&parts(), &folder).unwrap();
    let index = json(blob(&folder, &json(folder.join("index.json"))["manifests"][0]));
    let manifest = json(blob(&folder, &index["manifests"][0]));
    let files = files(&blob(&folder, &manifest["layers"][0]));
    let modes: Vec<(&str, u32)> = files.iter().map(|(path, (mode, _))| (path.as_str(), *mode)).collect();
    let expected = [
        ("licenses", 0o755),
        ("licenses/LICENSE", 0o444),
        ("licenses/THIRD-PARTY.txt", 0o444),
        ("manager", 0o555),
        ("usr", 0o755),
        ("usr/share", 0o755),
        ("usr/share/sbom", 0o755),
        ("usr/share/sbom/capt-manager.cdx.json", 0o444),
    ];
    assert_eq!(modes, expected);
}

#[test]
fn a_program_that_does_not_run_there_is_found_when_the_layout_is_read_back() {
    let with = |program| {
        let mut parts = parts();
        parts.contents[0].1.program = program;
        format!("{:#}", write(&parts, &folder("unfit")).unwrap_err())
    };
    assert!(with(program(AARCH64)).contains("another processor"));
    // One more header, which says that the name of a loader follows.
    let mut needs_a_loader = program(X86_64);
    (needs_a_loader[32], needs_a_loader[54], needs_a_loader[56]) = (64, 56, 1);
    needs_a_loader.extend([3, 0, 0, 0]);
    needs_a_loader.resize(64 + 56, 0);
    assert!(with(needs_a_loader).contains("not static"));
    assert!(with(b"#!/bin/sh\n".repeat(10)).starts_with("linux/amd64: "), "a script is no program here");
}

#[test]
fn what_was_changed_after_it_was_written_is_found() {
    let folder = folder("changed");
    let layout = write(&parts(), &folder).unwrap();
    let path = folder.join("blobs").join(layout.digest.replace(':', "/"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("arm64", "arm65")).unwrap();
    let error = verify::layout(&folder).unwrap_err();
    assert!(error.to_string().contains("holds sha256:"), "{error}");
}

#[test]
fn the_release_names_the_image_that_was_built_by_its_digest() {
    let folder = folder("named");
    assert_eq!(reference(&folder).unwrap(), None, "none was built");
    let layout = write(&parts(), &folder).unwrap();
    let named = reference(&folder).unwrap().unwrap();
    assert_eq!(named, format!("{}@{}", image(), layout.digest));
    let root = workspace::root().unwrap();
    let files = xtask::release::render(&root, Some(&named)).unwrap();
    let lines: Vec<&str> = files["images.txt"].lines().collect();
    assert!(lines.contains(&named.as_str()) && !lines.contains(&image().as_str()), "{lines:?}");
}

#[test]
fn the_containerfile_makes_the_same_image() {
    let text = std::fs::read_to_string(workspace::root().unwrap().join("deploy/Containerfile")).unwrap();
    let (_, last) = text.split_once("FROM scratch\n").unwrap();
    let lines = |word: &str| last.lines().filter_map(|line| line.strip_prefix(word)).collect::<Vec<_>>();
    let folder = folder("containerfile");
    write(&parts(), &folder).unwrap();
    let index = json(blob(&folder, &json(folder.join("index.json"))["manifests"][0]));
    let manifest = json(blob(&folder, &index["manifests"][0]));
    let config = json(blob(&folder, &manifest["config"]));

    let copied: BTreeSet<String> = lines("COPY ")
        .into_iter()
        .map(|line| {
            let [from, here, there] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            assert_eq!((from, here), ("--from=build", format!("/image{there}").as_str()), "{line}");
            there.trim_start_matches('/').to_owned()
        })
        .collect();
    let files = files(&blob(&folder, &manifest["layers"][0]));
    let packed = files.into_iter().filter(|(_, (mode, _))| *mode != 0o755).map(|(path, _)| path);
    assert_eq!(copied, packed.collect());
    let mut labels = BTreeMap::new();
    for line in lines("LABEL ") {
        let (name, value) = line.split_once('=').unwrap();
        labels.insert(name.to_owned(), value.trim_matches('"').replace("$REVISION", "abc"));
    }
    assert_eq!(serde_json::to_value(labels).unwrap(), config["config"]["Labels"]);
    assert_eq!(lines("USER "), [config["config"]["User"].as_str().unwrap()]);
    assert_eq!(lines("WORKDIR "), [config["config"]["WorkingDir"].as_str().unwrap()]);
    let entrypoint: Value = serde_json::from_str(lines("ENTRYPOINT ")[0]).unwrap();
    assert_eq!(entrypoint, config["config"]["Entrypoint"]);
    assert!(text.contains("cargo xtask image --tree /image"));
}

#[test]
fn the_deployment_runs_the_entrypoint_of_the_image_as_its_user() {
    let text = std::fs::read_to_string(workspace::root().unwrap().join("deploy/manager/deployment.yaml")).unwrap();
    let deployment = &parse(&text).unwrap()[0];
    let pod = &deployment["spec"]["template"]["spec"];
    assert!(pod["containers"][0].get("command").is_none(), "it would take the place of the entrypoint");
    assert_eq!(pod["securityContext"]["runAsUser"], USER);
    assert_eq!(pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true);
}

#[test]
fn every_package_that_is_linked_in_is_named_with_its_licence_and_most_with_the_text() {
    let linked = Linked::ask(&workspace::root().unwrap(), Platform::ARM64).unwrap();
    let text = licenses::render(&linked).unwrap();
    for (package, _) in linked.packages.iter().filter(|(package, _)| package.source.is_some()) {
        assert!(text.contains(&format!("\n{} {}, ", package.name, package.version)), "{}", package.name);
    }
    // What ring took from BoringSSL, and jemalloc inside its package.
    for holder in ["Brian Smith", "Jason Evans", "Rich Felker"] {
        assert!(text.contains(holder), "{holder} is not named");
    }
    assert!(!text.contains("\ncapt-kube "), "our own code is no third party's");
}
