//! The arrows of the house, on the real workspace and on made-up ones.
#![allow(clippy::unwrap_used, missing_docs)]

use xtask::arrows::{Declared, Graph, RULES, Rule, check};
use xtask::workspace;

/// A graph in which every crate of the table exists and depends on nothing.
fn empty_house() -> Graph {
    Graph { declared: RULES.iter().map(|rule| (rule.name.to_owned(), Vec::new())).collect(), ..Graph::default() }
}

fn with_edge(from: &str, on: &str, dev: bool) -> Graph {
    let mut graph = empty_house();
    graph.declared.entry(from.to_owned()).or_default().push(Declared { on: on.to_owned(), dev });
    graph
}

fn with_reach(from: &str, reached: &str) -> Graph {
    let mut graph = empty_house();
    graph.reached.entry(from.to_owned()).or_default().insert(reached.to_owned());
    graph
}

#[test]
fn no_arrow_of_this_workspace_points_the_wrong_way() {
    let root = workspace::root().unwrap();
    let graph = Graph::read(&root, RULES).unwrap();
    let complaints = check(RULES, &graph);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_graph_read_from_cargo_is_not_an_empty_one() {
    let root = workspace::root().unwrap();
    let graph = Graph::read(&root, RULES).unwrap();
    assert_eq!(graph.declared.len(), RULES.len());
    assert_eq!(graph.folders.len(), RULES.len(), "where each lies is known");
    let on_ipam_core = Declared { on: "capt-ipam-core".into(), dev: false };
    assert!(graph.declared.get("capt-reconciler").unwrap().contains(&on_ipam_core));
    assert!(graph.reached.get("capt-ipam-core").unwrap().contains("ipnetwork"));
    assert!(graph.reached.get("capt-kube").unwrap().contains("kube-client"), "a client is seen where there is one");
}

#[test]
fn a_client_that_only_another_crate_asks_for_is_not_blamed_on_the_api() {
    // The whole workspace has kube-client; resolved alone, capt-api has none.
    let root = workspace::root().unwrap();
    let graph = Graph::read(&root, RULES).unwrap();
    let api = graph.reached.get("capt-api").unwrap();
    assert!(api.contains("kube-core") && !api.contains("kube-client"));
}

#[test]
fn an_arrow_that_points_the_wrong_way_is_found() {
    let wrong = [
        ("capt-ipam-core", "capt-api"),
        ("capt-api", "capt-reconciler"),
        ("capt-reconciler", "capt-kube"),
        ("capt-kube", "memory-apiserver"),
        ("memory-apiserver", "capt-api"),
        ("memory-apiserver", "capt-ipam-core"),
        ("capt-simulators", "capt-api"),
        ("capt-simulators", "capt-kube"),
        ("capt-simulators", "capt-reconciler"),
        ("capt-simulators", "memory-apiserver"),
        ("go-text-template", "capt-api"),
        ("capt-manager", "memory-apiserver"),
    ];
    for (from, on) in wrong {
        let complaints = check(RULES, &with_edge(from, on, false));
        let start = format!("{from} must not depend on {on}");
        assert!(complaints.len() == 1 && complaints.iter().all(|told| told.starts_with(&start)), "{complaints:?}");
    }
}

#[test]
fn an_arrow_between_wings_is_refused_with_its_reason_whatever_the_table_says() {
    for (from, on, dev, reason) in [
        ("capt-kube", "capt-simulators", false, "nothing that ships depends on testing"),
        ("capt-manager", "capt-invariants", false, "nothing that ships depends on testing"),
        ("memory-apiserver", "go-text-template", true, "kits depend on nobody of ours"),
        ("go-text-template", "capt-ipam-core", false, "kits depend on nobody of ours"),
        ("capt-e2e", "capt-sandbox", true, "no package depends on a program"),
        ("capt-system-tests", "xtask", true, "no package depends on a program"),
    ] {
        let mut generous = RULES.to_vec();
        for rule in generous.iter_mut().filter(|rule| rule.name == from) {
            let all: Vec<&'static str> = RULES.iter().map(|rule| rule.name).collect();
            (rule.may_use, rule.tests_may_use) = (Vec::leak(all.clone()), Vec::leak(all));
        }
        assert_eq!(check(&generous, &with_edge(from, on, dev)), [format!("{from} must not depend on {on}: {reason}")]);
    }
}

#[test]
fn a_package_outside_the_folder_of_its_wing_is_found() {
    let mut graph = empty_house();
    graph.folders.insert("capt-model".into(), "crates".into());
    assert_eq!(check(RULES, &graph), ["capt-model does not lie in crates/testing, the folder of its wing"]);
}

#[test]
fn a_crate_that_depends_on_a_program_is_found() {
    for program in ["capt-manager", "capt-sandbox", "xtask"] {
        // A program may be a library besides, and then the table says who uses it.
        for rule in RULES.iter().filter(|rule| !rule.may_use.contains(&program)) {
            for dev in [false, true] {
                let complaints = check(RULES, &with_edge(rule.name, program, dev));
                assert_eq!(complaints.len(), 1, "{} on {program}: {complaints:?}", rule.name);
            }
        }
    }
}

#[test]
fn what_tests_may_use_is_refused_outside_tests() {
    assert!(check(RULES, &with_edge("capt-kube", "memory-apiserver", true)).is_empty());
    assert!(check(RULES, &with_edge("capt-simulators", "memory-apiserver", true)).is_empty());
    assert_eq!(
        check(RULES, &with_edge("capt-api", "memory-apiserver", true)),
        ["the tests of capt-api must not depend on memory-apiserver"]
    );
}

#[test]
fn a_forbidden_package_reached_through_others_is_found() {
    let wrong = [
        ("capt-ipam-core", "kube"),
        ("capt-ipam-core", "kube-core"),
        ("capt-ipam-core", "k8s-openapi"),
        ("capt-ipam-core", "tokio"),
        ("capt-ipam-core", "capt-api"),
        ("capt-api", "kube-client"),
        ("capt-api", "kube-runtime"),
        ("capt-api", "tokio"),
        ("capt-reconciler", "kube-client"),
        ("capt-reconciler", "kube-runtime"),
        ("capt-reconciler", "tokio-util"),
        ("memory-apiserver", "capt-ipam-core"),
        ("capt-simulators", "capt-api"),
    ];
    for (from, reached) in wrong {
        let complaints = check(RULES, &with_reach(from, reached));
        assert_eq!(complaints.len(), 1, "{from} reaching {reached}: {complaints:?}");
        assert!(complaints.iter().all(|complaint| complaint.contains(from) && complaint.contains(reached)));
    }
    for (from, reached) in [("capt-api", "kube-core"), ("capt-api", "kube"), ("capt-ipam-core", "kubeconform")] {
        assert!(check(RULES, &with_reach(from, reached)).is_empty(), "{from} may reach {reached}");
    }
}

#[test]
fn a_new_crate_without_a_place_and_a_place_without_a_crate_are_found() {
    let mut graph = empty_house();
    graph.declared.insert("capt-new".into(), Vec::new());
    graph.declared.remove("go-text-template");
    assert_eq!(
        check(RULES, &graph),
        [
            "capt-new has no place in the table of arrows (xtask/src/arrows.rs)",
            "go-text-template is in the table of arrows but not in the workspace",
        ]
    );
}

#[test]
fn the_table_itself_has_no_circle() {
    fn below<'a>(name: &'a str, path: &mut Vec<&'a str>) {
        assert!(!path.contains(&name), "{name} stands below itself: {path:?}");
        path.push(name);
        let rule: Option<&Rule> = RULES.iter().find(|rule| rule.name == name);
        for next in rule.unwrap().may_use {
            below(next, path);
        }
        path.pop();
    }
    for rule in RULES {
        below(rule.name, &mut Vec::new());
    }
}
