//! What the server serves, for clients that ask.

use crate::access::{REVIEWS, Review};
use crate::api::connect::CONNECTIONS;
use crate::kind::{Behaviour, Kind, Served};
use crate::meta;
use crate::scale;
use crate::store::{Registry, Route};
use base64::Engine;
use serde_json::{Map, Value, json};

/// The version the server claims to be.
const VERSION: (&str, &str) = ("1", "35");

/// In the order the server has them.
fn verbs(served: &Served) -> [&'static str; 8] {
    if served.custom {
        ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
    } else {
        ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    }
}

/// The answer to a discovery request, or `None` if the path is none. `aggregated`: the client takes the whole of
/// discovery in one document.
pub(crate) fn answer(path: &str, registry: &Registry, aggregated: bool) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    match parts.as_slice() {
        [] => Some(
            json!({"paths": ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]}),
        ),
        ["api"] if aggregated => Some(aggregate(registry, true)),
        ["apis"] if aggregated => Some(aggregate(registry, false)),
        ["api"] => Some(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        ["apis"] => {
            let groups: Vec<Value> =
                groups(registry).iter().map(|(group, versions)| api_group(group, versions)).collect();
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["apis", group] => {
            let groups = groups(registry);
            let (group, versions) = groups.iter().find(|(name, _)| name == group)?;
            let mut answer = api_group(group, versions);
            meta::object_mut(&mut answer)
                .extend([("kind".to_owned(), json!("APIGroup")), ("apiVersion".to_owned(), json!("v1"))]);
            Some(answer)
        }
        ["api", version] => resources(registry, "", version),
        ["apis", group, version] => resources(registry, group, version),
        ["version"] => Some(version()),
        _ => None,
    }
}

fn version() -> Value {
    let (major, minor) = VERSION;
    json!({
        "major": major, "minor": minor, "gitVersion": format!("v{major}.{minor}.0+memory"), "gitCommit": "",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc",
        "platform": std::env::consts::OS,
        "emulationMajor": major, "emulationMinor": minor, "minCompatibilityMajor": major, "minCompatibilityMinor": "34",
    })
}

fn served(route: &Route) -> Option<&Served> {
    route.kind.version(route.version).filter(|_| route.kind.serving_from <= tokio::time::Instant::now())
}

/// Named groups with their versions, the preferred one first.
pub(crate) fn groups(registry: &Registry) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for review in &REVIEWS {
        if !groups.iter().any(|(name, _)| *name == review.group) {
            groups.push((review.group.to_owned(), vec!["v1".to_owned()]));
        }
    }
    for served in registry.routes.iter().filter_map(served).filter(|s| !s.group.is_empty()) {
        match groups.iter_mut().find(|(name, _)| *name == served.group) {
            Some((_, versions)) if versions.contains(&served.version) => {}
            Some((_, versions)) => versions.push(served.version.clone()),
            None => groups.push((served.group.clone(), vec![served.version.clone()])),
        }
    }
    for (_, versions) in &mut groups {
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
    }
    groups
}

/// Stable before beta before alpha, then by number.
pub(crate) fn priority(version: &str) -> (u8, u64, u64) {
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (major, tail) = rest.split_at(digits);
    let major = major.parse().unwrap_or(0);
    for (level, name) in [(2, "beta"), (1, "alpha")] {
        if let Some(minor) = tail.strip_prefix(name) {
            return (level, major, minor.parse().unwrap_or(0));
        }
    }
    if tail.is_empty() { (3, major, 0) } else { (0, 0, 0) }
}

fn api_group(group: &str, versions: &[String]) -> Value {
    let entry = |version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let entries: Vec<Value> = versions.iter().map(entry).collect();
    json!({"name": group, "preferredVersion": entries.first(), "versions": entries})
}

/// The routes of one group version, in the order of creation.
fn routes<'a>(
    registry: &'a Registry,
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = (&'a Kind, &'a Served)> {
    let all = registry.routes.iter().filter_map(|route| Some((route.kind.as_ref(), served(route)?)));
    all.filter(move |(_, served)| served.group == group && served.version == version)
}

