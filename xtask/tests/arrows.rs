//! The arrows of the house, on the real workspace and on made-up ones.
#![allow(clippy::unwrap_used, missing_docs)]

use xtask::arrows::modules::{self, Modules};
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
            "capt-new has no place in the table of arrows (xtask/src/arrows/mod.rs)",
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

/// A crate made of these files.
fn crate_of(files: &[(&str, &str)]) -> Modules {
    let mut modules = Modules::default();
    for (place, text) in files {
        let place = place.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        modules.add(place, text).unwrap();
    }
    modules
}

#[test]
fn no_modules_of_the_crates_that_ship_use_each_other_in_a_circle() {
    let root = workspace::root().unwrap();
    let complaints = modules::check(&root).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for sources in modules::WITHOUT_CIRCLES {
        let arrows: usize = Modules::read(&root.join(sources)).unwrap().arrows().values().map(|all| all.len()).sum();
        assert!(arrows > 30, "{sources} has {arrows} arrows, so that they were hardly read");
    }
}

#[test]
fn a_circle_of_modules_is_found_and_named_with_where_each_uses_the_next() {
    let modules = crate_of(&[
        ("", "mod a; mod b; mod c; mod d;"),
        ("a", "use crate::b::{self, Thing as Other};"),
        ("b", "pub struct Thing; fn f() { g!(super::c::h()) }"),
        ("c", "use crate::d; fn h(x: d::D) {}"),
        ("d", "impl crate::a::T for D {}"),
    ]);
    let circle = "the modules of capt-x form a circle: a → b → c → d → a \
                  (a uses crate::b; b uses super::c::h; c uses crate::d; d uses crate::a::T)";
    assert_eq!(modules.circles("capt-x"), [circle]);
}

#[test]
fn of_a_knot_the_shortest_circle_is_named() {
    let modules =
        crate_of(&[("a", "use crate::b::B;"), ("b", "use crate::c::C; use crate::a::A;"), ("c", "use crate::a::A;")]);
    assert_eq!(
        modules.circles("x"),
        ["the modules of x form a circle: a → b → a (a uses crate::b::B; b uses crate::a::A)"]
    );
}

#[test]
fn a_circle_that_goes_by_what_a_folder_hands_on_or_lies_deep_inside_is_found() {
    let modules = crate_of(&[
        ("", "pub use shop::till::Till;"),
        ("shop", "mod till; mod shelf; pub use till::Till;"),
        ("shop::till", "use super::shelf::KindCache;"),
        ("shop::shelf", "use super::Till;"),
        ("other", "use crate::Till;"),
    ]);
    assert_eq!(
        modules.circles("x"),
        ["the modules of x::shop form a circle: shelf → till → shelf \
          (shop::shelf uses super::Till; shop::till uses super::shelf::KindCache)"]
    );
}

#[test]
fn tests_other_crates_and_a_folder_with_its_own_file_make_no_circle() {
    let modules = crate_of(&[
        ("a", "mod inside; use inside::Part; pub struct Whole; use kube::b::X; use ::b::Y;"),
        ("a::inside", "use super::Whole; use crate::b::B; mod deeper { fn f() -> super::super::Whole {} }"),
        ("b", "#[cfg(test)] mod tests { use crate::a::Whole; } #[cfg(test)] use crate::a::Whole; struct B;"),
    ]);
    assert_eq!(modules.circles("x"), Vec::<String>::new());
    assert_eq!(modules.arrows().get(&Vec::new()).map(|arrows| arrows.len()), Some(1), "from a to b");
}
