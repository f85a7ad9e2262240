//! Network addresses: ranges as the configuration writes them, and which addresses are not on the public internet.
//!
//! Pure: nothing is resolved or connected here. Who refuses what with it: webhooks (`notify`) and datasets over HTTP (`storage`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

const METADATA: &str = "a cloud's metadata service";
const LINK_LOCAL: &str = "a link-local address";

/// Names under which clouds serve the credentials of a machine.
const METADATA_NAMES: [&str; 5] =
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];

/// An address range, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                base.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                base.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is neither an address nor a network; write 127.0.0.1 or 10.0.0.0/8");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let base: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let full = if base.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(full), |prefix| prefix.trim().parse::<u8>()).map_err(|_| wrong())?;
        if prefix > full { Err(wrong()) } else { Ok(Self { base, prefix }) }
    }
}

/// What an address is that is not on the public internet; none for public ones. IPv4 in IPv6 clothes is looked through.
#[must_use]
pub fn not_public(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [169, 254, 169, 254] | [169, 254, 170, 2] | [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => {
            Some(METADATA)
        }
        [127, ..] => Some("a loopback address"),
        [0, ..] => Some("an unspecified address"),
        [169, 254, ..] => Some(LINK_LOCAL),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Some("a private address"),
        [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] => {
            Some("a reserved address")
        }
        [224..=239, ..] => Some("a multicast address"),
        [240..=255, ..] => Some("a reserved address"),
        _ => None,
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    // Addresses that carry an IPv4 address reach what that one reaches.
    let embedded = match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] | [0, 0, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback address"),
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified address"),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Some(METADATA),
        [0xfc00..=0xfdff, ..] => Some("a private address"),
        [0xfe80..=0xfebf, ..] => Some(LINK_LOCAL),
        [0xfec0..=0xfeff, ..] => Some("a private address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x100, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Some("a reserved address"),
        _ => embedded.and_then(forbidden_v4),
    }
}

/// Whether an address is one at which a machine's own credentials are served, or of the same link: never a place of data.
#[must_use]
pub fn is_metadata(address: IpAddr) -> bool {
    matches!(not_public(address), Some(METADATA | LINK_LOCAL))
}

/// Whether a host's name is one under which clouds serve credentials.
#[must_use]
pub fn is_metadata_name(host: &str) -> bool {
    METADATA_NAMES.contains(&host.trim_end_matches('.').to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_checked_when_read() {
        for wrong in ["localhost", "10.0.0.0/33", "10.0.0.0/x", "", "::/129"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn metadata_services_are_known_in_every_clothing() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "::169.254.169.254",
            "fe80::1",
            "169.254.1.1",
        ] {
            assert!(is_metadata(address.parse().unwrap()), "{address}");
        }
        for address in ["10.0.0.1", "127.0.0.1", "93.184.216.34", "fd00::1"] {
            assert!(!is_metadata(address.parse().unwrap()), "{address}");
        }
        assert!(is_metadata_name("Metadata.Google.Internal.") && !is_metadata_name("data.example.org"));
    }
}
