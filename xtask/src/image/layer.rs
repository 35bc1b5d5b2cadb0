//! The one layer of an image: a tar archive, packed, that is the same whenever and wherever it is made.

use std::collections::BTreeSet;
use std::io::Write as _;

use anyhow::Context;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::content::Content;

/// A layer, with and without its packing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The archive: an image names its digest, too.
    pub archive: Vec<u8>,
    /// The archive, packed by gzip.
    pub packed: Vec<u8>,
}

/// Packs the content: folders before what is in them, everything of root, everything at one time.
///
/// # Errors
/// When a path is too long.
pub fn pack(content: &Content, seconds: u64) -> anyhow::Result<Layer> {
    let mut archive = Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    for (path, mode, bytes) in content.files() {
        for (end, _) in path.match_indices('/') {
            let (folder, _) = path.split_at(end + 1);
            if folders.insert(folder) {
                append(&mut archive, folder, EntryType::Directory, 0o755, seconds, &[])?;
            }
        }
        append(&mut archive, path, EntryType::Regular, mode, seconds, bytes)?;
    }
    let archive = archive.into_inner().context("a layer")?;
    // No time and no name of a system is written before what is packed.
    let mut packed = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    packed.write_all(&archive).context("a layer")?;
    let packed = packed.finish().context("a layer")?;
    Ok(Layer { archive, packed })
}

fn append(
    archive: &mut Builder<Vec<u8>>,
    path: &str,
    kind: EntryType,
    mode: u32,
    seconds: u64,
    bytes: &[u8],
) -> anyhow::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(seconds);
    header.set_size(u64::try_from(bytes.len())?);
    archive.append_data(&mut header, path, bytes).with_context(|| path.to_owned())
}
