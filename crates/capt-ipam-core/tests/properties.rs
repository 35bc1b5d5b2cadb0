//! Every value computed a second time, by bit arithmetic, and the index against a naive scan.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use capt_ipam_core::{AddressError, AddressIndex, Family, Reservation, Role, canonical};
use proptest::prelude::*;

/// Addresses that no rule about special use touches.
fn plain_v4() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from).prop_filter("plain", |address| {
        !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_broadcast())
    })
}

fn plain_v6() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(Ipv6Addr::from).prop_filter("plain", |address| {
        !(address.is_unspecified() || address.is_loopback() || address.is_multicast())
            && address.to_ipv4_mapped().is_none()
    })
}

/// The netmask as 32 bits, one bit after the other.
fn mask_v4(prefix: u8) -> u32 {
    (0..32).fold(0, |mask, bit| (mask << 1) | u32::from(bit < prefix))
}

fn mask_v6(prefix: u8) -> u128 {
    (0..128).fold(0, |mask, bit| (mask << 1) | u128::from(bit < prefix))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn an_ipv4_netmask_is_its_prefix_in_bits(address in plain_v4(), prefix in 1u8..=32) {
        if let Ok(reservation) = Reservation::parse(&address.to_string(), i64::from(prefix), None) {
            let text = reservation.netmask_text().unwrap();
            let by_bytes = mask_v4(prefix).to_be_bytes().map(|byte| byte.to_string()).join(".");
            prop_assert_eq!(text, by_bytes);
            prop_assert_eq!(reservation.prefix(), prefix);
        }
    }

    #[test]
    fn an_ipv4_host_is_refused_exactly_at_the_ends_of_its_network(
        address in plain_v4(), prefix in 1u8..=32, place in 0u8..4,
    ) {
        let (bits, mask) = (u32::from(address), mask_v4(prefix));
        // Half of the cases stand at an end of the network, where the rules are.
        let bits = match place { 0 => bits & mask, 1 => bits | !mask, _ => bits };
        let address = Ipv4Addr::from(bits);
        prop_assume!(!(address.is_unspecified() || address.is_multicast() || address.is_broadcast() || address.is_loopback()));
        let size = 1u64 << (32 - u32::from(prefix));
        let offset = u64::from(bits) % size;
        let network = format!("{}/{prefix}", Ipv4Addr::from(bits - u32::try_from(offset).unwrap()));
        let outcome = Reservation::parse(&address.to_string(), i64::from(prefix), None);
        let address = IpAddr::V4(address);
        if size > 2 && offset == 0 {
            prop_assert_eq!(outcome, Err(AddressError::NetworkAddress { address, network }));
        } else if size > 2 && offset == size - 1 {
            prop_assert_eq!(outcome, Err(AddressError::BroadcastAddress { address, network }));
        } else {
            prop_assert!(outcome.is_ok(), "{:?}", outcome);
        }
    }

    #[test]
    fn an_ipv6_host_is_refused_exactly_at_the_base_of_its_network(
        address in plain_v6(), prefix in 1u8..=128, place in 0u8..4,
    ) {
        let (bits, mask) = (u128::from(address), mask_v6(prefix));
        let bits = match place { 0 => bits & mask, 1 => bits | !mask, _ => bits };
        let address = Ipv6Addr::from(bits);
        prop_assume!(!(address.is_unspecified() || address.is_multicast()));
        let outcome = Reservation::parse(&address.to_string(), i64::from(prefix), None);
        if prefix < 127 && bits & !mask == 0 {
            let network = format!("{address}/{prefix}");
            prop_assert_eq!(outcome, Err(AddressError::SubnetRouterAnycast { address: IpAddr::V6(address), network }));
        } else {
            let reservation = outcome.unwrap();
            prop_assert_eq!(reservation.netmask_text(), None);
            prop_assert_eq!(reservation.family(), Family::V6);
            prop_assert_eq!(reservation.family().number(), 6);
        }
    }

    #[test]
    fn a_gateway_is_outside_exactly_when_a_network_bit_differs(
        address in plain_v4(), gateway in plain_v4(), prefix in 1u8..=32, near in any::<bool>(),
    ) {
        // A random gateway is nearly always far away, so half of them are moved into the network.
        let mask = mask_v4(prefix);
        let bits = u32::from(gateway);
        let gateway = Ipv4Addr::from(if near { (u32::from(address) & mask) | (bits & !mask) } else { bits });
        if let Ok(reservation) = Reservation::parse(&address.to_string(), i64::from(prefix), Some(&gateway.to_string())) {
            let differs = (u32::from(address) ^ u32::from(gateway)) & mask != 0;
            prop_assert_eq!(reservation.gateway_outside_prefix(), differs);
            prop_assert_eq!(reservation.gateway(), Some(IpAddr::V4(gateway)));
        }
    }

    #[test]
    fn an_address_survives_the_way_through_its_text(address in prop_oneof![
        plain_v4().prop_map(IpAddr::V4),
        plain_v6().prop_map(IpAddr::V6),
    ]) {
        let reservation = Reservation::parse(&address.to_string(), if address.is_ipv4() { 32 } else { 128 }, None).unwrap();
        prop_assert_eq!(reservation.address(), address);
        prop_assert_eq!(canonical(&reservation.address_text()), Some(address));
        let again = Reservation::parse(&reservation.address_text(), i64::from(reservation.prefix()), None).unwrap();
        prop_assert_eq!(again, reservation);
    }

    #[test]
    fn an_ipv6_text_with_every_digit_written_is_the_same_address(address in plain_v6(), upper in any::<bool>()) {
        let full = address.segments().map(|segment| format!("{segment:04x}")).join(":");
        let full = if upper { full.to_uppercase() } else { full };
        prop_assert_eq!(canonical(&full), Some(IpAddr::V6(address)));
    }

    #[test]
    fn no_text_makes_the_parser_panic_and_what_passes_is_canonical(
        address in "[0-9a-fA-F:./% ]{0,45}|\\PC{0,45}", prefix in any::<i64>(), gateway in "[0-9a-f:.]{0,16}|\\PC{0,8}",
    ) {
        if let Ok(reservation) = Reservation::parse(&address, prefix, Some(&gateway)) {
            prop_assert_eq!(canonical(&reservation.address_text()), Some(reservation.address()));
            prop_assert!(reservation.gateway() != Some(reservation.address()));
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Insert(u8, Role, IpAddr),
    Remove(u8, Role, IpAddr),
    Replace(u8, Vec<(Role, IpAddr)>),
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::HardwareAddress), Just(Role::Gateway), Just(Role::Endpoint)]
}

