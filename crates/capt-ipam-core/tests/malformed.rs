//! A table of what must never reach a Hardware.
#![allow(clippy::unwrap_used, clippy::panic)]

use capt_ipam_core::{AddressError, Field, Reservation, SpecialUse, TextFlaw, canonical};

fn refusal(address: &str, prefix: i64, gateway: Option<&str>) -> AddressError {
    match Reservation::parse(address, prefix, gateway) {
        Err(error) => error,
        Ok(reservation) => panic!("{address:?}/{prefix} via {gateway:?} was accepted as {reservation:?}"),
    }
}

/// Texts that are not one plain address, with the flaw that the message must name.
const MALFORMED: &[(&str, TextFlaw)] = &[
    ("10.0.0.5/24", TextFlaw::PrefixSuffix),
    ("10.0.0.5/255.255.255.0", TextFlaw::PrefixSuffix),
    ("2001:db8::5/64", TextFlaw::PrefixSuffix),
    ("010.0.0.5", TextFlaw::NotAnAddress),
    ("10.0.0.05", TextFlaw::NotAnAddress),
    ("10.0.0.005", TextFlaw::NotAnAddress),
    ("10.0.00.5", TextFlaw::NotAnAddress),
    ("::ffff:10.0.0.5", TextFlaw::MappedIpv4),
    ("::ffff:a00:5", TextFlaw::MappedIpv4),
    ("0:0:0:0:0:FFFF:0a00:0005", TextFlaw::MappedIpv4),
    ("fe80::1%eth0", TextFlaw::Zone),
    ("fe80::1%1", TextFlaw::Zone),
    ("2001:db8::5%", TextFlaw::Zone),
    (" 10.0.0.5", TextFlaw::WhiteSpace),
    ("10.0.0.5 ", TextFlaw::WhiteSpace),
    ("10.0. 0.5", TextFlaw::WhiteSpace),
    ("10.0.0.5\n", TextFlaw::WhiteSpace),
    ("10.0.0.5\t", TextFlaw::WhiteSpace),
    ("10.0.0.5\u{a0}", TextFlaw::WhiteSpace),
    (" ", TextFlaw::WhiteSpace),
    ("", TextFlaw::Empty),
    // 40 characters, which is one too many; without the last one it is an address.
    ("2001:0db8:0000:0000:0000:0000:0000:00055", TextFlaw::TooLong),
    // 45 characters, and correct in the grammar of RFC 4291.
    ("2001:0db8:0000:0000:0000:0000:192.168.100.200", TextFlaw::TooLong),
    ("::ffff:0000:0000:0000:0000:0000:0000:0000:0000:0000", TextFlaw::TooLong),
    ("10.0.0", TextFlaw::NotAnAddress),
    ("10.0.0.5.6", TextFlaw::NotAnAddress),
    ("10.0.0.256", TextFlaw::NotAnAddress),
    ("10.0.0.-5", TextFlaw::NotAnAddress),
    ("10.0.0.5.", TextFlaw::NotAnAddress),
    ("10.0.0.5:80", TextFlaw::NotAnAddress),
    ("0x0a.0.0.5", TextFlaw::NotAnAddress),
    ("167772165", TextFlaw::NotAnAddress),
    ("[2001:db8::5]", TextFlaw::NotAnAddress),
    ("2001:db8:::5", TextFlaw::NotAnAddress),
    ("2001:db8::1::5", TextFlaw::NotAnAddress),
    ("2001:db8::g", TextFlaw::NotAnAddress),
    ("2001:db8::12345", TextFlaw::NotAnAddress),
    ("1:2:3:4:5:6:7:8:9", TextFlaw::NotAnAddress),
    ("１0.0.0.5", TextFlaw::NotAnAddress),
    ("10.0.0.5\0", TextFlaw::NotAnAddress),
    ("node-1.example.org", TextFlaw::NotAnAddress),
];

#[test]
fn a_malformed_address_is_refused_with_its_flaw() {
    for &(text, flaw) in MALFORMED {
        let error = refusal(text, 24, None);
        assert_eq!(error, AddressError::Malformed { field: Field::Address, value: text.into(), flaw });
        assert_eq!(error.to_string(), format!("spec.address {text:?} {flaw}"));
        assert_eq!(canonical(text), None, "{text:?}");
    }
}

