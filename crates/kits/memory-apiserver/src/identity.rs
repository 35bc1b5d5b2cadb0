//! Where UIDs and the ends of generated names come from.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// A source of UUIDs.
#[derive(Debug, Default)]
pub(crate) struct Identities(Option<AtomicU64>);

impl Identities {
    /// The same UUIDs again for the same number.
    pub(crate) fn seeded(seed: Option<u64>) -> Self {
        Self(seed.map(AtomicU64::new))
    }

    pub(crate) fn next(&self) -> Uuid {
        let Some(state) = &self.0 else {
            return Uuid::new_v4();
        };
        let half = || mixed(state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed));
        let (high, low) = (half(), half());
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes()).into_uuid()
    }
}

/// The output function of SplitMix64: neighbouring numbers become unlike each other.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