/// Few addresses and few owners, so that they meet often.
fn few_addresses() -> impl Strategy<Value = IpAddr> {
    (0u8..6, any::<bool>()).prop_map(|(last, v4)| {
        if v4 { Ipv4Addr::new(10, 0, 0, last).into() } else { Ipv6Addr::from(u128::from(last)).into() }
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (0u8..5, role(), few_addresses()).prop_map(|(owner, role, addr)| Change::Insert(owner, role, addr)),
        2 => (0u8..5, role(), few_addresses()).prop_map(|(owner, role, addr)| Change::Remove(owner, role, addr)),
        2 => (0u8..5, prop::collection::vec((role(), few_addresses()), 0..4))
            .prop_map(|(owner, entries)| Change::Replace(owner, entries)),
    ]
}

/// The index as a plain list.
#[derive(Default)]
struct Scan(Vec<(u8, Role, IpAddr)>);

impl Scan {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Insert(owner, role, addr) => self.0.push((owner, role, addr)),
            Change::Remove(owner, role, addr) => self.0.retain(|entry| *entry != (owner, role, addr)),
            Change::Replace(owner, entries) => {
                self.0.retain(|entry| entry.0 != owner);
                self.0.extend(entries.into_iter().map(|(role, addr)| (owner, role, addr)));
            }
        }
    }

    fn of(&self, owner: u8) -> Vec<(Role, IpAddr)> {
        self.0.iter().filter(|entry| entry.0 == owner).map(|entry| (entry.1, entry.2)).collect()
    }

    fn conflicts(&self, addr: IpAddr, except: u8) -> Vec<(u8, Role)> {
        let mut found: Vec<_> = self
            .0
            .iter()
            .filter(|entry| entry.2 == addr && entry.0 != except)
            .map(|entry| (entry.0, entry.1))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_index_answers_as_a_scan_of_everything_would(changes in prop::collection::vec(change(), 0..40)) {
        let mut index = AddressIndex::new();
        let mut scan = Scan::default();
        for change in changes {
            match change.clone() {
                Change::Insert(owner, role, addr) => index.insert(owner, role, addr),
                Change::Remove(owner, role, addr) => index.remove(&owner, role, addr),
                Change::Replace(owner, entries) => index.replace(&owner, scan.of(owner), entries),
            }
            scan.apply(change);
            for last in 0..6u8 {
                for addr in [IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), Ipv6Addr::from(u128::from(last)).into()] {
                    for except in 0..6u8 {
                        let found: Vec<_> = index.conflicts(addr, &except).map(|(owner, role)| (*owner, role)).collect();
                        prop_assert_eq!(found, scan.conflicts(addr, except));
                    }
                }
            }
        }
        for owner in 0..5u8 {
            index.replace(&owner, scan.of(owner), []);
        }
        prop_assert!(index.is_empty(), "addresses leaked: {:?}", index);
    }
}

#[test]
fn a_second_hardware_a_gateway_and_an_endpoint_each_stand_in_the_way() {
    let wanted: IpAddr = "10.0.0.5".parse().unwrap();
    let mut index = AddressIndex::new();
    index.insert("hw-a", Role::HardwareAddress, wanted);
    index.insert("hw-b", Role::Gateway, wanted);
    index.insert("cluster", Role::Endpoint, wanted);
    let found: Vec<_> = index.conflicts(wanted, &"hw-new").collect();
    let expected = [(&"cluster", Role::Endpoint), (&"hw-a", Role::HardwareAddress), (&"hw-b", Role::Gateway)];
    assert_eq!(found, expected);
}

#[test]
fn a_gateway_shared_by_many_survives_the_removal_of_one() {
    let gateway: IpAddr = "10.0.0.1".parse().unwrap();
    let mut index = AddressIndex::new();
    for hardware in 0..1000 {
        index.insert(hardware, Role::Gateway, gateway);
    }
    index.remove(&500, Role::Gateway, gateway);
    assert_eq!(index.conflicts(gateway, &0).count(), 998);
    assert!(index.conflicts(gateway, &0).all(|(owner, _)| *owner != 500));
}

#[test]
fn the_owner_itself_is_never_its_own_conflict() {
    let wanted: IpAddr = "10.0.0.5".parse().unwrap();
    let mut index = AddressIndex::new();
    index.insert("hw-a", Role::HardwareAddress, wanted);
    assert_eq!(index.conflicts(wanted, &"hw-a").count(), 0);
    assert_eq!(index.conflicts(wanted, &"hw-b").count(), 1);
}
