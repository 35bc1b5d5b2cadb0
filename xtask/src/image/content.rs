//! What is in the image, and how it is started.

use std::collections::BTreeMap;

use crate::names::{USER, VERSION};

/// The program: the name that Go CAPT's image has for it.
pub const PROGRAM: &str = "manager";
/// Our licence.
pub const LICENSE: &str = "licenses/LICENSE";
/// Those of what is linked in.
pub const THIRD_PARTY: &str = "licenses/THIRD-PARTY.txt";
/// The bill of materials.
pub const SBOM: &str = "usr/share/sbom/capt-manager.cdx.json";
/// All files, and their modes: nobody may write, and only the program is run.
pub const FILES: [(&str, u32); 4] = [(LICENSE, 0o444), (THIRD_PARTY, 0o444), (PROGRAM, 0o555), (SBOM, 0o444)];

/// What the label of the commit is called.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// What the label of the version is called.
pub const VERSION_LABEL: &str = "org.opencontainers.image.version";

/// The contents of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The program.
    pub program: Vec<u8>,
    /// Our licence.
    pub license: Vec<u8>,
    /// The licences of others.
    pub third_party: Vec<u8>,
    /// The bill of materials.
    pub sbom: Vec<u8>,
}

impl Content {
    /// Each file with its path, mode and content, in the order of [`FILES`].
    #[must_use]
    pub fn files(&self) -> [(&'static str, u32, &[u8]); 4] {
        FILES.map(|(path, mode)| {
            let content = match path {
                PROGRAM => &self.program,
                LICENSE => &self.license,
                THIRD_PARTY => &self.third_party,
                _ => &self.sbom,
            };
            (path, mode, content.as_slice())
        })
    }
}

/// When and from what an image was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The time that everything in it has, in seconds since 1970.
    pub seconds: u64,
    /// The commit.
    pub revision: Option<String>,
}

/// The user and group that it runs as, by number: so a kubelet can see that it is not root.
#[must_use]
pub fn user() -> String {
    format!("{USER}:{USER}")
}

/// The program and nothing else; the Deployment adds arguments.
#[must_use]
pub fn entrypoint() -> Vec<String> {
    vec![format!("/{PROGRAM}")]
}

/// The labels that every image has.
#[must_use]
pub fn labels() -> BTreeMap<String, String> {
    let repository = env!("CARGO_PKG_REPOSITORY");
    [
        ("description", "The Cluster API infrastructure provider for Tinkerbell".to_owned()),
        ("documentation", format!("{repository}/tree/{VERSION}/docs")),
        ("licenses", "Apache-2.0".to_owned()),
        ("source", repository.to_owned()),
        ("title", "capt-manager".to_owned()),
        ("url", repository.to_owned()),
        ("version", VERSION.to_owned()),
    ]
    .map(|(name, value)| (format!("org.opencontainers.image.{name}"), value))
    .into()
}

/// The labels of one image, with the commit if it is known.
#[must_use]
pub fn labels_of(origin: &Origin) -> BTreeMap<String, String> {
    let revision = origin.revision.iter().map(|revision| (REVISION.to_owned(), revision.clone()));
    labels().into_iter().chain(revision).collect()
}
