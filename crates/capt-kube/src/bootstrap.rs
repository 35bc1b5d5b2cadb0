//! From the bytes of a bootstrap Secret to text that a Hardware can carry. Nothing of the bytes gets into words.

use std::io::Read;

use capt_reconciler::ports::{BootstrapData, BootstrapSecret};
use flate2::read::MultiGzDecoder;

/// Most bytes of text: the largest object that an API server keeps. A small archive may unpack to any size.
pub const MOST: usize = 1_572_864;

/// What the value of the Secret is: text, gzip of text, or what it is instead.
pub fn data(bytes: Vec<u8>) -> BootstrapSecret {
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        match unpack(&bytes) {
            Ok(unpacked) => unpacked,
            Err(instead) => return instead,
        }
    } else {
        bytes
    };
    if bytes.is_empty() {
        return BootstrapSecret::Empty;
    }
    match String::from_utf8(bytes) {
        Ok(text) => BootstrapSecret::Found(BootstrapData::new(text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let what = archive(bytes).map_or_else(
                || format!("not UTF-8 (at byte {at} of {})", bytes.len()),
                |name| format!("{name} data ({} bytes)", bytes.len()),
            );
            BootstrapSecret::NotText(what)
        }
    }
}

/// Unpacks as much as can be of use and no more.
fn unpack(bytes: &[u8]) -> Result<Vec<u8>, BootstrapSecret> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(MOST).unwrap_or(u64::MAX).saturating_add(1);
    match MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut unpacked) {
        Ok(_) if unpacked.len() > MOST => Err(BootstrapSecret::TooLarge(MOST)),
        Ok(_) => Ok(unpacked),
        Err(_) => Err(BootstrapSecret::NotText(format!("gzip data that is damaged ({} bytes)", bytes.len()))),
    }
}

/// What the bytes are by their beginning, as far as we know it.
fn archive(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 7] = [
        (&[0x1f, 0x8b], "gzip in gzip"),
        (b"PK\x03\x04", "zip"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (b"BZh", "bzip2"),
        (&[0xff, 0xfe], "UTF-16"),
        (&[0xfe, 0xff], "UTF-16"),
    ];
    known.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_bootstrap_data_is_unpacked_and_not_called_empty() {
        assert_eq!(
            data(gzip(b"#cloud-config")),
            BootstrapSecret::Found(BootstrapData::new("#cloud-config".to_owned()))
        );
        assert_eq!(data(gzip(b"")), BootstrapSecret::Empty);
    }

    #[test]
    fn a_bomb_does_not_eat_the_memory() {
        let bomb = gzip(&vec![b'a'; 64 * MOST]);
        assert!(bomb.len() < 200_000);
        assert_eq!(data(bomb), BootstrapSecret::TooLarge(MOST));
    }

    #[test]
    fn what_is_no_text_is_named_for_what_it_is() {
        let words = |bytes: Vec<u8>| match data(bytes) {
            BootstrapSecret::NotText(words) => words,
            other => panic!("{other:?}"),
        };
        let mut damaged = gzip(b"#cloud-config, and some more of it");
        damaged.truncate(20);
        assert!(words(damaged).contains("damaged"));
        assert!(words(gzip(&gzip(b"x"))).contains("gzip in gzip"));
        assert!(words(vec![0x28, 0xb5, 0x2f, 0xfd, 0]).contains("zstd"));
        assert_eq!(words(vec![b'a', 0xff]), "not UTF-8 (at byte 1 of 2)");
    }
}