fn resources(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for (kind, served) in routes(registry, group, version) {
        let mut resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": verbs(served), "storageVersionHash": storage_version_hash(kind),
        });
        let map = meta::object_mut(&mut resource);
        if !kind.short_names.is_empty() {
            map.insert("shortNames".to_owned(), json!(kind.short_names));
        }
        if !kind.categories.is_empty() {
            map.insert("categories".to_owned(), json!(kind.categories));
        }
        list.push(resource);
        for subresource in subresources(kind, served) {
            let mut resource = json!({
                "name": format!("{}/{}", kind.plural, subresource.name), "singularName": "",
                "namespaced": kind.namespaced, "kind": subresource.kind, "verbs": subresource.verbs,
            });
            if (subresource.group, subresource.version) != (group, version) {
                meta::object_mut(&mut resource).extend([
                    ("group".to_owned(), json!(subresource.group)),
                    ("version".to_owned(), json!(subresource.version)),
                ]);
            }
            list.push(resource);
        }
    }
    list.extend(reviews(group, version).map(|review| {
        json!({
            "name": review.resource, "singularName": review.kind.to_lowercase(), "namespaced": review.namespaced,
            "kind": review.kind, "verbs": ["create"],
        })
    }));
    if list.is_empty() {
        return None;
    }
    let api_version = meta::api_version(group, version);
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": list}))
}

fn reviews(group: &str, version: &str) -> impl Iterator<Item = &'static Review> {
    REVIEWS.iter().filter(move |review| review.group == group && version == "v1")
}

/// Tells clients whether two versions of a kind are stored the same way.
fn storage_version_hash(kind: &Kind) -> String {
    let (_, version) = meta::group_version(&kind.storage);
    let text = format!("{}/{version}/{}", kind.group, kind.kind);
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(digest.as_ref().first_chunk::<8>().copied().unwrap_or_default())
}

/// What discovery says of a subresource.
struct Subresource<'a> {
    name: &'static str,
    group: &'a str,
    version: &'a str,
    kind: &'a str,
    verbs: &'static [&'static str],
}

fn subresources<'a>(kind: &'a Kind, served: &'a Served) -> Vec<Subresource<'a>> {
    let of = |name, kind, verbs| Subresource { name, group: &served.group, version: &served.version, kind, verbs };
    let own = |name| of(name, kind.kind.as_str(), &["get", "patch", "update"]);
    let mut all = Vec::new();
    if kind.behaviour == Behaviour::Namespace {
        all.push(own("finalize"));
    }
    if kind.behaviour == Behaviour::Pod {
        all.extend(CONNECTIONS.iter().map(|(name, kind, verbs)| of(name, kind, verbs)));
    }
    if served.status {
        all.push(own("status"));
    }
    if served.scale.is_some() {
        let (group, version) = meta::group_version(scale::API_VERSION);
        all.push(Subresource { group, version, kind: "Scale", ..own("scale") });
    }
    all
}

fn aggregate(registry: &Registry, core: bool) -> Value {
    let all = if core { vec![(String::new(), vec!["v1".to_owned()])] } else { groups(registry) };
    let items: Vec<Value> = all
        .iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> =
                versions.iter().map(|version| aggregate_version(registry, group, version)).collect();
            let mut metadata = Map::new();
            if !group.is_empty() {
                metadata.insert("name".to_owned(), json!(group));
            }
            metadata.insert("creationTimestamp".to_owned(), Value::Null);
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregate_version(registry: &Registry, group: &str, version: &str) -> Value {
    let mut resources: Vec<Value> = routes(registry, group, version)
        .map(|(kind, served)| {
            let response = json!({"group": group, "version": version, "kind": kind.kind});
            let subresources: Vec<Value> = subresources(kind, served)
                .iter()
                .map(|s| {
                    let kind = json!({"group": s.group, "version": s.version, "kind": s.kind});
                    json!({"subresource": s.name, "responseKind": kind, "verbs": s.verbs})
                })
                .collect();
            let mut resource = json!({
                "resource": kind.plural, "responseKind": response, "singularResource": kind.singular,
                "scope": if kind.namespaced { "Namespaced" } else { "Cluster" }, "verbs": verbs(served),
            });
            let map = meta::object_mut(&mut resource);
            for (key, list) in [("shortNames", &kind.short_names), ("categories", &kind.categories)] {
                if !list.is_empty() {
                    map.insert(key.to_owned(), json!(list));
                }
            }
            if !subresources.is_empty() {
                map.insert("subresources".to_owned(), Value::Array(subresources));
            }
            resource
        })
        .collect();
    resources.extend(reviews(group, version).map(|review| {
        json!({
            "resource": review.resource, "singularResource": review.kind.to_lowercase(), "verbs": ["create"],
            "responseKind": {"group": group, "version": version, "kind": review.kind},
            "scope": if review.namespaced { "Namespaced" } else { "Cluster" },
        })
    }));
    json!({"version": version, "resources": resources, "freshness": "Current"})
}
