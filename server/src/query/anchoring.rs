//! Whether an engine knows the modifier `anchored`, and queries for one that does not.
//!
//! With it, `increase` gives whole numbers. Prometheus has it since version 3.8, behind the feature flag
//! `promql-extended-range-selectors`; other engines take it for an error of syntax.

use std::time::{Duration, Instant};

use promql::Query;
use tokio::sync::Mutex;

use super::{ScopedQuery, freshness};

/// What an engine is asked to find out: it reads no series.
pub(super) const PROBE: &str = "increase(hyperscope_probe[1s] anchored)";
/// An engine may get another version or flag.
const LASTS: Duration = Duration::from_secs(600);
/// What could not be found out is asked again soon.
const GUESS_LASTS: Duration = Duration::from_secs(5);

/// What one engine knows. It is asked when a query first needs it, and again after a while.
#[derive(Default)]
pub(super) struct Anchoring {
    /// Held while the engine is asked, so that one asks for all.
    known: Mutex<Option<(Instant, bool)>>,
}

impl Anchoring {
    /// The query without the modifier, where it has it and the engine does not know it. `ask` tells whether the engine does; `None`
    /// if that cannot be known now.
    pub(super) async fn as_sent(
        &self,
        query: &ScopedQuery,
        ask: impl AsyncFnOnce() -> Option<bool>,
    ) -> Option<ScopedQuery> {
        if !query.parsed().is_ok_and(Query::is_anchored) {
            return None;
        }
        let is_known = {
            let mut known = self.known.lock().await;
            match *known {
                Some((at, is_known)) if at.elapsed() < LASTS && freshness::is_known(at) => is_known,
                before => {
                    let asked_at = Instant::now();
                    match ask().await {
                        Some(is_known) => {
                            *known = Some((asked_at, is_known));
                            is_known
                        }
                        // An engine that cannot be reached answers neither form. All who wait go on with the guess.
                        None => {
                            let is_known = before.is_none_or(|(_, is_known)| is_known);
                            *known = asked_at.checked_sub(LASTS - GUESS_LASTS).map(|at| (at, is_known));
                            is_known
                        }
                    }
                }
            }
        };
        if is_known { None } else { query.renamed(Query::without_anchored) }
    }
}
