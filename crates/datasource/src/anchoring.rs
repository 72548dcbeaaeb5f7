//! Detects whether an engine supports the modifier `anchored`, and rewrites queries for engines that do not.
//!
//! With it, `increase` returns whole numbers. Prometheus supports it since version 3.8 behind the feature flag
//! `promql-extended-range-selectors`; other engines report a syntax error.

use std::time::Duration;

use access::ScopedQuery;
use promql::Query;

use crate::learned::Learned;

/// The query to detect it; it reads no series.
pub(crate) const PROBE: &str = "increase(hyperscope_probe[1s] anchored)";
/// Lifetime of the result: an engine may get another version or flag.
const LASTS: Duration = Duration::from_secs(600);
/// Retry delay if detection failed.
const GUESS_LASTS: Duration = Duration::from_secs(5);

/// Whether one engine supports the modifier. Detected when a query first needs it, and again after a while.
#[derive(Default)]
pub(crate) struct Anchoring(Learned<bool>);

impl Anchoring {
    /// The query without the modifier, if it has one and the engine does not support it. `ask` probes the engine;
    /// `None` if the probe failed.
    pub(crate) async fn as_sent(
        &self,
        query: &ScopedQuery,
        ask: impl AsyncFnOnce() -> Option<bool>,
    ) -> Option<ScopedQuery> {
        if !query.parsed().is_ok_and(Query::is_anchored) {
            return None;
        }
        let settle = |answer: Option<bool>, before: Option<bool>| match answer {
            Some(is_known) => (is_known, LASTS),
            // An unreachable engine will not answer the query either. All waiting queries use the last known result.
            None => (before.unwrap_or(true), GUESS_LASTS),
        };
        let is_known = self.0.get(ask(), settle).await;
        if is_known { None } else { query.renamed(Query::without_anchored) }
    }
}

#[cfg(test)]
mod tests {
    use access::Scope;

    use super::*;

    /// Whether the query is sent as written if the probe returns `says`, and whether the engine was probed.
    async fn sent(anchoring: &Anchoring, says: Option<bool>) -> (bool, bool) {
        let query = Scope::all().query("increase(a[1d] anchored)").unwrap();
        let mut was_asked = false;
        let plain = anchoring
            .as_sent(&query, async || {
                was_asked = true;
                says
            })
            .await;
        (plain.is_none(), was_asked)
    }

    #[tokio::test]
    async fn an_engine_that_did_not_know_it_is_asked_again() {
        let anchoring = Anchoring::default();
        assert_eq!(sent(&anchoring, Some(false)).await, (false, true));
        assert_eq!(sent(&anchoring, Some(true)).await, (false, false), "what it said lasts for a while");
        anchoring.0.grow_older(LASTS);
        assert_eq!(sent(&anchoring, None).await, (false, true), "it is away: what was known last is the guess");
        assert_eq!(sent(&anchoring, Some(true)).await, (false, false), "for all who ask just now");
        anchoring.0.grow_older(GUESS_LASTS);
        assert_eq!(sent(&anchoring, Some(true)).await, (true, true), "a guess lasts for seconds");
        anchoring.0.grow_older(LASTS);
        assert_eq!(sent(&anchoring, Some(false)).await, (false, true), "it got another version");
    }

    #[tokio::test]
    async fn of_an_engine_that_was_never_reached_the_best_is_guessed_for_a_moment() {
        let anchoring = Anchoring::default();
        assert_eq!(sent(&anchoring, None).await, (true, true));
        anchoring.0.grow_older(GUESS_LASTS);
        assert_eq!(sent(&anchoring, Some(false)).await, (false, true));
    }
}
