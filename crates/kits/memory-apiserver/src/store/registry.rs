//! From group, version and plural name to a resource.

use super::{ResourceId, State};
use crate::kind::Kind;
use ahash::AHashMap;
use std::sync::Arc;

/// A resource at one version.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) id: ResourceId,
    pub(crate) kind: Arc<Kind>,
    pub(crate) version: usize,
}

/// All resources that are served, by group, version and plural name. Replaced as a whole when a CRD changes.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    groups: AHashMap<String, AHashMap<String, AHashMap<String, Route>>>,
    /// In the order of creation, for discovery.
    pub(crate) routes: Vec<Route>,
}

impl Registry {
    pub(crate) fn of(state: &State) -> Self {
        let mut registry = Self::default();
        let mut resources: Vec<_> = state.resources.iter().collect();
        resources.sort_by_key(|(id, _)| **id);
        for (id, resource) in resources {
            for (version, served) in resource.kind.served.iter().enumerate() {
                let route = Route { id: *id, kind: resource.kind.clone(), version };
                registry.routes.push(route.clone());
                let versions = registry.groups.entry(served.group.clone()).or_default();
                versions.entry(served.version.clone()).or_default().insert(resource.kind.plural.clone(), route);
            }
        }
        registry
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Route> {
        let route = self.groups.get(group)?.get(version)?.get(plural)?;
        (route.kind.serving_from <= tokio::time::Instant::now()).then_some(route)
    }

    /// Any version of a resource.
    pub(crate) fn find_any(&self, group: &str, plural: &str) -> Option<&Route> {
        self.routes.iter().find(|r| r.kind.plural == plural && r.kind.served.iter().any(|s| s.group == group))
    }

    /// Any version of a kind.
    pub(crate) fn find_kind(&self, group: &str, kind: &str) -> Option<&Route> {
        self.routes.iter().find(|r| r.kind.kind == kind && r.kind.served.iter().any(|s| s.group == group))
    }

    /// A kind at exactly this version.
    pub(crate) fn find_kind_at(&self, group: &str, version: &str, kind: &str) -> Option<&Route> {
        let mut routes = self.groups.get(group)?.get(version)?.values();
        routes.find(|r| r.kind.kind == kind)
    }

    /// Whether the group version is one of built-in kinds.
    pub(crate) fn is_own(&self, group: &str, version: &str) -> bool {
        let routes = self.groups.get(group).and_then(|versions| versions.get(version));
        routes.is_some_and(|routes| routes.values().any(|route| !route.kind.is_custom()))
    }

    pub(crate) fn has_group_version(&self, group: &str, version: &str) -> bool {
        self.groups.get(group).is_some_and(|versions| versions.contains_key(version))
    }
}
