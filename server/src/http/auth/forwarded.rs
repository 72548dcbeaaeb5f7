//! Headers of proxies about the original request: `X-Forwarded-*`, and `Forwarded` (RFC 7239).

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header::FORWARDED, request::Parts};

use super::client;
use crate::config::Network;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_HOST: &str = "x-forwarded-host";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED_PREFIX: &str = "x-forwarded-prefix";

/// The addresses in `X-Forwarded-For`, the nearest first. `None` stands for an entry that is not an address.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(address).collect::<Vec<_>>()).collect()
}

/// The addresses in `Forwarded`, the nearest first. `None` stands for `unknown`, for an obfuscated identifier, and for an invalid entry. Empty if the
/// header has no parameter `for`.
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

/// The hosts of the original request in `X-Forwarded-Host` and `Forwarded`.
pub(super) fn hosts(headers: &HeaderMap) -> Vec<String> {
    let named = list(headers, FORWARDED_HOST).map(str::to_owned);
    named.chain(parameters(headers, "host")).collect()
}

/// How a trusted proxy was reached.
#[derive(Debug, Default)]
pub(crate) struct ProxySaid {
    /// The path prefix that proxies removed, without a trailing slash, if they sent one.
    pub(crate) prefix: Option<String>,
    /// Whether the browser used HTTPS.
    pub(crate) is_https: bool,
}

/// Reads the headers of the peer if it is a trusted proxy; else they are ignored.
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

/// The schemes of the original request in `X-Forwarded-Proto` and `Forwarded`, the outermost proxy's first.
fn schemes(headers: &HeaderMap) -> Vec<String> {
    let named = list(headers, FORWARDED_PROTO).map(str::to_owned);
    named.chain(parameters(headers, "proto")).collect()
}

/// The path prefixes that proxies removed, the outermost first, in Traefik's `X-Forwarded-Prefix`.
fn prefixes(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    list(headers, FORWARDED_PREFIX)
}

/// The entries of a list header, from all its lines.
fn list<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty())
}

/// The values of a parameter in all elements of `Forwarded`.
fn parameters(headers: &HeaderMap, name: &'static str) -> impl Iterator<Item = String> {
    let lines = headers.get_all(FORWARDED).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| split(line, ',')).filter_map(move |element| unquoted(parameter(element, name)?))
}

/// The raw value of a parameter of an element of `Forwarded`.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = split(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
    pairs.find(|(candidate, _)| candidate.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Splits `text` at each `separator` that is not inside quotes.
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

/// A token unchanged, or a quoted string without its quotes (RFC 9110, section 5.6.4); `None` if the quotes do not match.
fn unquoted(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else { return (!value.contains('"')).then(|| value.to_owned()) };
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.strip_suffix('"')?.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(text)
}

/// The address of a node: alone, with a port, or an IPv6 address in brackets.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let bare = || {
        let inner = match node.strip_prefix('[') {
            // The port may be obfuscated (`:_p`).
            Some(rest) => rest.split_once(']').filter(|(_, port)| port.is_empty() || port.starts_with(':'))?.0,
            None => node.split_once(':').filter(|(_, port)| !port.contains(':')).map_or(node, |(host, _)| host),
        };
        // The zone of a link-local address has a meaning only on the machine that wrote it.
        inner.split_once('%').map_or(inner, |(address, _)| address).parse::<IpAddr>().ok()
    };
    let plain = node.parse::<IpAddr>().ok().or_else(|| Some(node.parse::<SocketAddr>().ok()?.ip()));
    plain.or_else(bare).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_in_all_formats_of_proxies() {
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
    fn elements_of_forwarded_are_parsed() {
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
