//! `cargo xtask image`: the manager's image as an OCI layout, written here, so that no container engine is needed.
//!
//! | module | what it holds |
//! |---|---|
//! | [`content`] | which files are in it, and as whom and how it is started: the one source, also of `deploy/Containerfile` |
//! | [`containerfile`] | the same for people with an engine |
//! | [`layer`], [`layout`] | the formats |
//! | [`verify`] | reading back what was written |
//!
//! The formats are small, and written with serde, `tar` and `flate2`. The crate oci-spec 0.10 has the types too, and brings second
//! versions of darling and strum; ocidir 0.8 needs OpenSSL.

pub mod containerfile;
pub mod content;
pub mod layer;
pub mod layout;
pub mod verify;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::dist::{self, Platform, build};
use crate::names::{VERSION, image};
use crate::release::licenses;
use crate::release::linked::Linked;
use crate::release::sbom;
use crate::workspace::output;
use content::{Content, Origin};
use layout::Layout;

/// Where the layout is written, from the workspace root.
pub const FOLDER: &str = "out/image";

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Order {
    /// For which platforms; for all that can be built here if none is named.
    pub platforms: Vec<Platform>,
    /// The profile that the program is built with.
    pub profile: String,
    /// The commit it is built from, if the folder does not tell.
    pub revision: Option<String>,
}

/// The images' contents, for each platform that was built.
#[derive(Clone, Debug)]
pub struct Parts {
    /// When and from what.
    pub origin: Origin,
    /// What is in each image.
    pub contents: Vec<(Platform, Content)>,
    /// The programs, where the build left them.
    pub programs: Vec<PathBuf>,
}

impl Parts {
    /// The layout. The same parts give the same bytes.
    ///
    /// # Errors
    /// When a part cannot be packed.
    pub fn layout(&self) -> anyhow::Result<Layout> {
        let mut images = Vec::new();
        for (platform, content) in &self.contents {
            images.push((*platform, layer::pack(content, self.origin.seconds)?));
        }
        Layout::of(&images, &self.origin)
    }

    /// Writes the files of the first platform's image to a folder, as they are in it.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn tree(&self, folder: &Path) -> anyhow::Result<()> {
        let (_, content) = self.contents.first().context("no platform")?;
        for (path, mode, bytes) in content.files() {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
            }
            std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
            std::fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        Ok(())
    }
}

/// Builds what is ordered; `say` hears what is left out.
///
/// # Errors
/// When a platform that was named cannot be built here, or none can.
pub fn parts(root: &Path, order: &Order, say: impl Fn(&str)) -> anyhow::Result<Parts> {
    if !build::is_auditable() {
        say("the program gets no list of its packages, the image has its bill of materials all the same: \
            cargo install --locked cargo-auditable");
    }
    let origin = origin(root, order.revision.as_deref())?;
    let (mut contents, mut programs) = (Vec::new(), Vec::new());
    let is_named = !order.platforms.is_empty();
    for platform in if is_named { &order.platforms } else { &Platform::ALL[..] } {
        match build::missing(*platform) {
            Some(missing) if is_named => bail!("{platform} cannot be built here: {missing}"),
            Some(missing) => {
                say(&format!("{platform} is left out, for it cannot be built here: {missing}"));
                continue;
            }
            None => {}
        }
        let program = build::build(root, *platform, &order.profile)?;
        contents.push((*platform, content(root, *platform, &program, &order.profile)?));
        programs.push(program);
    }
    ensure!(!contents.is_empty(), "no platform can be built here");
    Ok(Parts { origin, contents, programs })
}

fn content(root: &Path, platform: Platform, program: &Path, profile: &str) -> anyhow::Result<Content> {
    if profile == dist::PROFILE {
        dist::check(program)?;
    }
    let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
    let linked = Linked::ask(root, platform)?;
    Ok(Content {
        program: read(program)?,
        license: read(&root.join("LICENSE"))?,
        third_party: licenses::render(&linked)?.into_bytes(),
        sbom: sbom::render(&linked)?.into_bytes(),
    })
}

/// When and from what: `SOURCE_DATE_EPOCH` if it is set, else the time of the commit.
fn origin(root: &Path, revision: Option<&str>) -> anyhow::Result<Origin> {
    let git = |arguments: &[&str]| output("git", root, arguments).ok().map(|text| text.trim().to_owned());
    let revision = revision.map(str::to_owned).or_else(|| {
        let commit = git(&["rev-parse", "HEAD"])?;
        let is_changed = git(&["status", "--porcelain"]).is_none_or(|changes| !changes.is_empty());
        Some(if is_changed { commit + "-dirty" } else { commit })
    });
    let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => seconds.parse().context("SOURCE_DATE_EPOCH is no number")?,
        Err(_) => git(&["log", "-1", "--format=%ct"]).and_then(|seconds| seconds.parse().ok()).unwrap_or_default(),
    };
    Ok(Origin { seconds, revision })
}

/// Writes the layout in place of the one before; then reads it back.
///
/// # Errors
/// When it cannot be written, or is not as it has to be.
pub fn write(parts: &Parts, folder: &Path) -> anyhow::Result<Layout> {
    let layout = parts.layout()?;
    layout.write(folder)?;
    verify::layout(folder)?;
    Ok(layout)
}

/// Makes the layout once more and compares it with what lies in the folder, byte by byte.
///
/// # Errors
/// When something differs.
pub fn again(parts: &Parts, folder: &Path) -> anyhow::Result<()> {
    let again = parts.layout()?;
    for (name, content) in again.files() {
        let there = std::fs::read(folder.join(&name)).with_context(|| name.clone())?;
        ensure!(there == content, "{name} is different when it is made again");
    }
    Ok(())
}

/// The image that a layout holds, by its digest, if it is of this version; nothing if there is no layout.
///
/// # Errors
/// When what lies there is no layout.
pub fn reference(folder: &Path) -> anyhow::Result<Option<String>> {
    if !folder.join(layout::INDEX).is_file() {
        return Ok(None);
    }
    let index = verify::index(folder)?;
    let is_ours = index.version() == Some(VERSION);
    Ok(is_ours.then(|| format!("{}@{}", image(), index.digest())))
}
