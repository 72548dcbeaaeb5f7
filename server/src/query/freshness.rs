//! Whether an answer may come from what was kept of an earlier one.
//!
//! It is said by a request's headers, far above the caches that it concerns: what lies between passes nothing on. So it goes with the
//! task that answers the request.

use std::time::Instant;

use axum::{
    extract::Request,
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};

/// What must be asked of an engine anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// Nothing.
    Any,
    /// Results of queries.
    Results,
    /// Results, and what is known of the engine: which names it has.
    All,
}

tokio::task_local! {
    static WANTED: (Freshness, Instant);
}

/// How fresh the current task's answer has to be.
pub(crate) fn wanted() -> Freshness {
    WANTED.try_with(|(wanted, _)| *wanted).unwrap_or(Freshness::Any)
}

/// Since when the current task's answer is wanted, where nothing that was asked of an engine before is fresh enough.
pub(crate) fn since() -> Option<Instant> {
    WANTED.try_with(|(wanted, since)| (*wanted > Freshness::Any).then_some(*since)).ok().flatten()
}

/// Whether what was asked of an engine `at` a time is fresh enough to count as known.
pub(crate) fn is_known(at: Instant) -> bool {
    WANTED.try_with(|(wanted, since)| *wanted < Freshness::All || at >= *since).unwrap_or(true)
}

/// Does something whose answer has to be so fresh.
pub async fn with<T>(freshness: Freshness, act: impl Future<Output = T>) -> T {
    WANTED.scope((freshness, Instant::now()), act).await
}

/// Gives a request that asks for a fresh answer one (RFC 9111, 5.2.1 and 5.4).
pub async fn layer(request: Request, next: Next) -> Response {
    if asks_for_fresh(request.headers()) {
        with(Freshness::All, next.run(request)).await
    } else {
        next.run(request).await
    }
}

/// Whether a client of the API says so. A page is as fresh as the live queries that it shows, so that reloading it, which browsers do with
/// `max-age=0` or `no-cache`, asks an engine for nothing.
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
