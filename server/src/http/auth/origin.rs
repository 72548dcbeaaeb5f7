//! Checks whether one of our own pages sent a request.

use std::net::IpAddr;

use access::{Carrier, Principal};
use axum::http::{Method, header, request::Parts};
use reqwest::Url;

use super::{AuthOptions, client};

/// Header with the relation between the sending site and this one (Fetch Metadata).
pub(super) const FETCH_SITE: &str = "sec-fetch-site";

/// The page that sent a request, according to the request's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendingPage {
    /// One of our pages.
    Ours,
    /// A page of another site.
    Foreign,
    /// A page that hides its origin: `Origin: null` without Fetch Metadata.
    Hidden,
    /// Unknown: sent by a program or an old browser.
    Unsaid,
}

/// The page that sent a request, by its `Origin`, else by `Sec-Fetch-Site`, which browsers send only over HTTPS and to loopback, else by its `Referer`. A page
/// of another site cannot make its browser send an origin of ours in these headers.
///
/// Our origin is the host in the request, so that forms work under every name of this server. A page of another site whose DNS name points to this machine
/// (DNS rebinding) is accepted too. For the browser it is another host, for which it has no cookie of ours.
pub(super) fn sending_page(parts: &Parts, options: &AuthOptions) -> SendingPage {
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let by_origin =
        |origin: &str| if is_ours(origin, parts, options) { SendingPage::Ours } else { SendingPage::Foreign };
    match (header(header::ORIGIN.as_str()), header(FETCH_SITE)) {
        // The browser's answer is right, whatever host a proxy sends. A page of another site is never `same-origin`.
        (Some(_), Some("same-origin")) => SendingPage::Ours,
        (Some("null"), None) => SendingPage::Hidden,
        (Some(origin), _) => by_origin(origin),
        (None, Some("same-origin" | "none")) => SendingPage::Ours,
        (None, Some(_)) => SendingPage::Foreign,
        (None, None) => header(header::REFERER.as_str()).map_or(SendingPage::Unsaid, by_origin),
    }
}

/// Whether a request with this method only reads.
pub(super) fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether the principal itself requests a change. Credentials that a browser sends by itself count only if our own page sent the request.
/// `has_form_token` says whether the form has the form token of the session.
pub(super) fn may_change(principal: &Principal, sender: SendingPage, has_form_token: bool) -> bool {
    match (principal.carrier(), sender) {
        (Carrier::Header, _) | (_, SendingPage::Ours) => true,
        // All current browsers send one of these headers with a change; programs do not.
        (Carrier::None, SendingPage::Unsaid) => true,
        (Carrier::Cookie, SendingPage::Hidden | SendingPage::Unsaid) => has_form_token,
        _ => false,
    }
}

/// Whether the host in a request is a loopback name, or that of the public URL.
pub(super) fn names_this_machine(parts: &Parts, public_url: Option<&Url>) -> bool {
    let Some(host) = host(parts) else { return false };
    let Ok(url) = Url::parse(&format!("http://{host}")) else { return false };
    let Some(name) = url.host_str() else { return false };
    let is_loopback = |name: &str| {
        name == "localhost"
            || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    is_loopback(name) || public_url.is_some_and(|public| public.host_str() == Some(name))
}

/// Host and port in the request.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(header::HOST)?.to_str().ok(),
    }
}

