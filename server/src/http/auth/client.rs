//! The client address of a request, for the audit log and for the limit on failed logins.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use access::ClientAddress;
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};

use super::{Auth, forwarded};
use crate::config::Network;

/// The peer of the connection or, behind trusted proxies, the nearest address that is not one of theirs. If `X-Forwarded-For` and `Forwarded`
/// contradict each other, the client may have written one of them, so the address is that of the peer.
pub(super) fn address_of(parts: &Parts, trusted: &[Network]) -> ClientAddress {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !peer.is_some_and(is_trusted) {
        return ClientAddress(peer);
    }
    let nearest = |hops: Vec<Option<IpAddr>>| {
        let mut nearest = hops.first().copied()?;
        for hop in hops.into_iter().map_while(|hop| hop) {
            nearest = Some(hop);
            if !is_trusted(hop) {
                break;
            }
        }
        Some(nearest)
    };
    let said = [forwarded::x_forwarded_for(&parts.headers), forwarded::forwarded(&parts.headers)].map(nearest);
    match said {
        [Some(one), Some(other)] if one != other => ClientAddress(peer),
        [one, other] => ClientAddress(one.or(other).flatten().or(peer)),
    }
}

/// The hosts in the original request, if it comes from a trusted proxy that names them.
pub(super) fn forwarded_hosts(parts: &Parts, trusted: &[Network]) -> impl Iterator<Item = String> {
    let hosts = if is_from_proxy(parts, trusted) { forwarded::hosts(&parts.headers) } else { Vec::new() };
    hosts.into_iter()
}

/// Whether the peer of the connection is a trusted proxy.
pub(super) fn is_from_proxy(parts: &Parts, trusted: &[Network]) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(peer)))
}

impl FromRequestParts<Auth> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self, Infallible> {
        Ok(address_of(parts, &auth.shared.options.trusted_proxies))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn client(peer: &str, forwarded: &[(&str, &str)], trusted: &[&str]) -> String {
        let mut request = Request::new(());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        for (name, line) in forwarded {
            let name: axum::http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, line.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        address_of(&request.into_parts().0, &trusted).to_string()
    }

    #[test]
    fn forwarded_addresses_are_used_only_from_a_trusted_proxy() {
        for name in ["x-forwarded-for", "forwarded"] {
            let line = |addresses: &[&str]| match name {
                "forwarded" => addresses.iter().map(|address| format!("for=\"{address}\"")).collect::<Vec<_>>(),
                _ => addresses.iter().map(ToString::to_string).collect(),
            };
            let behind = |peer: &str, lines: &[&[&str]], trusted: &[&str]| {
                let lines: Vec<String> = lines.iter().map(|addresses| line(addresses).join(", ")).collect();
                let headers: Vec<(&str, &str)> = lines.iter().map(|line| (name, line.as_str())).collect();
                client(peer, &headers, trusted)
            };
            let ours = ["10.0.0.0/8"];
            assert_eq!(behind("10.0.0.1", &[&["1.2.3.4"]], &[]), "10.0.0.1");
            assert_eq!(behind("10.0.0.1", &[&["1.2.3.4"]], &ours), "1.2.3.4");
            assert_eq!(behind("10.0.0.1", &[&["1.2.3.4:40001"]], &ours), "1.2.3.4");
            assert_eq!(behind("10.0.0.1", &[&["[2001:db8::7]:443"]], &ours), "2001:db8::7");
            assert_eq!(behind("10.0.0.1", &[&["6.6.6.6", "1.2.3.4"]], &ours), "1.2.3.4");
            assert_eq!(behind("10.0.0.1", &[&["6.6.6.6"], &["1.2.3.4", "10.0.0.2:80"]], &ours), "1.2.3.4");
            assert_eq!(behind("10.0.0.1", &[&["nonsense"]], &ours), "10.0.0.1");
            assert_eq!(behind("10.0.0.1", &[&["1.2.3.4", "_hidden", "10.0.0.2"]], &ours), "10.0.0.2");
            assert_eq!(behind("::ffff:10.0.0.1", &[&["::1"]], &["10.0.0.1"]), "::1");
        }
    }

    #[test]
    fn contradicting_headers_give_the_address_of_the_peer() {
        let ours = ["10.0.0.0/8"];
        let both = |one, other| client("10.0.0.1", &[("x-forwarded-for", one), ("forwarded", other)], &ours);
        assert_eq!(both("1.2.3.4", "for=1.2.3.4"), "1.2.3.4");
        assert_eq!(both("1.2.3.4", "for=6.6.6.6"), "10.0.0.1");
        assert_eq!(both("1.2.3.4", "for=_hidden"), "10.0.0.1");
        assert_eq!(both("1.2.3.4", "proto=https"), "1.2.3.4");
    }
}
