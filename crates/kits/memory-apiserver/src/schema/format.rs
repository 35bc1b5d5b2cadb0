//! String formats that a CRD schema can ask for. Unknown formats are not checked, as on a real server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn is_valid(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => text.parse::<jiff::Timestamp>().is_ok() && text.contains(['T', 't']),
        "date" => text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10,
        "duration" => is_duration(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" => uuid::Uuid::try_parse(text).is_ok(),
        "uuid3" => has_uuid_version(text, 3),
        "uuid4" => has_uuid_version(text, 4),
        "uuid5" => has_uuid_version(text, 5),
        "uri" => is_uri(text),
        "email" => text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()),
        "hostname" => is_hostname(text),
        "byte" => is_base64(text),
        _ => true,
    }
}

fn has_uuid_version(text: &str, version: usize) -> bool {
    uuid::Uuid::try_parse(text).is_ok_and(|id| id.get_version_num() == version)
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let max = if address.is_ipv4() { 32 } else { 128 };
    !length.starts_with('+') && length.parse::<u8>().is_ok_and(|n| n <= max)
}

/// Six, eight or twenty bytes in hex, separated by colons or hyphens in pairs, or by dots in fours.
fn is_mac(text: &str) -> bool {
    for (separator, digits) in [(':', 2), ('-', 2), ('.', 4)] {
        let parts: Vec<&str> = text.split(separator).collect();
        let bytes = parts.len() * digits / 2;
        if parts.len() > 1
            && matches!(bytes, 6 | 8 | 20)
            && parts.iter().all(|p| p.len() == digits && p.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return true;
        }
    }
    false
}

/// What Go's `url.ParseRequestURI` accepts, roughly: a path, or a scheme with something behind it.
fn is_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return false;
    }
    if text.starts_with('/') {
        return true;
    }
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut letters = scheme.bytes();
    letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && !rest.is_empty()
}

fn is_hostname(text: &str) -> bool {
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 255 && text.split('.').all(label)
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

/// Go durations (`1h30m`, `-2.5s`), and the day and week units the server adds.
fn is_duration(text: &str) -> bool {
    let mut rest = text.trim_start_matches(['-', '+']);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, tail) = rest.split_at(digits);
        if number.parse::<f64>().is_err() {
            return false;
        }
        let Some(tail) = ["ms", "us", "µs", "ns", "h", "m", "s", "d", "w"].iter().find_map(|u| tail.strip_prefix(u))
        else {
            return false;
        };
        rest = tail;
    }
    true
}
