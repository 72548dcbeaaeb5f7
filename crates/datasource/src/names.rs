//! Which of the names of the same series a source has, and queries with those.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use access::ScopedQuery;
use query_frontend::aliases::Aliases;

use crate::learned::Learned;

/// How far back a series counts as one that the source has.
pub(crate) const LOOK_BACK_MS: i64 = 6 * 3_600_000;
/// How long it counts that a source has none of the names.
const EMPTY_LASTS: Duration = Duration::from_secs(5);

/// The names that one source has. What it has is asked for when a query first needs it, and again after a while.
pub(crate) struct SourceNames {
    aliases: Arc<Aliases>,
    lasts: Duration,
    has: Learned<Arc<BTreeSet<String>>>,
}

impl SourceNames {
    /// Nothing is known yet; what is asked for counts for so long.
    pub(crate) fn new(aliases: Arc<Aliases>, lasts: Duration) -> Self {
        SourceNames { aliases, lasts, has: Learned::default() }
    }

    /// That a source has nothing counts only for a moment: it may be about to have its first samples.
    fn lasts(&self, has: &BTreeSet<String>) -> Duration {
        if has.is_empty() { self.lasts.min(EMPTY_LASTS) } else { self.lasts }
    }

    /// The query with the names that the source has, where these differ. `ask` tells which of the names it is given the source
    /// has; `None` if that cannot be known now.
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