/// Whether `url` is an origin or a page of this server.
fn is_ours(url: &str, parts: &Parts, options: &AuthOptions) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    if options.public_url.as_ref().is_some_and(|public| public.origin() == url.origin()) {
        return true;
    }
    // The scheme is that of the origin, because behind a proxy the scheme of the original request is unknown.
    let is_named = |host: &str| {
        Url::parse(&format!("{}://{host}", url.scheme())).is_ok_and(|named| named.origin() == url.origin())
    };
    let is_tuple = url.origin().is_tuple() && matches!(url.scheme(), "http" | "https");
    let is_host = || host(parts).is_some_and(is_named);
    is_tuple && (is_host() || client::forwarded_hosts(parts, &options.trusted_proxies).any(|host| is_named(&host)))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().insert(axum::http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        request.into_parts().0
    }

    /// The settings of a server that is started with these flags.
    fn options(flags: &[&str]) -> AuthOptions {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            options: crate::config::Options,
        }
        let flags = <Flags as clap::Parser>::parse_from(std::iter::once(&"hyperscope").chain(flags));
        AuthOptions::from(&crate::config::Config::resolve(flags.options, "/nonexistent".into()).unwrap())
    }

    fn sent(headers: &[(&str, &str)]) -> SendingPage {
        sending_page(&parts(headers), &options(&[]))
    }

    #[test]
    fn an_origin_is_ours_if_host_and_port_are_equal() {
        for (host, origin, expected) in [
            ("h:3030", "http://h:3030", SendingPage::Ours),
            ("H:3030", "https://h:3030", SendingPage::Ours),
            ("h", "https://h", SendingPage::Ours),
            ("h:443", "https://h", SendingPage::Ours),
            ("[::1]:1", "http://[::1]:1", SendingPage::Ours),
            ("h:3030", "http://h:3031", SendingPage::Foreign),
            ("h:3030", "http://h", SendingPage::Foreign),
            ("h", "http://h.evil.example", SendingPage::Foreign),
            ("h", "null", SendingPage::Hidden),
            ("h", "", SendingPage::Foreign),
            ("h", "file://h", SendingPage::Foreign),
            ("h", "http://h@evil.example", SendingPage::Foreign),
        ] {
            assert_eq!(sent(&[("host", host), ("origin", origin)]), expected, "{host} {origin}");
        }
        let asked = parts(&[("host", "internal:1"), ("origin", "https://scope.example.org")]);
        let public = options(&["--public-url", "https://scope.example.org/x"]);
        assert_eq!(sending_page(&asked, &public), SendingPage::Ours);
        assert_eq!(sending_page(&asked, &options(&[])), SendingPage::Foreign);
    }

    #[test]
    fn the_host_of_a_trusted_proxy_is_used() {
        for (name, value) in [
            ("x-forwarded-host", "scope.test:8080"),
            ("x-forwarded-host", "inner, scope.test:8080"),
            ("forwarded", "for=1.2.3.4;host=\"scope.test:8080\";proto=http"),
        ] {
            let mut asked = parts(&[("host", "127.0.0.1:3030"), ("origin", "http://scope.test:8080"), (name, value)]);
            let peer: std::net::SocketAddr = "10.0.0.1:1".parse().unwrap();
            asked.extensions.insert(axum::extract::ConnectInfo(peer));
            assert_eq!(
                sending_page(&asked, &options(&["--trusted-proxies", "10.0.0.0/8"])),
                SendingPage::Ours,
                "{name}"
            );
            assert_eq!(
                sending_page(&asked, &options(&["--trusted-proxies", "10.0.0.2"])),
                SendingPage::Foreign,
                "{name}"
            );
        }
    }

    #[test]
    fn without_an_origin_fetch_metadata_and_then_the_referer_decide() {
        assert_eq!(sent(&[("host", "h"), ("sec-fetch-site", "same-origin")]), SendingPage::Ours);
        assert_eq!(sent(&[("host", "h"), ("sec-fetch-site", "same-site")]), SendingPage::Foreign);
        assert_eq!(sent(&[("host", "h"), ("referer", "http://h/alerts?x=1")]), SendingPage::Ours);
        assert_eq!(sent(&[("host", "h"), ("referer", "http://evil.example/")]), SendingPage::Foreign);
        assert_eq!(
            sent(&[("host", "h"), ("referer", "http://h/"), ("sec-fetch-site", "cross-site")]),
            SendingPage::Foreign
        );
        assert_eq!(sent(&[("host", "h"), ("referer", "http://h/"), ("origin", "null")]), SendingPage::Hidden);
        assert_eq!(sent(&[("host", "h"), ("referer", "")]), SendingPage::Foreign);
        assert_eq!(sent(&[("host", "h")]), SendingPage::Unsaid);
    }

    #[test]
    fn a_form_without_an_origin_is_ours_if_fetch_metadata_says_so() {
        let form = |site| sent(&[("host", "h"), ("origin", "null"), ("sec-fetch-site", site)]);
        assert_eq!(form("same-origin"), SendingPage::Ours);
        assert_eq!(form("cross-site"), SendingPage::Foreign);
        assert_eq!(form("none"), SendingPage::Foreign);
        // The proxy sends another host.
        let named =
            |site| sent(&[("host", "127.0.0.1:3030"), ("origin", "https://scope.test"), ("sec-fetch-site", site)]);
        assert_eq!((named("same-origin"), named("same-site")), (SendingPage::Ours, SendingPage::Foreign));
    }

    #[test]
    fn only_loopback_names_name_this_machine() {
        for (host, expected) in [
            ("127.0.0.1:3030", true),
            ("localhost:3030", true),
            ("[::1]:3030", true),
            ("rebound.example", false),
            ("10.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(names_this_machine(&parts(&[("host", host)]), None), expected, "{host}");
        }
    }
}
