//! Why an address is refused. Every message names the field of the IPAddress object and quotes what it holds; the
//! caller, who knows the object, puts its name in front.

use std::fmt;
use std::net::IpAddr;

use crate::Family;

/// The field of an IPAddress object that holds an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `spec.address`
    Address,
    /// `spec.gateway`
    Gateway,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "spec.address",
            Self::Gateway => "spec.gateway",
        })
    }
}

/// What is wrong with a text that should be one plain IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TextFlaw {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Longer than the API allows, which is the length of the longest IPv6 address.
    #[error("is longer than 39 characters")]
    TooLong,
    /// White space before, in or after the address.
    #[error("contains white space")]
    WhiteSpace,
    /// `10.0.0.1/24`: the prefix has a field of its own.
    #[error("carries a prefix length; spec.prefix is the place for it")]
    PrefixSuffix,
    /// `fe80::1%eth0`: a zone means something on one machine only.
    #[error("carries a zone")]
    Zone,
    /// `::ffff:10.0.0.1`: the same address in two texts would escape duplicate detection.
    #[error("is an IPv4-mapped IPv6 address; write it as IPv4")]
    MappedIpv4,
    /// Anything else, for example leading zeros, which some programs read as octal.
    #[error("is not an IP address")]
    NotAnAddress,
}

/// Addresses with a meaning of their own, which no interface of a server can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SpecialUse {
    /// `0.0.0.0` or `::`
    #[error("the unspecified address")]
    Unspecified,
    /// `127.0.0.0/8` or `::1`
    #[error("a loopback address")]
    Loopback,
    /// `224.0.0.0/4` or `ff00::/8`
    #[error("a multicast address")]
    Multicast,
    /// `255.255.255.255`
    #[error("the limited broadcast address")]
    LimitedBroadcast,
}

/// Why address, prefix and gateway of an IPAddress object cannot go onto an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text is not one plain IP address.
    #[error("{field} {value:?} {flaw}")]
    Malformed {
        /// Where the text stands.
        field: Field,
        /// The text as it stands there.
        value: String,
        /// What is wrong with it.
        flaw: TextFlaw,
    },
    /// The address means something else than one host.
    #[error("{field} \"{value}\" is {used_as}")]
    SpecialUse {
        /// Where the address stands.
        field: Field,
        /// The address.
        value: IpAddr,
        /// What it means instead.
        used_as: SpecialUse,
    },
    /// The prefix is not a length that a network of this family can have. 0 is refused: it would be the whole Internet.
    #[error("spec.prefix \"{prefix}\" is not between 1 and {} for {family}", family.max_prefix())]
    PrefixOutOfRange {
        /// The prefix as it stands there.
        prefix: i64,
        /// The family of the address.
        family: Family,
    },
    /// The address names the IPv4 network itself.
    #[error("spec.address \"{address}\" is the network address of {network}")]
    NetworkAddress {
        /// The address.
        address: IpAddr,
        /// Its network, as `base/prefix`.
        network: String,
    },
    /// The address reaches every host of the IPv4 network.
    #[error("spec.address \"{address}\" is the broadcast address of {network}")]
    BroadcastAddress {
        /// The address.
        address: IpAddr,
        /// Its network, as `base/prefix`.
        network: String,
    },
    /// The address is the base of its IPv6 network: any router there answers to it (RFC 4291, 2.6.1), and a prefix pool
    /// gives it out to mean the whole network.
    #[error(
        "spec.address \"{address}\" is the base of the network {network}, not a host in it; is the pool a prefix pool?"
    )]
    SubnetRouterAnycast {
        /// The address.
        address: IpAddr,
        /// Its network, as `base/prefix`.
        network: String,
    },
    /// An IPv6 gateway for an IPv4 address, or the reverse.
    #[error("spec.gateway \"{gateway}\" is {}, but spec.address \"{address}\" is {}", Family::of(*gateway), Family::of(*address))]
    GatewayFamily {
        /// The gateway.
        gateway: IpAddr,
        /// The address.
        address: IpAddr,
    },
    /// A host cannot be its own gateway.
    #[error("spec.gateway \"{gateway}\" is the same as spec.address")]
    GatewayIsAddress {
        /// The gateway, and the address.
        gateway: IpAddr,
    },
}
