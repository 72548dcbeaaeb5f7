//! Restricts the addresses that messages may be sent to: a receiver's URL must not reach into the server's own network.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// Allows public addresses, or all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EgressPolicy {
    pub allows_private: bool,
}

/// How to allow a rejected address.
const ADVICE: &str = "set notify.allow_private (--notify-allow-private) if that is meant";

impl EgressPolicy {
    fn allows(self, address: IpAddr) -> bool {
        self.allows_private || is_public(address)
    }

    /// Resolves a host to its allowed addresses. The caller connects to these and does not resolve again.
    pub(crate) async fn resolve(self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        let (allowed, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| self.allows(address.ip()));
        match (allowed.is_empty(), refused.first()) {
            (true, Some(refused)) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{host} is at {}, which is not a public address: {ADVICE}", refused.ip()),
            )),
            (true, None) => Err(io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"))),
            _ => Ok(allowed),
        }
    }

    /// Rejects a URL whose host is a forbidden IP address, for which there is no DNS lookup.
    pub(crate) fn check(self, url: &Url) -> Result<(), String> {
        let address = match url.host() {
            Some(url::Host::Ipv4(address)) => IpAddr::V4(address),
            Some(url::Host::Ipv6(address)) => IpAddr::V6(address),
            Some(url::Host::Domain(_)) => return Ok(()),
            None => return Err("the URL has no host".to_owned()),
        };
        if self.allows(address) { Ok(()) } else { Err(format!("{address} is not a public address: {ADVICE}")) }
    }
}

impl Resolve for EgressPolicy {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            // The caller sets the port.
            let found = EgressPolicy::resolve(guard, name.as_str(), 0).await?;
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is public.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        // Shared address space (RFC 6598), protocol assignments (RFC 6890), benchmarks (RFC 2544).
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [first, second, ..] = segments;
    // Addresses with an embedded IPv4 address: NAT64 (RFC 6052), 6to4 (RFC 3056), IPv4-compatible.
    let embedded = match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => Some((high, low)),
        [0x2002, high, low, ..] => Some((high, low)),
        _ => None,
    };
    let carries_private = embedded.is_some_and(|(high, low)| {
        let bits = (u32::from(high) << 16) | u32::from(low);
        !is_public_v4(Ipv4Addr::from_bits(bits))
    });
    !(carries_private
        || address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        // Deprecated site-local (RFC 3879), documentation (RFC 3849), discard (RFC 6666), local NAT64 (RFC 8215).
        || (first & 0xffc0) == 0xfec0
        || (first == 0x2001 && second == 0xdb8)
        || first == 0x100
        || (first == 0x64 && second == 0xff9b && segments.get(2) == Some(&1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_inside_are_refused() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::127.0.0.1",
            "ff02::1",
            "fec0::1",
            "64:ff9b:1::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "172.32.0.1"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn a_url_with_an_inner_address_is_refused_in_every_spelling() {
        let guard = EgressPolicy { allows_private: false };
        for url in
            ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/", "http://[::ffff:7f00:1]/"]
        {
            assert!(guard.check(&url.parse().unwrap()).is_err(), "{url}");
        }
        assert!(guard.check(&"http://8.8.8.8/".parse().unwrap()).is_ok());
        assert!(EgressPolicy { allows_private: true }.check(&"http://127.0.0.1/".parse().unwrap()).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused() {
        let refused = EgressPolicy { allows_private: false }.resolve("localhost", 80).await.unwrap_err();
        assert!(refused.to_string().contains("not a public address"), "{refused}");
        assert!(!EgressPolicy { allows_private: true }.resolve("localhost", 80).await.unwrap().is_empty());
    }
}
