//! Which addresses a webhook may reach.
//!
//! A job's author may name any URL that the operator lets into the configuration, and a name may resolve to anything at any
//! time. So the check is made on the addresses of the very connection: names are resolved here, every address is checked, and
//! only these addresses are connected to. One forbidden address refuses the name. Redirects are never followed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::network::{Network, not_public};

/// Refuses what is not on the public internet, unless the operator allows it.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    allowed: Arc<Vec<Network>>,
}

/// The refusal of a target.
#[derive(Debug, thiserror::Error)]
#[error("{target} is at {address}, {what}; allow it with notify.allow_private_targets = [\"{address}\"]")]
pub(super) struct Refused {
    target: String,
    address: IpAddr,
    what: &'static str,
}

impl Guard {
    pub(super) fn new(allowed: Vec<Network>) -> Self {
        Self { allowed: Arc::new(allowed) }
    }

    /// Whether a webhook may connect to `address`, which `target` stands for.
    pub(super) fn check(&self, target: &str, address: IpAddr) -> Result<(), Refused> {
        let address = address.to_canonical();
        match not_public(address) {
            Some(what) if !self.allowed.iter().any(|network| network.contains(address)) => {
                Err(Refused { target: target.to_owned(), address, what })
            }
            _ => Ok(()),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &addresses {
                this.check(name.as_str(), address.ip())?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allowed: &[&str], address: &str) -> Result<(), Refused> {
        let networks = allowed.iter().map(|network| network.parse().unwrap()).collect();
        Guard::new(networks).check("hook", address.parse().unwrap())
    }

    #[test]
    fn what_is_not_public_is_refused() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "168.63.129.16",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.1",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::7f00:1",
            "::ffff:169.254.169.254",
            "169.254.170.2",
            "2002:7f00:1::",
            "fe80::1",
            "fd00:ec2::254",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "fec0::1",
        ] {
            assert!(check(&[], address).is_err(), "{address}");
        }
    }

    #[test]
    fn what_is_public_is_reached() {
        for address in
            ["93.184.216.34", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "64:ff9b::808:808"]
        {
            assert!(check(&[], address).is_ok(), "{address}");
        }
    }

    #[test]
    fn the_operator_allows_addresses_and_networks_and_nothing_beside() {
        assert!(check(&["127.0.0.1"], "127.0.0.1").is_ok());
        assert!(check(&["127.0.0.1"], "::ffff:127.0.0.1").is_ok());
        assert!(check(&["127.0.0.1"], "127.0.0.2").is_err());
        assert!(check(&["10.0.0.0/8"], "10.200.0.1").is_ok());
        assert!(check(&["10.0.0.0/8"], "192.168.0.1").is_err());
        assert!(check(&["0.0.0.0/0"], "192.168.0.1").is_ok());
        assert!(check(&["fd00::/8"], "fd12::1").is_ok());
        assert!(check(&["fd00::/8"], "10.0.0.1").is_err());
    }

    #[test]
    fn the_refusal_says_how_to_allow_it() {
        let text = check(&[], "10.0.0.7").unwrap_err().to_string();
        assert_eq!(
            text,
            "hook is at 10.0.0.7, a private address; allow it with notify.allow_private_targets = [\"10.0.0.7\"]"
        );
    }
}
