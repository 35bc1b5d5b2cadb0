//! The value of a bootstrap Secret, plain or packed.

use std::io::Write;

use capt_kube::bootstrap::{MOST, data};
use capt_reconciler::ports::BootstrapSecret;
use flate2::Compression;
use flate2::write::GzEncoder;

/// How every gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What may stand in words about data of which nothing may be told.
const LONGEST_WORDS: usize = 64;

/// Any bytes, as they are and packed once more. What becomes of them never shows them, and is the same either way.
///
/// # Panics
/// When the outcome shows the data, is larger than a Hardware can carry, or differs between plain and packed.
pub fn bootstrap(bytes: &[u8]) {
    let plain = data(bytes.to_vec());
    hides(&plain);
    match &plain {
        BootstrapSecret::Found(found) if bytes.starts_with(&GZIP) => assert!(found.expose().len() <= MOST),
        BootstrapSecret::Found(found) => assert_eq!(found.expose().as_bytes(), bytes),
        _ => {}
    }
    let Ok(packed) = pack(bytes) else { return };
    let packed = data(packed);
    hides(&packed);
    if bytes.starts_with(&GZIP) {
        assert!(matches!(packed, BootstrapSecret::NotText(_)), "gzip in gzip is unpacked once only");
    } else {
        assert_eq!(packed, plain);
    }
}

/// Neither words nor debug output are long enough to tell a secret.
fn hides(secret: &BootstrapSecret) {
    let shown = format!("{secret:?}");
    assert!(shown.len() <= LONGEST_WORDS && shown.is_ascii(), "{shown}");
}

fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes)?;
    packer.finish()
}
