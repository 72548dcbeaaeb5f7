//! Whether a browser asks on behalf of one of our own pages.

use std::net::IpAddr;

use axum::http::{Method, header, request::Parts};
use reqwest::Url;

use super::principal::{Carrier, Principal};

const FETCH_SITE: &str = "sec-fetch-site";

/// What a request says about the page that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// One of our pages.
    Ours,
    /// A page of elsewhere.
    Foreign,
    /// Nothing: a program, or a navigation of an older browser.
    Unsaid,
}

/// Whose page sent a request, by its `Origin`, or else by `Sec-Fetch-Site`.
pub(super) fn sender(parts: &Parts, public_url: Option<&Url>) -> Sender {
    let header =
        |name| parts.headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or_default());
    if let Some(origin) = header(header::ORIGIN.as_str()) {
        // What a browser writes for a form of a page with `Referrer-Policy: no-referrer`, which all of ours have. A page of
        // elsewhere can be `null` too, and never `same-origin`.
        if origin == "null" && header(FETCH_SITE) == Some("same-origin") {
            return Sender::Ours;
        }
        return if is_ours(origin, parts, public_url) { Sender::Ours } else { Sender::Foreign };
    }
    match header(FETCH_SITE) {
        Some("same-origin" | "none") => Sender::Ours,
        Some(_) => Sender::Foreign,
        None => Sender::Unsaid,
    }
}

/// Whether a request may change something: what a browser sends by itself only counts when it comes from our own page.
pub(super) fn may_change(parts: &Parts, principal: &Principal, public_url: Option<&Url>) -> bool {
    let is_reading = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    match (principal.carrier(), sender(parts, public_url)) {
        _ if is_reading => true,
        (Carrier::Header, _) | (_, Sender::Ours) => true,
        // Every browser of today says where it comes from when it changes something; programs have no reason to.
        (Carrier::None, Sender::Unsaid) => true,
        _ => false,
    }
}

/// Whether a request names the machine that a server on loopback runs on, or its public URL.
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

/// Host and port as the request names them.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(header::HOST)?.to_str().ok(),
    }
}

fn is_ours(origin: &str, parts: &Parts, public_url: Option<&Url>) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    if public_url.is_some_and(|public| public.origin() == origin.origin()) {
        return true;
    }
    let Some(host) = host(parts) else { return false };
    // The scheme is the origin's own: behind a proxy we do not know by which one it was reached.
    let Ok(named) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    origin.origin().is_tuple() && matches!(origin.scheme(), "http" | "https") && named.origin() == origin.origin()
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

    #[test]
    fn an_origin_is_ours_by_host_and_port() {
        for (host, origin, expected) in [
            ("h:3030", "http://h:3030", Sender::Ours),
            ("H:3030", "https://h:3030", Sender::Ours),
            ("h", "https://h", Sender::Ours),
            ("h:443", "https://h", Sender::Ours),
            ("[::1]:1", "http://[::1]:1", Sender::Ours),
            ("h:3030", "http://h:3031", Sender::Foreign),
            ("h:3030", "http://h", Sender::Foreign),
            ("h", "http://h.evil.example", Sender::Foreign),
            ("h", "null", Sender::Foreign),
            ("h", "", Sender::Foreign),
            ("h", "file://h", Sender::Foreign),
            ("h", "http://h@evil.example", Sender::Foreign),
        ] {
            assert_eq!(sender(&parts(&[("host", host), ("origin", origin)]), None), expected, "{host} {origin}");
        }
        let public = Url::parse("https://scope.example.org/x").unwrap();
        let asked = parts(&[("host", "internal:1"), ("origin", "https://scope.example.org")]);
        assert_eq!(sender(&asked, Some(&public)), Sender::Ours);
        assert_eq!(sender(&asked, None), Sender::Foreign);
    }

    #[test]
    fn without_an_origin_the_fetch_metadata_decides() {
        assert_eq!(sender(&parts(&[("host", "h"), ("sec-fetch-site", "same-origin")]), None), Sender::Ours);
        assert_eq!(sender(&parts(&[("host", "h"), ("sec-fetch-site", "same-site")]), None), Sender::Foreign);
        assert_eq!(sender(&parts(&[("host", "h")]), None), Sender::Unsaid);
    }

    #[test]
    fn a_form_that_hides_its_origin_is_ours_if_the_browser_says_so() {
        let form = |site| parts(&[("host", "h"), ("origin", "null"), ("sec-fetch-site", site)]);
        assert_eq!(sender(&form("same-origin"), None), Sender::Ours);
        assert_eq!(sender(&form("cross-site"), None), Sender::Foreign);
        assert_eq!(sender(&form("none"), None), Sender::Foreign);
    }

    #[test]
    fn loopback_is_named_by_itself_only() {
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
