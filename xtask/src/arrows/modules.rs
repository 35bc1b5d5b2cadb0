//! Which module of a crate uses which: inside of a crate, too, the arrows point one way.
//!
//! Modules are compared with those beside them, in the same folder: what `cache/handlers.rs` takes from
//! `controller/queue.rs` is an arrow from `cache` to `controller`. A folder's own file (`mod.rs`) and what lies in the
//! folder may use each other; together they are one module to those outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::circle;
use super::paths::Mentions;

/// The crates whose modules must form no circle, by their sources.
pub const WITHOUT_CIRCLES: &[&str] = &["crates/capt-kube/src", "crates/capt-reconciler/src"];

/// How often an imported name may stand for another one.
const MOST_RENAMES: usize = 16;

/// A module's place in its crate; the crate itself is the empty path.
type Place = Vec<String>;

/// The modules of one crate.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    mentions: BTreeMap<Place, Mentions>,
}

/// An arrow between two modules of one folder, and where it was seen.
pub type Arrows = BTreeMap<(String, String), String>;

impl Modules {
    /// Reads the sources of a crate.
    ///
    /// # Errors
    /// When a file cannot be read, or is no Rust.
    pub fn read(sources: &Path) -> anyhow::Result<Self> {
        let mut modules = Self::default();
        modules.read_folder(sources, &[])?;
        Ok(modules)
    }

    fn read_folder(&mut self, folder: &Path, place: &[String]) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let is_own_file = matches!(stem, "lib" | "main" | "mod");
            let place = if is_own_file { place.to_vec() } else { [place, &[stem.to_owned()]].concat() };
            if path.is_dir() {
                self.read_folder(&path, &place)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)?;
                self.add(place, &text).with_context(|| path.display().to_string())?;
            }
        }
        Ok(())
    }

    /// Adds a module with its text.
    ///
    /// # Errors
    /// When the text is no Rust.
    pub fn add(&mut self, place: Place, text: &str) -> anyhow::Result<()> {
        self.insert(place, Mentions::of(text)?);
        Ok(())
    }

    fn insert(&mut self, place: Place, mut mentions: Mentions) {
        for (name, inner) in std::mem::take(&mut mentions.inner) {
            self.insert([place.clone(), vec![name]].concat(), inner);
        }
        self.mentions.insert(place, mentions);
    }

    /// The arrows between the modules of each folder.
    #[must_use]
    pub fn arrows(&self) -> BTreeMap<Place, Arrows> {
        let mut folders: BTreeMap<Place, Arrows> = BTreeMap::new();
        for (from, mentions) in &self.mentions {
            for path in &mentions.paths {
                let Some(to) = self.target(from, path, MOST_RENAMES) else { continue };
                let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                if let (Some(user), Some(used)) = (from.get(common), to.get(common)) {
                    let folder = from.iter().take(common).cloned().collect();
                    let seen = format!("{} uses {}", from.join("::"), path.join("::"));
                    let arrow = (user.clone(), used.clone());
                    folders.entry(folder).or_default().entry(arrow).or_insert(seen);
                }
            }
        }
        folders
    }

    /// The module that a path leads to, as written in another one; none if it leads out of the crate.
    fn target(&self, from: &[String], path: &[String], renames: usize) -> Option<Place> {
        let renames = renames.checked_sub(1)?;
        let (mut place, mut rest) = self.start(from, path, renames)?;
        while let Some((first, others)) = rest.split_first() {
            let inner = [place.clone(), vec![first.clone()]].concat();
            if self.mentions.contains_key(&inner) {
                place = inner;
            } else if let Some(meant) = self.mentions.get(&place).and_then(|mentions| mentions.names.get(first)) {
                // What a module hands on is used where it comes from, unless that is outside of the crate.
                return self.target(&place, &[meant.as_slice(), others].concat(), renames).or(Some(place));
            } else {
                break;
            }
            rest = others;
        }
        Some(place)
    }

    fn start<'a>(&self, from: &[String], path: &'a [String], renames: usize) -> Option<(Place, &'a [String])> {
        let (first, mut rest) = path.split_first()?;
        let mut place = from.to_vec();
        match first.as_str() {
            "crate" => return Some((Place::new(), rest)),
            "self" => {}
            "super" => {
                place.pop()?;
                while let Some(("super", others)) = rest.split_first().map(|(word, others)| (word.as_str(), others)) {
                    place.pop()?;
                    rest = others;
                }
            }
            name if self.mentions.contains_key(&[from, &[name.to_owned()]].concat()) => place.push(name.to_owned()),
            name => {
                let meant = self.mentions.get(from)?.names.get(name).filter(|meant| *meant != path)?;
                place = self.target(from, meant, renames)?;
            }
        }
        Some((place, rest))
    }

    /// Each circle, as a sentence that names its modules and where each uses the next.
    #[must_use]
    pub fn circles(&self, name: &str) -> Vec<String> {
        let mut complaints = Vec::new();
        for (folder, arrows) in self.arrows() {
            for circle in circle::all(&arrows.keys().cloned().collect::<BTreeSet<_>>()) {
                let place = [vec![name.to_owned()], folder.clone()].concat().join("::");
                let ends = circle.iter().zip(circle.iter().cycle().skip(1));
                let seen = ends.filter_map(|(user, used)| arrows.get(&(user.clone(), used.clone())));
                let seen: Vec<_> = seen.map(String::as_str).collect();
                let names = circle.iter().chain(circle.first()).cloned().collect::<Vec<_>>().join(" → ");
                complaints.push(format!("the modules of {place} form a circle: {names} ({})", seen.join("; ")));
            }
        }
        complaints
    }
}

/// Every circle among the modules of the crates that must have none.
///
/// # Errors
/// When sources cannot be read.
pub fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for sources in WITHOUT_CIRCLES {
        let name = sources.trim_end_matches("/src").rsplit('/').next().unwrap_or(sources);
        complaints.extend(Modules::read(&root.join(sources))?.circles(name));
    }
    Ok(complaints)
}
