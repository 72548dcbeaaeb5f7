//! The cache of range queries: an engine is only asked for steps that are not known.

use std::sync::Arc;

use access::ScopedQuery;
use model::clock::now_ms;
use parking_lot::Mutex;
use query_frontend::{
    cache::{Ages, Cache, Extent, Key, Lookup, Settled},
    horizon,
};

use super::{Prometheus, Steps};
use crate::{
    EngineSettings, QueryError,
    answer::Ranged,
    freshness::{self, Freshness},
};

/// Lifetime of cached results, because samples in the past may be added or deleted too.
const MAX_AGE_MS: i64 = 3_600_000;
/// Lifetime of cached results that are likely to change, and of those with gaps.
const BRIEFLY_MS: i64 = 10_000;
/// Steps newer than this may change: Prometheus accepts out-of-order samples of an hour, and rules may run late.
pub const UNSETTLED_MS: i64 = 3_600_000;

/// The range query cache, shared by all engines.
pub(crate) type ResultCache = Arc<Mutex<Cache>>;

/// An empty cache for engines with these settings.
#[must_use]
pub(crate) fn result_cache(settings: &EngineSettings) -> ResultCache {
    Arc::new(Mutex::new(Cache::new(settings.cache_bytes, Ages { firm_ms: MAX_AGE_MS, brief_ms: BRIEFLY_MS })))
}

impl Prometheus {
    /// Evaluates only the steps of a range query that are not cached; `None` if the result cannot be cached.
    ///
    /// # Errors
    ///
    /// As [`Prometheus::range_frame`].
    pub async fn kept_range(&self, query: &ScopedQuery, steps: Steps) -> Result<Option<Ranged>, QueryError> {
        let Steps { start_ms, end_ms, step_ms } = steps;
        let aligned = step_ms > 0 && start_ms.rem_euclid(step_ms) == 0 && start_ms <= end_ms;
        if !aligned {
            return Ok(None);
        }
        let last_ms = end_ms.div_euclid(step_ms) * step_ms;
        // The engine itself rejects longer ranges.
        let too_long = usize::try_from((last_ms - start_ms) / step_ms)
            .map_or(true, |steps| steps >= self.limits.max_points_per_series);
        let Ok(parsed) = query.parsed() else { return Ok(None) };
        let now = now_ms();
        let until = |age_ms| horizon::settled_until(parsed, step_ms, now, age_ms);
        let unsettled_ms = self.fresh_ms.max(UNSETTLED_MS);
        let settled = until(self.fresh_ms).zip(until(unsettled_ms)).filter(|_| !too_long);
        let Some(settled) = settled.map(|(until_ms, firm_until_ms)| Settled { until_ms, firm_until_ms }) else {
            return Ok(None);
        };
        let key = Key {
            engine: self.transport.name().to_owned(),
            scope: query.scope().text().to_owned(),
            query: query.text().to_owned(),
            step_ms,
        };
        let lookup = match freshness::wanted() {
            Freshness::Any => self.cache.lock().look_up(&key, (start_ms, last_ms), now_ms()),
            _ => Lookup { known: Vec::new(), missing: vec![(start_ms, last_ms)] },
        };
        let mut extents = lookup.known;
        let mut warnings = Vec::new();
        for (start_ms, end_ms) in lookup.missing {
            let part = self.whole_range(query, Steps { start_ms, end_ms, step_ms }).await?;
            if part.has_histograms {
                return Ok(None);
            }
            let extent = Extent { start_ms, end_ms, series: part.series, infos: part.infos };
            // A warning may mean that a part of the data is missing.
            if part.warnings.is_empty() {
                self.cache.lock().keep(&key, &extent, settled, now_ms());
            }
            warnings.extend(part.warnings);
            extents.push(extent);
        }
        let (series, infos) = if extents.len() == 1 {
            extents.pop().map(|extent| (extent.series, extent.infos)).unwrap_or_default()
        } else {
            extents.sort_by_key(|extent| extent.start_ms);
            let whole = Extent::join(start_ms, last_ms, extents);
            (whole.series, whole.infos)
        };
        Ok(Some(Ranged { series, has_histograms: false, warnings, infos }))
    }
}
