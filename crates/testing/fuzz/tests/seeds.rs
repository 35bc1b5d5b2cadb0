//! The functions that are fuzzed, over the seeds and over broken copies of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use capt_fuzz::{TARGETS, Target};
use capt_kube::bootstrap;
use capt_reconciler::ports::BootstrapSecret;
use proptest::prelude::*;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer")
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(fuzz().join("seeds").join(target)).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn every_function_is_a_target_with_seeds_and_every_target_a_function() {
    let names = |folder: &str| -> BTreeSet<String> {
        let files = std::fs::read_dir(fuzz().join(folder)).unwrap();
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let functions: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names("fuzz_targets"), functions);
    assert_eq!(names("seeds"), functions);
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in functions {
        assert!(!seeds(&name).is_empty(), "{name} begins with nothing");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "cargo fuzz does not know {name}");
    }
}

#[test]
fn a_seed_breaks_nothing() {
    for Target { name, run } in TARGETS {
        for seed in seeds(name) {
            run(&seed);
        }
    }
}

/// What is done to a seed.
#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Insert(usize, u8),
    Cut(usize, usize),
    Repeat(usize, usize),
    Swap(usize, &'static str),
    Splice(usize, usize),
}

/// Words that parsers stumble over.
const WORDS: [&str; 24] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "-1",
    "1e999",
    "18446744073709551616",
    "true",
    "\\u0000",
    "\\ud800",
    "{{",
    "}}",
    "{{end}}",
    "{{range .list}}",
    "{{if",
    "| printf \"%9999d\"",
    "\u{fffd}",
    "ä",
    "::",
    "/",
    "%",
    "0.0.0.0",
    "\n",
    "\"a\":{\"a\":",
];

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<usize>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        (at(), 0..64_usize).prop_map(|(at, length)| Damage::Cut(at, length)),
        (at(), 0..64_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (at(), 0..WORDS.len()).prop_map(|(at, word)| Damage::Swap(at, WORDS[word])),
        (at(), at()).prop_map(|(from, to)| Damage::Splice(from, to)),
    ]
}

fn broken(seeds: &[Vec<u8>], first: usize, damages: &[Damage]) -> Vec<u8> {
    let mut data = seeds[first % seeds.len()].clone();
    for damage in damages {
        let place = |at: usize| at % (data.len() + 1);
        let end = |at: usize, length: usize| (at + length).min(data.len());
        match *damage {
            Damage::Set(at, byte) if !data.is_empty() => {
                let at = at % data.len();
                data[at] = byte;
            }
            Damage::Set(..) => {}
            Damage::Insert(at, byte) => data.insert(place(at), byte),
            Damage::Cut(at, length) => {
                let at = place(at);
                data.drain(at..end(at, length));
            }
            Damage::Repeat(at, length) => {
                let at = place(at);
                let part = data[at..end(at, length)].repeat(8);
                data.splice(at..at, part);
            }
            Damage::Swap(at, word) => {
                let at = place(at);
                let end = end(at, word.len());
                data.splice(at..end, word.bytes());
            }
            Damage::Splice(from, to) => {
                let other = &seeds[from % seeds.len()];
                let (at, from) = (place(to), from % (other.len() + 1));
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
        }
    }
    data
}

fn breaks_nothing(name: &str, cases: u32) {
    let target = TARGETS.into_iter().find(|target| target.name == name).unwrap();
    let seeds = seeds(name);
    let story = (any::<usize>(), prop::collection::vec(damage(), 1..12));
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((first, damages) in story)| {
        let data = broken(&seeds, first, &damages);
        let outcome = std::panic::catch_unwind(|| (target.run)(&data));
        prop_assert!(outcome.is_ok(), "{:?}", String::from_utf8_lossy(&data));
    });
}

#[test]
fn broken_addresses_break_nothing() {
    breaks_nothing("address", 4096);
}

#[test]
fn broken_bootstrap_data_breaks_nothing() {
    breaks_nothing("bootstrap", 2048);
}

/// Packed seeds that were unpacked for nothing would try little.
#[test]
fn packed_seeds_are_what_their_names_say() {
    let outcome = |name: &str| {
        let seed = std::fs::read(fuzz().join("seeds/bootstrap").join(name)).unwrap();
        bootstrap::data(seed)
    };
    let plain = outcome("plain");
    assert!(matches!(plain, BootstrapSecret::Found(_)));
    for packed in ["packed", "members", "stored", "header"] {
        assert_eq!(outcome(packed), plain, "{packed}");
    }
    assert_eq!(outcome("bomb"), BootstrapSecret::TooLarge(bootstrap::MOST));
    assert_eq!(outcome("nothing"), BootstrapSecret::Empty);
    for broken in ["truncated", "no_sum", "trailing", "packed_twice", "latin", "utf16", "zstd"] {
        assert!(matches!(outcome(broken), BootstrapSecret::NotText(_)), "{broken}: {:?}", outcome(broken));
    }
}

#[test]
fn broken_objects_break_nothing() {
    breaks_nothing("objects", 1024);
}

#[test]
fn broken_reviews_break_nothing() {
    breaks_nothing("review", 2048);
}

#[test]
fn broken_templates_break_nothing() {
    breaks_nothing("template", 2048);
}
