//! The generated CRD files, and the check that finds them out of date.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::PathBuf;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use xtask::crds::{FOLDER, render};
use xtask::generated::Difference;

/// An empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    folder
}

#[test]
fn every_kind_of_ours_has_its_file() {
    let names: Vec<String> = render().unwrap().into_keys().collect();
    let plurals = ["tinkerbellclusters", "tinkerbellmachines", "tinkerbellmachinetemplates"];
    assert_eq!(names, plurals.map(|plural| format!("infrastructure.cluster.x-k8s.io_{plural}.yaml")));
}

#[test]
fn a_file_read_back_is_the_definition_that_was_written() {
    let files = render().unwrap();
    let crds = capt_api::crds().unwrap();
    assert!(!crds.is_empty());
    for crd in crds {
        let file = files.get(&format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural)).unwrap();
        assert!(file.starts_with(&FOLDER.header()));
        let read: CustomResourceDefinition = serde_saphyr::from_str(file).unwrap();
        assert_eq!(read, crd);
    }
}

#[test]
fn a_stale_a_missing_and_a_surplus_file_are_each_named() {
    let (folder, header) = (folder("crds-differences"), FOLDER.header());
    let (differences, write) =
        (|folder, wanted| FOLDER.differences(folder, wanted), |folder, wanted| FOLDER.write(folder, wanted));
    let wanted = render().unwrap();
    let names: Vec<&String> = wanted.keys().collect();
    let [stale, missing, right] = names.as_slice() else { unreachable!("three kinds") };

    assert_eq!(differences(&folder, &wanted).unwrap().len(), 3, "without the folder all are missing");
    write(&folder, &wanted).unwrap();
    assert_eq!(differences(&folder, &wanted).unwrap(), []);

    fs::write(folder.join(stale), format!("{header}\n---\nkind: Other\n")).unwrap();
    fs::remove_file(folder.join(missing)).unwrap();
    fs::write(folder.join("zz_old.yaml"), format!("{header}\n---\nkind: Gone\n")).unwrap();
    fs::write(folder.join("kustomization.yaml"), "resources: []\n").unwrap();
    assert_eq!(
        differences(&folder, &wanted).unwrap(),
        [
            Difference::Stale((*stale).clone()),
            Difference::Missing((*missing).clone()),
            Difference::Surplus("zz_old.yaml".into()),
        ]
    );

    let before = fs::metadata(folder.join(right)).unwrap().modified().unwrap();
    assert_eq!(
        write(&folder, &wanted).unwrap(),
        [format!("wrote {stale}"), format!("wrote {missing}"), "removed zz_old.yaml".to_owned()]
    );
    assert_eq!(differences(&folder, &wanted).unwrap(), []);
    assert!(folder.join("kustomization.yaml").exists(), "a file written by hand stays");
    assert_eq!(fs::metadata(folder.join(right)).unwrap().modified().unwrap(), before, "a right file is not touched");
}
