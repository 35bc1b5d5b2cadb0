//! Strict reading of one address.

use std::net::IpAddr;

use crate::error::TextFlaw;

/// The longest text that `spec.address` and `spec.gateway` of an IPAddress may hold, in characters.
const MAX_CHARACTERS: usize = 39;

/// The address that `text` holds, when it holds exactly one and nothing else; `None` otherwise.
///
/// This is how an address of a Hardware (`dhcp.ip.address`), a control-plane endpoint or a record is compared: two
/// texts of one address (`2001:DB8::1`, `2001:db8:0::1`) give the same value. A host name, a CIDR suffix, leading
/// zeros in IPv4, a zone, white space or an IPv4-mapped IPv6 address give `None`.
#[must_use]
pub fn canonical(text: &str) -> Option<IpAddr> {
    parse(text).ok()
}

/// As [`canonical`], with the reason for a refusal.
pub(crate) fn parse(text: &str) -> Result<IpAddr, TextFlaw> {
    if text.is_empty() {
        return Err(TextFlaw::Empty);
    }
    if text.chars().count() > MAX_CHARACTERS {
        return Err(TextFlaw::TooLong);
    }
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => Err(TextFlaw::MappedIpv4),
        Ok(address) => Ok(address),
        Err(_) => Err(flaw_of(text)),
    }
}

/// The most telling flaw of a text that did not parse.
fn flaw_of(text: &str) -> TextFlaw {
    if text.contains(char::is_whitespace) {
        TextFlaw::WhiteSpace
    } else if text.contains('/') {
        TextFlaw::PrefixSuffix
    } else if text.contains('%') {
        TextFlaw::Zone
    } else {
        TextFlaw::NotAnAddress
    }
}
