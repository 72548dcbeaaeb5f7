//! What proxies say of the request that they pass on: `X-Forwarded-*`, and `Forwarded` (RFC 7239).

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header::FORWARDED, request::Parts};

use super::client;
use crate::config::Network;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_HOST: &str = "x-forwarded-host";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED_PREFIX: &str = "x-forwarded-prefix";

/// The addresses that `X-Forwarded-For` names, the nearest first; `None` stands for what is no address.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(address).collect::<Vec<_>>()).collect()
}

/// The addresses that `Forwarded` names, the nearest first; `None` stands for `unknown`, for an obfuscated identifier, and for
/// what cannot be read. Empty if the header names no client at all.
pub(super) fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED).iter().rev();
    let elements = lines.flat_map(|line| {
        let elements = split(line.to_str().unwrap_or_default(), ',');
        elements.into_iter().rev().map(|element| parameter(element, "for")).collect::<Vec<_>>()
    });
    let nodes: Vec<Option<&str>> = elements.collect();
    if nodes.iter().all(Option::is_none) {
        return Vec::new();
    }
    nodes.into_iter().map(|node| address(&unquoted(node?)?)).collect()
}

/// The hosts that were asked for, as `X-Forwarded-Host` and `Forwarded` say.
pub(super) fn hosts(headers: &HeaderMap) -> Vec<String> {
    let named = list(headers, FORWARDED_HOST).map(str::to_owned);
    named.chain(parameters(headers, "host")).collect()
}

/// What a proxy said of how it was reached.
#[derive(Debug, Default)]
pub(crate) struct ProxySaid {
    /// The path that was taken off, if it said one.
    pub(crate) prefix: Option<String>,
    /// The browser spoke HTTPS.
    pub(crate) is_https: bool,
}

/// What the peer said, if it is a proxy that is trusted.
pub(crate) fn proxy_says(parts: &Parts, trusted: &[Network]) -> ProxySaid {
    if !client::is_from_proxy(parts, trusted) {
        return ProxySaid::default();
    }
    let prefix: String = prefixes(&parts.headers).map(|prefix| prefix.trim_end_matches('/')).collect();
    ProxySaid {
        prefix: Some(prefix).filter(|prefix| !prefix.is_empty()),
        is_https: schemes(&parts.headers).first().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
    }
}

/// The schemes by which was asked, as `X-Forwarded-Proto` and `Forwarded` say; the outermost proxy's first.
fn schemes(headers: &HeaderMap) -> Vec<String> {
    let named = list(headers, FORWARDED_PROTO).map(str::to_owned);
    named.chain(parameters(headers, "proto")).collect()
}

/// The parts of the path that proxies took away, the outermost first, as Traefik's `X-Forwarded-Prefix` says.
fn prefixes(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    list(headers, FORWARDED_PREFIX)
}

/// The entries of a header that is a list, over all its lines.
fn list<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty())
}

/// The values of a parameter over all elements of `Forwarded`.
fn parameters(headers: &HeaderMap, name: &'static str) -> impl Iterator<Item = String> {
    let lines = headers.get_all(FORWARDED).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| split(line, ',')).filter_map(move |element| unquoted(parameter(element, name)?))
}

/// A parameter of an element of `Forwarded`, as it stands there.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = split(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
    pairs.find(|(candidate, _)| candidate.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The parts of `text` between `separator`s that are not within quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let is_between = move |character: char| {
        let is_literal = std::mem::take(&mut escaped);
        match character {
            '\\' if quoted && !is_literal => escaped = true,
            '"' if !is_literal => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    };
    text.split(is_between).collect()
}

/// A token as it is, a quoted string without its quotes (RFC 9110, section 5.6.4); `None` where the quotes do not match.
fn unquoted(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else { return (!value.contains('"')).then(|| value.to_owned()) };
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.strip_suffix('"')?.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(text)
}

/// The address of a node: alone, with a port, or of version 6 in brackets.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let bare = || {
        let inner = match node.strip_prefix('[') {
            // A port that is hidden (`:_p`) is one too.
            Some(rest) => rest.split_once(']').filter(|(_, port)| port.is_empty() || port.starts_with(':'))?.0,
            None => node.split_once(':').filter(|(_, port)| !port.contains(':')).map_or(node, |(host, _)| host),
        };
        // The zone of a link-local address is this machine's matter.
        inner.split_once('%').map_or(inner, |(address, _)| address).parse::<IpAddr>().ok()
    };
    let plain = node.parse::<IpAddr>().ok().or_else(|| Some(node.parse::<SocketAddr>().ok()?.ip()));
    plain.or_else(bare).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form_that_proxies_write() {
        for (node, expected) in [
            ("203.0.113.9", Some("203.0.113.9")),
            (" 203.0.113.9:40001 ", Some("203.0.113.9")),
            ("203.0.113.9:_port", Some("203.0.113.9")),
            ("2001:db8::7", Some("2001:db8::7")),
            ("[2001:db8::7]", Some("2001:db8::7")),
            ("[2001:db8::7]:443", Some("2001:db8::7")),
            ("[2001:db8::7]:_hidden", Some("2001:db8::7")),
            ("[fe80::1%eth0]:443", Some("fe80::1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("::ffff:203.0.113.9", Some("203.0.113.9")),
            ("[::ffff:203.0.113.9]:1", Some("203.0.113.9")),
            ("unknown", None),
            ("_secret", None),
            ("[2001:db8::7", None),
            ("[2001:db8::7]443", None),
            ("203.0.113.9.1", None),
            ("", None),
        ] {
            assert_eq!(address(node), expected.map(|text| text.parse().unwrap()), "{node:?}");
        }
    }

    #[test]
    fn elements_of_forwarded_are_told_apart() {
        let read = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (FORWARDED, line.parse().unwrap()));
            let nodes = forwarded(&lines.collect());
            nodes.iter().map(|node| node.map_or("-".into(), |node| node.to_string())).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(read(&["for=192.0.2.60;proto=http;by=203.0.113.43"]), "192.0.2.60");
        assert_eq!(read(&[r#"For="[2001:db8:cafe::17]:4711""#]), "2001:db8:cafe::17");
        assert_eq!(read(&["for=192.0.2.43, for=198.51.100.17"]), "198.51.100.17 192.0.2.43");
        assert_eq!(read(&["for=192.0.2.43", "proto=https; for=198.51.100.17"]), "198.51.100.17 192.0.2.43");
        assert_eq!(read(&["for=_gazonk, for=unknown,for=\"_a,b;for=1.2.3.4\""]), "- - -");
        assert_eq!(read(&[r#"host="a,b\",c";for=192.0.2.43"#]), "192.0.2.43");
        assert_eq!(read(&["proto=https", "for=\"192.0.2.43", "for=\"192.0.2\\.43:1\""]), "192.0.2.43 - -");
        assert_eq!(read(&["", "proto=https"]), "");
        assert_eq!(read(&[]), "");
    }

    #[test]
    fn lines_of_x_forwarded_for_are_one_list() {
        let lines = ["203.0.113.9:40001, [2001:db8::7]:443", "unknown,10.0.0.1"];
        let headers = lines.iter().map(|line| (FORWARDED_FOR.parse().unwrap(), line.parse().unwrap())).collect();
        let nodes: Vec<String> =
            x_forwarded_for(&headers).iter().map(|node| node.map_or("-".into(), |node| node.to_string())).collect();
        assert_eq!(nodes.join(" "), "10.0.0.1 - 2001:db8::7 203.0.113.9");
    }
}
