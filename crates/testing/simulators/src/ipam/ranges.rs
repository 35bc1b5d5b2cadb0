//! Ranges of addresses, and what is left of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

/// Addresses from `first` to `last`, both included and of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: IpAddr,
    pub(crate) last: IpAddr,
}

impl Range {
    /// A range, unless it runs backwards or mixes families.
    pub(crate) fn new(first: IpAddr, last: IpAddr) -> Result<Self, String> {
        if first.is_ipv4() != last.is_ipv4() {
            return Err(format!("{first}-{last} mixes IPv4 and IPv6"));
        }
        if first > last {
            return Err(format!("{first}-{last} runs backwards"));
        }
        Ok(Self { first, last })
    }

    /// One entry of a pool: an address, `first-last`, or a CIDR (host bits are tolerated).
    pub(crate) fn parse(entry: &str) -> Result<Self, String> {
        if let Some((first, last)) = entry.split_once('-') {
            return Self::new(parse_address(first)?, parse_address(last)?);
        }
        if entry.contains('/') {
            let network: IpNetwork = entry.trim().parse().map_err(|e| format!("{entry:?}: {e}"))?;
            return Ok(Self { first: network.network(), last: network.broadcast() });
        }
        let address = parse_address(entry)?;
        Ok(Self { first: address, last: address })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && self.first <= address && address <= self.last
    }

    /// How many addresses; saturates.
    pub(crate) fn len(&self) -> u128 {
        (number(self.last) - number(self.first)).saturating_add(1)
    }

    /// What is left, in order, once `hole` is taken out.
    fn without(self, hole: Self) -> impl Iterator<Item = Self> {
        let (below, above) = if self.contains(hole.first) || self.contains(hole.last) || hole.contains(self.first) {
            (
                (hole.first > self.first)
                    .then(|| Self { first: self.first, last: previous(hole.first).unwrap_or(self.first) }),
                (hole.last < self.last).then(|| Self { first: next(hole.last).unwrap_or(self.last), last: self.last }),
            )
        } else {
            (Some(self), None)
        };
        below.into_iter().chain(above)
    }
}

/// An address, spaces around it tolerated.
pub(crate) fn parse_address(text: &str) -> Result<IpAddr, String> {
    text.trim().parse().map_err(|_| format!("{text:?} is no address"))
}

/// The ranges without the holes.
pub(crate) fn subtract(ranges: Vec<Range>, holes: &[Range]) -> Vec<Range> {
    holes.iter().fold(ranges, |ranges, hole| ranges.into_iter().flat_map(|range| range.without(*hole)).collect())
}

/// The ranges in order, overlapping ones joined.
pub(crate) fn join(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by_key(|range| range.first);
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.contains(range.first) => last.last = last.last.max(range.last),
            _ => joined.push(range),
        }
    }
    joined
}

/// The next higher address of the same family.
pub(crate) fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => u32::from(v4).checked_add(1).map(|n| Ipv4Addr::from(n).into()),
        IpAddr::V6(v6) => u128::from(v6).checked_add(1).map(|n| Ipv6Addr::from(n).into()),
    }
}

fn previous(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => u32::from(v4).checked_sub(1).map(|n| Ipv4Addr::from(n).into()),
        IpAddr::V6(v6) => u128::from(v6).checked_sub(1).map(|n| Ipv6Addr::from(n).into()),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(ranges: &[Range]) -> Vec<String> {
        ranges.iter().map(|r| format!("{}-{}", r.first, r.last)).collect()
    }

    #[test]
    fn every_notation_of_a_pool_entry_is_understood() {
        for (entry, first, last, len) in [
            ("10.0.0.5", "10.0.0.5", "10.0.0.5", 1),
            ("10.0.0.5-10.0.0.9", "10.0.0.5", "10.0.0.9", 5),
            (" 10.0.0.5 - 10.0.0.6 ", "10.0.0.5", "10.0.0.6", 2),
            ("10.0.0.0/30", "10.0.0.0", "10.0.0.3", 4),
            ("10.0.0.77/24", "10.0.0.0", "10.0.0.255", 256),
            ("fd00::/126", "fd00::", "fd00::3", 4),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255", 1 << 32),
        ] {
            let range = Range::parse(entry).unwrap();
            assert_eq!(show(&[range]), [format!("{first}-{last}")], "{entry}");
            assert_eq!(range.len(), len, "{entry}");
        }
        assert_eq!(Range::parse("::/0").unwrap().len(), u128::MAX);
    }

    #[test]
    fn a_malformed_entry_is_refused_and_never_panics() {
        for entry in [
            "",
            "-",
            "10.0.0.5-",
            "10.0.0.9-10.0.0.5",
            "10.0.0.1-fd00::1",
            "10.0.0.0/33",
            "10.0.0.0/",
            "host",
            "10.0.0.256",
        ] {
            assert!(Range::parse(entry).is_err(), "{entry}");
        }
    }

    #[test]
    fn a_hole_at_any_place_takes_out_exactly_itself() {
        for (range, hole, left) in [
            ("10.0.0.0-10.0.0.9", "10.0.0.0", vec!["10.0.0.1-10.0.0.9"]),
            ("10.0.0.0-10.0.0.9", "10.0.0.9", vec!["10.0.0.0-10.0.0.8"]),
            ("10.0.0.0-10.0.0.9", "10.0.0.3-10.0.0.4", vec!["10.0.0.0-10.0.0.2", "10.0.0.5-10.0.0.9"]),
            ("10.0.0.0-10.0.0.9", "10.0.0.0/24", vec![]),
            ("10.0.0.4-10.0.0.9", "10.0.0.0-10.0.0.5", vec!["10.0.0.6-10.0.0.9"]),
            ("10.0.0.4-10.0.0.9", "10.0.0.8-10.0.0.20", vec!["10.0.0.4-10.0.0.7"]),
            ("10.0.0.4-10.0.0.9", "10.0.1.0/24", vec!["10.0.0.4-10.0.0.9"]),
            ("10.0.0.4-10.0.0.9", "fd00::/8", vec!["10.0.0.4-10.0.0.9"]),
            ("0.0.0.0/0", "0.0.0.0/0", vec![]),
        ] {
            let rest = subtract(vec![Range::parse(range).unwrap()], &[Range::parse(hole).unwrap()]);
            assert_eq!(show(&rest), left, "{range} without {hole}");
        }
    }

    #[test]
    fn overlapping_ranges_are_not_counted_twice() {
        let ranges = ["10.0.0.8-10.0.0.12", "10.0.0.1-10.0.0.9", "10.0.0.20"].map(|r| Range::parse(r).unwrap());
        assert_eq!(show(&join(ranges.to_vec())), ["10.0.0.1-10.0.0.12", "10.0.0.20-10.0.0.20"]);
    }
}