#[test]
fn a_malformed_gateway_is_refused_with_its_flaw_but_an_empty_one_is_none() {
    for &(text, flaw) in MALFORMED.iter().filter(|(text, _)| !text.is_empty()) {
        let error = refusal("10.0.0.5", 24, Some(text));
        assert_eq!(error, AddressError::Malformed { field: Field::Gateway, value: text.into(), flaw });
        assert_eq!(error.to_string(), format!("spec.gateway {text:?} {flaw}"));
    }
    let reservation = Reservation::parse("10.0.0.5", 24, Some("")).unwrap();
    assert_eq!(reservation.gateway(), None);
}

#[test]
fn the_longest_legal_text_is_not_refused_for_its_length() {
    let text = "2001:0db8:0000:0000:0000:0000:0000:0005";
    assert_eq!(text.len(), 39);
    let reservation = Reservation::parse(text, 64, None).unwrap();
    assert_eq!(reservation.address_text(), "2001:db8::5");
}

#[test]
fn a_prefix_that_no_network_has_is_refused() {
    let cases: [(&str, i64, &str); 11] = [
        ("10.0.0.5", 0, r#"spec.prefix "0" is not between 1 and 32 for IPv4"#),
        ("10.0.0.5", 33, r#"spec.prefix "33" is not between 1 and 32 for IPv4"#),
        ("10.0.0.5", -1, r#"spec.prefix "-1" is not between 1 and 32 for IPv4"#),
        ("10.0.0.5", 128, r#"spec.prefix "128" is not between 1 and 32 for IPv4"#),
        // 256 + 24 and 2^32 + 24: a cast that drops the high bits would see 24.
        ("10.0.0.5", 280, r#"spec.prefix "280" is not between 1 and 32 for IPv4"#),
        ("10.0.0.5", 4_294_967_320, r#"spec.prefix "4294967320" is not between 1 and 32 for IPv4"#),
        ("10.0.0.5", i64::MIN, r#"spec.prefix "-9223372036854775808" is not between 1 and 32 for IPv4"#),
        ("2001:db8::5", 0, r#"spec.prefix "0" is not between 1 and 128 for IPv6"#),
        ("2001:db8::5", 129, r#"spec.prefix "129" is not between 1 and 128 for IPv6"#),
        ("2001:db8::5", -1, r#"spec.prefix "-1" is not between 1 and 128 for IPv6"#),
        ("2001:db8::5", i64::MAX, r#"spec.prefix "9223372036854775807" is not between 1 and 128 for IPv6"#),
    ];
    for (address, prefix, message) in cases {
        let error = refusal(address, prefix, None);
        assert!(matches!(error, AddressError::PrefixOutOfRange { .. }), "{error:?}");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn an_address_that_means_no_single_host_is_refused_in_both_fields() {
    let cases = [
        ("0.0.0.0", SpecialUse::Unspecified),
        ("::", SpecialUse::Unspecified),
        ("127.0.0.1", SpecialUse::Loopback),
        ("127.255.255.254", SpecialUse::Loopback),
        ("::1", SpecialUse::Loopback),
        ("224.0.0.1", SpecialUse::Multicast),
        ("239.255.255.255", SpecialUse::Multicast),
        ("ff02::1", SpecialUse::Multicast),
        ("255.255.255.255", SpecialUse::LimitedBroadcast),
    ];
    for (text, used_as) in cases {
        let value = text.parse().unwrap();
        // The longest prefix, so that no other rule can be the one that refuses.
        let error = refusal(text, if text.contains(':') { 128 } else { 32 }, None);
        assert_eq!(error, AddressError::SpecialUse { field: Field::Address, value, used_as });
        assert_eq!(error.to_string(), format!("spec.address {text:?} is {used_as}"));

        let host = if text.contains(':') { "2001:db8::5" } else { "10.0.0.5" };
        let error = refusal(host, 24, Some(text));
        assert_eq!(error, AddressError::SpecialUse { field: Field::Gateway, value, used_as });
    }
}

#[test]
fn an_address_that_the_network_keeps_for_itself_is_refused() {
    let cases = [
        ("10.0.0.0", 24, r#"spec.address "10.0.0.0" is the network address of 10.0.0.0/24"#),
        ("10.0.0.4", 30, r#"spec.address "10.0.0.4" is the network address of 10.0.0.4/30"#),
        ("128.0.0.0", 1, r#"spec.address "128.0.0.0" is the network address of 128.0.0.0/1"#),
        ("10.0.0.255", 24, r#"spec.address "10.0.0.255" is the broadcast address of 10.0.0.0/24"#),
        ("10.0.0.7", 30, r#"spec.address "10.0.0.7" is the broadcast address of 10.0.0.4/30"#),
        ("10.255.255.255", 8, r#"spec.address "10.255.255.255" is the broadcast address of 10.0.0.0/8"#),
        (
            "fd00:0:0:5::",
            64,
            r#"spec.address "fd00:0:0:5::" is the base of the network fd00:0:0:5::/64, not a host in it; is the pool a prefix pool?"#,
        ),
        (
            "2001:db8::4",
            126,
            r#"spec.address "2001:db8::4" is the base of the network 2001:db8::4/126, not a host in it; is the pool a prefix pool?"#,
        ),
    ];
    for (address, prefix, message) in cases {
        assert_eq!(refusal(address, prefix, None).to_string(), message);
    }
}

#[test]
fn the_ends_of_a_network_are_legal_where_a_host_can_use_them() {
    let cases = [
        ("10.0.0.4", 31),
        ("10.0.0.5", 31),
        ("10.0.0.0", 32),
        ("10.0.0.255", 32),
        ("10.0.1.0", 23),
        ("10.0.0.255", 23),
        ("2001:db8::4", 127),
        ("2001:db8::5", 127),
        ("2001:db8::", 128),
        // IPv6 has no broadcast.
        ("2001:db8::ffff:ffff:ffff:ffff", 64),
        ("2001:db8::7", 126),
    ];
    for (address, prefix) in cases {
        let reservation = Reservation::parse(address, prefix, None).unwrap();
        assert_eq!(reservation.address_text(), address);
        assert_eq!(i64::from(reservation.prefix()), prefix);
    }
}

#[test]
fn a_gateway_of_the_other_family_or_equal_to_the_address_is_refused() {
    let cases = [
        ("10.0.0.5", "2001:db8::1", r#"spec.gateway "2001:db8::1" is IPv6, but spec.address "10.0.0.5" is IPv4"#),
        ("2001:db8::5", "10.0.0.1", r#"spec.gateway "10.0.0.1" is IPv4, but spec.address "2001:db8::5" is IPv6"#),
        ("10.0.0.5", "10.0.0.5", r#"spec.gateway "10.0.0.5" is the same as spec.address"#),
        ("2001:db8::5", "2001:DB8:0::5", r#"spec.gateway "2001:db8::5" is the same as spec.address"#),
    ];
    for (address, gateway, message) in cases {
        assert_eq!(refusal(address, 24, Some(gateway)).to_string(), message);
    }
}

#[test]
fn a_gateway_outside_the_prefix_is_a_warning_and_no_error() {
    let cases = [
        ("10.0.0.5", 24, None, false),
        ("10.0.0.5", 24, Some("10.0.0.1"), false),
        ("10.0.0.5", 24, Some("10.0.1.1"), true),
        ("10.0.0.5", 23, Some("10.0.1.1"), false),
        ("10.0.0.5", 32, Some("10.0.0.1"), true),
        ("2001:db8::5", 64, Some("2001:db8::1"), false),
        ("2001:db8::5", 64, Some("2001:db8:0:1::1"), true),
        ("2001:db8::5", 64, Some("fe80::1"), false),
    ];
    for (address, prefix, gateway, outside) in cases {
        let reservation = Reservation::parse(address, prefix, gateway).unwrap();
        assert_eq!(reservation.gateway_outside_prefix(), outside, "{address}/{prefix} via {gateway:?}");
        assert_eq!(reservation.gateway_text().as_deref(), gateway);
    }
}

#[test]
fn different_texts_of_one_address_are_one_address() {
    let texts = ["2001:db8::a:0:0:b", "2001:DB8:0:0:a::b", "2001:0db8::000a:0:0:000B", "2001:db8::a:0:0.0.0.11"];
    for text in texts {
        assert_eq!(canonical(text), canonical("2001:db8:0:0:a:0:0:b"), "{text}");
        assert_eq!(Reservation::parse(text, 64, None).unwrap().address_text(), "2001:db8::a:0:0:b", "{text}");
    }
}
