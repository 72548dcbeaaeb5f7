//! Finds out which of a metric's aliases a source has, and rewrites queries to use them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use access::ScopedQuery;
use query_frontend::aliases::Aliases;

use crate::learned::Learned;

/// How recent a sample must be, so that the source counts as having the series.
pub(crate) const LOOK_BACK_MS: i64 = 6 * 3_600_000;
/// Lifetime of an empty result.
const EMPTY_LASTS: Duration = Duration::from_secs(5);

/// The aliases that one source has. Queried when a query first needs them, and again after a while.
pub(crate) struct SourceNames {
    aliases: Arc<Aliases>,
    lasts: Duration,
    has: Learned<Arc<BTreeSet<String>>>,
}

impl SourceNames {
    /// `lasts` is the lifetime of a result.
    pub(crate) fn new(aliases: Arc<Aliases>, lasts: Duration) -> Self {
        SourceNames { aliases, lasts, has: Learned::default() }
    }

    /// An empty result is only cached briefly, because the source may be about to get its first samples.
    fn lasts(&self, has: &BTreeSet<String>) -> Duration {
        if has.is_empty() { self.lasts.min(EMPTY_LASTS) } else { self.lasts }
    }

    /// The query with the metric names that the source has, if they differ. `ask` returns which of the given names the
    /// source has; `None` if that is unknown.
    pub(crate) async fn as_sent(
        &self,
        query: &ScopedQuery,
        ask: impl AsyncFnOnce(&[&str]) -> Option<BTreeSet<String>>,
    ) -> Option<ScopedQuery> {
        if !query.parsed().is_ok_and(|query| self.aliases.concern(query)) {
            return None;
        }
        let ask = async { ask(&self.aliases.names()).await.map(Arc::new) };
        let settle = |answer: Option<_>, before: Option<_>| {
            let has: Arc<BTreeSet<String>> = answer.or(before).unwrap_or_default();
            let lasts = self.lasts(&has);
            (has, lasts)
        };
        let has = self.has.get(ask, settle).await;
        query.renamed(|query| self.aliases.rewrite(query, &has))
    }
}
