//! What a pool's spec says: which addresses it gives out, and with which prefix and gateway.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::Deserialize;
use serde_json::Value;

use super::ranges::{Range, join, next, parse_address, subtract};

/// A pool, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the order of allocation; they do not overlap and hold no gateway and no reserved address.
    blocks: Vec<Block>,
    /// Start of the names of addresses (Metal3).
    pub(crate) name_prefix: String,
}

/// Neighbouring addresses with one prefix and gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    range: Range,
    prefix: u8,
    gateway: Option<IpAddr>,
}

/// An address and what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
    pub(crate) gateway: Option<IpAddr>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InClusterSpec {
    addresses: Vec<String>,
    prefix: u8,
    gateway: Option<String>,
    #[serde(default, rename = "allocateReservedIPAddresses")]
    allocate_reserved: bool,
    #[serde(default)]
    excluded_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metal3Spec {
    #[serde(default)]
    pools: Vec<Metal3Range>,
    prefix: Option<u8>,
    gateway: Option<String>,
    #[serde(default)]
    name_prefix: String,
}

#[derive(Deserialize)]
struct Metal3Range {
    start: Option<String>,
    end: Option<String>,
    subnet: Option<String>,
    prefix: Option<u8>,
    gateway: Option<String>,
}

impl Plan {
    /// Reads an `InClusterIPPool` or `GlobalInClusterIPPool` at v1alpha2.
    pub(crate) fn in_cluster(spec: &Value) -> Result<Self, String> {
        let spec = InClusterSpec::deserialize(spec).map_err(|e| e.to_string())?;
        let ranges = join(parse_ranges(&spec.addresses)?);
        let lowest = ranges.first().ok_or("the pool has no addresses")?.first;
        let gateway = spec.gateway.as_deref().map(parse_address).transpose()?;
        let mut holes = parse_ranges(&spec.excluded_addresses)?;
        holes.extend(gateway.map(single));
        if !spec.allocate_reserved {
            holes.extend(reserved(lowest, spec.prefix)?);
        }
        let blocks =
            subtract(ranges, &holes).into_iter().map(|range| Block { range, prefix: spec.prefix, gateway }).collect();
        Ok(Self { blocks, name_prefix: String::new() })
    }

    /// Reads an `IPPool` of Metal3 at v1alpha1.
    pub(crate) fn metal3(spec: &Value) -> Result<Self, String> {
        let spec = Metal3Spec::deserialize(spec).map_err(|e| e.to_string())?;
        let mut blocks = Vec::new();
        for pool in &spec.pools {
            let gateway = pool.gateway.as_ref().or(spec.gateway.as_ref());
            let gateway = gateway.map(|g| parse_address(g)).transpose()?;
            let prefix = pool.prefix.or(spec.prefix).ok_or("neither the pool nor its range has a prefix")?;
            let holes: Vec<Range> = gateway.map(single).into_iter().collect();
            blocks.extend(subtract(vec![metal3_range(pool)?], &holes).into_iter().map(|range| Block {
                range,
                prefix,
                gateway,
            }));
        }
        Ok(Self { blocks, name_prefix: spec.name_prefix })
    }

    /// The first address in the order of allocation that `used` does not hold.
    pub(crate) fn first_free(&self, used: impl Fn(IpAddr) -> bool) -> Option<Lease> {
        self.blocks.iter().find_map(|block| {
            let mut address = block.range.first;
            while used(address) {
                address = next(address).filter(|a| block.range.contains(*a))?;
            }
            Some(block.lease(address))
        })
    }

    /// The lease of an address, if the pool gives it out.
    pub(crate) fn lease(&self, address: IpAddr) -> Option<Lease> {
        let block = self.blocks.iter().find(|block| block.range.contains(address))?;
        Some(block.lease(address))
    }

    /// How many addresses the pool gives out in all; saturates.
    pub(crate) fn total(&self) -> u128 {
        self.blocks.iter().fold(0, |sum: u128, block| sum.saturating_add(block.range.len()))
    }
}

impl Block {
    fn lease(&self, address: IpAddr) -> Lease {
        Lease { address, prefix: self.prefix, gateway: self.gateway }
    }
}

fn parse_ranges(entries: &[String]) -> Result<Vec<Range>, String> {
    entries.iter().map(|entry| Range::parse(entry)).collect()
}

fn single(address: IpAddr) -> Range {
    Range { first: address, last: address }
}

/// The subnet's first address, and for IPv4 its last: network and broadcast.
fn reserved(lowest: IpAddr, prefix: u8) -> Result<Vec<Range>, String> {
    let subnet = IpNetwork::new(lowest, prefix).map_err(|e| format!("prefix {prefix}: {e}"))?;
    let mut reserved = vec![single(subnet.network())];
    if subnet.is_ipv4() {
        reserved.push(single(subnet.broadcast()));
    }
    Ok(reserved)
}

/// `start` to `end`; either may be left to the subnet, whose network and broadcast address are spared.
fn metal3_range(pool: &Metal3Range) -> Result<Range, String> {
    let subnet = pool.subnet.as_deref().map(Range::parse).transpose()?;
    let bound = |given: &Option<String>| given.as_deref().map(parse_address).transpose();
    let first = match bound(&pool.start)? {
        Some(start) => start,
        None => next(subnet.ok_or("a range needs start or subnet")?.first).ok_or("the subnet ends at once")?,
    };
    let last = match (bound(&pool.end)?, subnet) {
        (Some(end), _) => end,
        (None, Some(subnet)) if subnet.first.is_ipv4() && subnet.len() > 2 => {
            let hosts = subtract(vec![subnet], &[single(subnet.last)]);
            hosts.last().map_or(subnet.last, |range| range.last)
        }
        (None, Some(subnet)) => subnet.last,
        (None, None) => first,
    };
    Range::new(first, last)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn all(plan: &Plan) -> Vec<String> {
        let mut used = BTreeSet::new();
        std::iter::from_fn(|| {
            let lease = plan.first_free(|a| used.contains(&a))?;
            used.insert(lease.address);
            Some(lease.address.to_string())
        })
        .take(20)
        .collect()
    }

    #[test]
    fn in_cluster_pool_gives_lowest_first_and_never_gateway_network_or_broadcast() {
        for (name, spec, expected) in [
            (
                "gateway and both ends spared",
                json!({"addresses": ["10.0.0.0/29"], "prefix": 29, "gateway": "10.0.0.1"}),
                vec!["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"],
            ),
            (
                "reserved ones on request, gateway never",
                json!({"addresses": ["10.0.0.0/30"], "prefix": 30, "gateway": "10.0.0.1", "allocateReservedIPAddresses": true}),
                vec!["10.0.0.0", "10.0.0.2", "10.0.0.3"],
            ),
            (
                "order of entries does not matter",
                json!({"addresses": ["10.0.0.9", "10.0.0.4-10.0.0.5"], "prefix": 24}),
                vec!["10.0.0.4", "10.0.0.5", "10.0.0.9"],
            ),
            (
                "excluded",
                json!({"addresses": ["10.0.0.4-10.0.0.8"], "prefix": 24, "excludedAddresses": ["10.0.0.5-10.0.0.6", "10.0.0.8"]}),
                vec!["10.0.0.4", "10.0.0.7"],
            ),
            (
                "a subnet wider than the addresses",
                json!({"addresses": ["10.0.0.254-10.0.1.1"], "prefix": 16}),
                vec!["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"],
            ),
            (
                "IPv6 spares only the anycast address",
                json!({"addresses": ["fd00::/126"], "prefix": 126}),
                vec!["fd00::1", "fd00::2", "fd00::3"],
            ),
        ] {
            let plan = Plan::in_cluster(&spec).unwrap();
            assert_eq!(all(&plan), expected, "{name}");
            assert_eq!(plan.total(), expected.len() as u128, "{name}");
        }
    }

    #[test]
    fn metal3_pool_goes_range_by_range_with_the_prefix_and_gateway_of_each() {
        let plan = Plan::metal3(&json!({
            "namePrefix": "m3", "prefix": 24, "gateway": "10.0.0.1",
            "pools": [
                {"start": "10.0.1.5", "end": "10.0.1.6", "prefix": 25, "gateway": "10.0.1.5"},
                {"subnet": "10.0.0.0/30"},
                {"start": "10.0.0.9"},
            ],
        }))
        .unwrap();
        assert_eq!(all(&plan), ["10.0.1.6", "10.0.0.2", "10.0.0.9"]);
        let lease = plan.lease("10.0.1.6".parse().unwrap()).unwrap();
        assert_eq!((lease.prefix, lease.gateway), (25, Some("10.0.1.5".parse().unwrap())));
        let lease = plan.lease("10.0.0.2".parse().unwrap()).unwrap();
        assert_eq!((lease.prefix, lease.gateway), (24, Some("10.0.0.1".parse().unwrap())));
        assert_eq!(plan.name_prefix, "m3");
    }

    #[test]
    fn a_broken_pool_is_an_error_and_never_a_panic() {
        for spec in [
            json!(null),
            json!({"addresses": [], "prefix": 24}),
            json!({"addresses": ["x"], "prefix": 24}),
            json!({"addresses": ["10.0.0.1"], "prefix": 40}),
            json!({"addresses": ["10.0.0.1"], "prefix": 24, "gateway": "x"}),
        ] {
            assert!(Plan::in_cluster(&spec).is_err(), "{spec}");
        }
        for spec in [json!({"pools": [{}], "prefix": 24}), json!({"pools": [{"start": "10.0.0.1"}]})] {
            assert!(Plan::metal3(&spec).is_err(), "{spec}");
        }
    }

    #[test]
    fn an_enormous_pool_is_counted_without_overflow() {
        let plan = Plan::in_cluster(&json!({"addresses": ["::/0"], "prefix": 0})).unwrap();
        assert_eq!(plan.total(), u128::MAX, "all but the anycast address");
    }
}
