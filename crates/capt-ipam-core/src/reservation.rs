//! From the three fields of an IPAddress object to an address that a server may carry.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use crate::error::{AddressError, Field, SpecialUse};
use crate::text;

/// The family of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// 4 or 6, as a Hardware's `dhcp.ip.family` writes it.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }

    /// The length of an address in bits, hence the longest prefix.
    #[must_use]
    pub fn max_prefix(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IPv{}", self.number())
    }
}

/// A validated, canonical address for one interface: what goes into a Hardware's `dhcp.ip`.
///
/// The only way to one is [`Reservation::parse`], so whoever holds one may write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reservation {
    /// The address with its prefix; host bits are kept.
    interface: IpNetwork,
    gateway: Option<IpAddr>,
}

impl Reservation {
    /// Checks address, prefix (in bits) and gateway as an IPAddress object holds them. An empty gateway counts as none.
    ///
    /// # Errors
    /// The first thing found wrong, address before prefix before gateway: see [`AddressError`].
    pub fn parse(address: &str, prefix: i64, gateway: Option<&str>) -> Result<Self, AddressError> {
        Self::parse_with_reserved(address, prefix, gateway)
            .and_then(|found| refuse_reserved(found.interface).map(|()| found))
    }

    /// As [`parse`](Self::parse), but takes the addresses that a network keeps for itself: an operator asked for them.
    ///
    /// # Errors
    /// The first thing found wrong, address before prefix before gateway: see [`AddressError`].
    pub fn parse_with_reserved(address: &str, prefix: i64, gateway: Option<&str>) -> Result<Self, AddressError> {
        let address = parse_host(Field::Address, address)?;
        let interface = with_prefix(address, prefix)?;
        let gateway = match gateway {
            None | Some("") => None,
            Some(text) => Some(parse_gateway(text, address)?),
        };
        Ok(Self { interface, gateway })
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.interface.ip()
    }

    /// The prefix length in bits: 1 to 32 for IPv4, 1 to 128 for IPv6.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.interface.prefix()
    }

    /// The gateway, of the same family as the address.
    #[must_use]
    pub fn gateway(&self) -> Option<IpAddr> {
        self.gateway
    }

    /// The family of the address.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.address())
    }

    /// The one text of the address: dotted quad for IPv4, RFC 5952 for IPv6. Tinkerbell looks addresses up by this text.
    #[must_use]
    pub fn address_text(&self) -> String {
        self.address().to_string()
    }

    /// The dotted netmask for IPv4. `None` for IPv6: Tinkerbell refuses a Hardware that has one there.
    #[must_use]
    pub fn netmask_text(&self) -> Option<String> {
        match self.interface {
            IpNetwork::V4(interface) => Some(interface.mask().to_string()),
            IpNetwork::V6(_) => None,
        }
    }

    /// The one text of the gateway.
    #[must_use]
    pub fn gateway_text(&self) -> Option<String> {
        self.gateway.map(|gateway| gateway.to_string())
    }

    /// Whether the gateway lies outside the network of the address. Some routed networks want exactly that, so it is
    /// worth a warning and no more. An IPv6 link-local gateway is on every link, so it is never outside.
    #[must_use]
    pub fn gateway_outside_prefix(&self) -> bool {
        match self.gateway {
            None => false,
            Some(IpAddr::V6(gateway)) if gateway.is_unicast_link_local() => false,
            Some(gateway) => !self.interface.contains(gateway),
        }
    }
}

/// An address that means one host.
fn parse_host(field: Field, text: &str) -> Result<IpAddr, AddressError> {
    let value = text::parse(text).map_err(|flaw| AddressError::Malformed { field, value: text.to_owned(), flaw })?;
    match special_use(value) {
        Some(used_as) => Err(AddressError::SpecialUse { field, value, used_as }),
        None => Ok(value),
    }
}

fn special_use(address: IpAddr) -> Option<SpecialUse> {
    if address.is_unspecified() {
        Some(SpecialUse::Unspecified)
    } else if address.is_loopback() {
        Some(SpecialUse::Loopback)
    } else if address.is_multicast() {
        Some(SpecialUse::Multicast)
    } else if address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some(SpecialUse::LimitedBroadcast)
    } else {
        None
    }
}

fn with_prefix(address: IpAddr, prefix: i64) -> Result<IpNetwork, AddressError> {
    let family = Family::of(address);
    u8::try_from(prefix)
        .ok()
        .filter(|&bits| bits > 0)
        .and_then(|bits| IpNetwork::new(address, bits).ok())
        .ok_or(AddressError::PrefixOutOfRange { prefix, family })
}

/// Refuses the addresses that a network keeps for itself. Networks of two addresses or one (RFC 3021, RFC 6164) keep none.
fn refuse_reserved(interface: IpNetwork) -> Result<(), AddressError> {
    let address = interface.ip();
    let family = Family::of(address);
    if interface.prefix() >= family.max_prefix() - 1 {
        return Ok(());
    }
    let network = || format!("{}/{}", interface.network(), interface.prefix());
    match family {
        Family::V4 if address == interface.network() => {
            Err(AddressError::NetworkAddress { address, network: network() })
        }
        Family::V4 if address == interface.broadcast() => {
            Err(AddressError::BroadcastAddress { address, network: network() })
        }
        Family::V6 if address == interface.network() => {
            Err(AddressError::SubnetRouterAnycast { address, network: network() })
        }
        Family::V4 | Family::V6 => Ok(()),
    }
}

fn parse_gateway(text: &str, address: IpAddr) -> Result<IpAddr, AddressError> {
    let gateway = parse_host(Field::Gateway, text)?;
    if Family::of(gateway) != Family::of(address) {
        return Err(AddressError::GatewayFamily { gateway, address });
    }
    if gateway == address {
        return Err(AddressError::GatewayIsAddress { gateway });
    }
    Ok(gateway)
}
