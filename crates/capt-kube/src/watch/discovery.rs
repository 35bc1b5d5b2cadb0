//! Asking the server whether it serves a kind, and in which version.

use std::fmt;

use kube::core::ApiResource;
use kube::{Client, Error};

use crate::errors;

/// A kind to look for.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// API group.
    pub group: String,
    /// What the kind is known by.
    pub name: Name,
    /// The versions we understand, most wanted first; none means any, in the server's order.
    pub versions: Vec<String>,
}

/// What a kind is known by.
#[derive(Clone, Debug)]
pub enum Name {
    /// Its plural name, as in its URL.
    Plural(String),
    /// Its kind; the plural is guessed where there is nobody to ask.
    Kind(String),
}

/// A kind that the server serves.
#[derive(Clone, Debug)]
pub struct Found {
    /// Group, version, kind, plural.
    pub resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Name::Plural(name) | Name::Kind(name)) = &self.name;
        write!(f, "{name}.{}", self.group)
    }
}

impl Lookup {
    /// Name of the kind's CustomResourceDefinition, guessed where only the kind is known.
    pub fn crd_name(&self) -> String {
        match &self.name {
            Name::Plural(plural) => format!("{plural}.{}", self.group),
            Name::Kind(kind) => format!("{}s.{}", kind.to_lowercase(), self.group),
        }
    }

    /// Whether [`crd_name`](Self::crd_name) is certain.
    pub fn names_crd(&self) -> bool {
        matches!(self.name, Name::Plural(_))
    }

    /// Asks the server. Nothing if it does not serve the kind in any version that we understand.
    ///
    /// # Errors
    /// When the server does not answer, or we may not ask.
    pub async fn find(&self, client: &Client) -> Result<Option<Found>, Error> {
        if self.versions.is_empty() {
            let Some(group) = optional(client.list_api_groups().await)?
                .and_then(|all| all.groups.into_iter().find(|group| group.name == self.group))
            else {
                return Ok(None);
            };
            let preferred = group.preferred_version.map(|preferred| preferred.version);
            let others = group.versions.into_iter().map(|version| version.version);
            let mut versions: Vec<String> = preferred.into_iter().chain(others).collect();
            versions.dedup();
            for version in versions {
                if let Some(found) = self.find_in(client, &version).await? {
                    return Ok(Some(found));
                }
            }
        }
        for version in &self.versions {
            if let Some(found) = self.find_in(client, version).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn find_in(&self, client: &Client, version: &str) -> Result<Option<Found>, Error> {
        let group_version = format!("{}/{version}", self.group);
        let Some(list) = optional(client.list_api_group_resources(&group_version).await)? else {
            return Ok(None);
        };
        let found = list.resources.into_iter().find(|resource| match &self.name {
            Name::Plural(plural) => resource.name == *plural,
            Name::Kind(kind) => resource.kind == *kind && !resource.name.contains('/'),
        });
        Ok(found.map(|resource| Found {
            resource: ApiResource {
                api_version: group_version,
                group: self.group.clone(),
                version: version.to_owned(),
                kind: resource.kind,
                plural: resource.name,
            },
            namespaced: resource.namespaced,
        }))
    }
}

/// A 404 is an answer, not a failure.
fn optional<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if errors::is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
