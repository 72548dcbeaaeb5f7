//! Whether an engine knows the modifier `anchored`, and queries for one that does not.
//!
//! With it, `increase` gives whole numbers. Prometheus has it since version 3.8, behind the feature flag
//! `promql-extended-range-selectors`; other engines take it for an error of syntax.

use std::time::Duration;

use access::ScopedQuery;
use promql::Query;

use crate::learned::Learned;

/// What an engine is asked to find out: it reads no series.
pub(crate) const PROBE: &str = "increase(hyperscope_probe[1s] anchored)";
/// An engine may get another version or flag.
const LASTS: Duration = Duration::from_secs(600);
/// What could not be found out is asked again soon.
const GUESS_LASTS: Duration = Duration::from_secs(5);

/// What one engine knows. It is asked when a query first needs it, and again after a while.
#[derive(Default)]
pub(crate) struct Anchoring(Learned<bool>);

impl Anchoring {
    /// The query without the modifier, where it has it and the engine does not know it. `ask` tells whether the engine does; `None`
    /// if that cannot be known now.
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
            // An engine that cannot be reached answers neither form. All who wait go on with the guess.
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

    /// Whether the query goes out as it is written when the engine would say so, and whether it was asked.
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
