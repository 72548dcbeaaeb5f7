//! Whether a request requires a fresh response.

use axum::{
    extract::Request,
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use datasource::{Freshness, freshness::with};

/// Bypasses caches for requests that require a fresh response (RFC 9111, 5.2.1 and 5.4).
pub(super) async fn layer(request: Request, next: Next) -> Response {
    if asks_for_fresh(request.headers()) {
        with(Freshness::All, next.run(request)).await
    } else {
        next.run(request).await
    }
}

/// Whether an API client requires it. Pages are excluded: they show live queries, and browsers send `max-age=0` or
/// `no-cache` at each reload, which must not cause requests to engines.
fn asks_for_fresh(headers: &HeaderMap) -> bool {
    let has = |name: header::HeaderName, words: &[&str]| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let given = values.flat_map(|value| value.split(','));
        // Without parameters: `text/html;q=0.9`.
        let mut bare = given.map(|one| one.split(';').next().unwrap_or_default().trim());
        bare.any(|one| words.iter().any(|word| one.eq_ignore_ascii_case(word)))
    };
    let is_document = has(header::ACCEPT, &["text/html"]);
    !is_document && (has(header::CACHE_CONTROL, &["no-cache", "no-store"]) || has(header::PRAGMA, &["no-cache"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_whether_it_wants_a_fresh_answer() {
        let asks = |given: &[(&'static str, &str)]| {
            let headers =
                given.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
            asks_for_fresh(&HeaderMap::from_iter(headers))
        };
        for fresh in [("cache-control", "no-cache"), ("cache-control", "private, No-Store"), ("pragma", "no-cache")] {
            assert!(asks(&[fresh]) && asks(&[fresh, ("accept", "application/json, */*;q=0.5")]), "{fresh:?}");
            assert!(!asks(&[fresh, ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")]), "{fresh:?}");
            assert!(!asks(&[fresh, ("accept", "application/json, text/html;q=0.5")]), "{fresh:?}");
        }
        for other in
            [("cache-control", "max-age=0"), ("cache-control", "max-age=60"), ("pragma", "x"), ("accept", "no-cache")]
        {
            assert!(!asks(&[other]), "{other:?}");
        }
    }
}
