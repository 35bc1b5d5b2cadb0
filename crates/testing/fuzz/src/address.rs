//! Addresses of IPAM providers, of Hardware, and of endpoints.

use capt_ipam_core::{Reservation, canonical};

/// Three lines: address, prefix, gateway. What is accepted is written in one way only, and read back as the same.
///
/// # Panics
/// When an accepted address changes by being written and read.
pub fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let address = lines.next().unwrap_or_default();
    let prefix = lines.next().and_then(|line| line.parse().ok()).unwrap_or(24);
    if let Some(read) = canonical(address) {
        assert_eq!(canonical(&read.to_string()), Some(read), "{address:?}");
    }
    let Ok(reservation) = Reservation::parse(address, prefix, lines.next()) else { return };
    assert!(reservation.prefix() <= reservation.family().max_prefix());
    let gateway = reservation.gateway_text();
    let again = Reservation::parse(&reservation.address_text(), i64::from(reservation.prefix()), gateway.as_deref());
    assert_eq!(again, Ok(reservation), "{address:?}");
    // Hardware carries the netmask, if its family has one.
    let _ = (reservation.netmask_text(), reservation.gateway_outside_prefix());
}
