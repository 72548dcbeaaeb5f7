//! Where a request comes from, for audit lines and for the limit on wrong logins.

use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::request::Parts,
};

use super::Auth;
use crate::config::Network;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address a request comes from; unknown where connections have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// The peer of the connection or, behind a proxy that is trusted, the last address that no trusted proxy added.
    pub(super) fn of(parts: &Parts, trusted: &[Network]) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        if !peer.is_some_and(is_trusted) {
            return ClientAddress(peer);
        }
        let lines = parts.headers.get_all(FORWARDED_FOR).iter().rev().filter_map(|line| line.to_str().ok());
        let hops = lines.flat_map(|line| line.rsplit(',')).map_while(|hop| hop.trim().parse::<IpAddr>().ok());
        let mut nearest = peer;
        for hop in hops {
            nearest = Some(hop.to_canonical());
            if !is_trusted(hop.to_canonical()) {
                break;
            }
        }
        ClientAddress(nearest)
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(formatter),
            None => formatter.write_str("unknown"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress
where
    Auth: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(ClientAddress::of(parts, &Auth::from_ref(state).shared.options.trusted_proxies))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut request = Request::new(());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        for line in forwarded {
            request.headers_mut().append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        ClientAddress::of(&request.into_parts().0, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("10.0.0.1", &["1.2.3.4"], &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "1.2.3.4, 10.0.0.2"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.2.3.4, nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", &["::1"], &["10.0.0.1"]), "::1");
    }
}
