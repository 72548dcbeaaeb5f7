//! Since when a remote engine has data that a query reads.
//!
//! Prometheus' API cannot tell, so we use PromQL: we check whether there is data at the start of the window, which
//! reads five minutes, and only otherwise search for the first data. All viewers share the result. If an engine does
//! not respond in time, or its response may be incomplete, the result is unknown.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use access::{Scope, ScopedQuery};
use embedded_engine::coverage::{TARGET, Window, remark, windows};
use futures_util::future::{BoxFuture, join_all};
use labels::{METRIC_NAME, MatchOp, Matcher};
use model::frame::Series;
use parking_lot::Mutex;
use promql::Query;
use tokio::sync::{OnceCell, Semaphore};

use crate::prometheus::Steps;

/// Placeholder for the selector.
const PLACE: &str = "x";
/// Lifetime of a known result, ...
const FOUND_LASTS: Duration = Duration::from_secs(600);
/// ... and of an unknown one.
const UNKNOWN_LASTS: Duration = Duration::from_secs(60);
/// A result is shared by windows that end within this fraction of their length, limited to between one and ten minutes.
const SHARED_PART: i64 = 20;
const SHARED_MS: (i64, i64) = (60_000, 600_000);
/// Number of steps into which a window is divided to search for its first sample, ...
const STEPS: i64 = 24;
/// ... and the precision of the search, as a fraction of the window, but at least 15 s.
const PRECISION: i64 = 200;
const LEAST_STEP_MS: i64 = 15_000;
/// Timeout of the requests for one selector, because a page waits for them.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum number of selectors per query.
const MOST_SELECTORS: usize = 8;
/// Maximum number of cached results.
const MOST_CACHED: usize = 1_024;
/// Maximum number of concurrent requests of this kind per engine.
const AT_A_TIME: usize = 2;

/// Evaluates a query at these steps on an engine; `None` if it fails, or only returns a part.
type Ask<'a> = &'a (dyn Fn(ScopedQuery, Steps) -> BoxFuture<'a, Option<Vec<Series>>> + Sync);

/// Since when one engine has data, by selector and window.
pub(crate) struct EngineCoverage {
    cached: Mutex<HashMap<Asked, Cached>>,
    gate: Semaphore,
}

/// Cache key: a selector, the length of its window, and the approximate end of the window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    selector: String,
    length_ms: i64,
    around: i64,
}

struct Cached {
    at: Instant,
    /// Time of the first data, in milliseconds since the Unix epoch; `None` if unknown.
    begin_ms: Arc<OnceCell<Option<i64>>>,
}

impl Cached {
    fn holds(&self, now: Instant) -> bool {
        let lasts = if matches!(self.begin_ms.get(), Some(None)) { UNKNOWN_LASTS } else { FOUND_LASTS };
        now.duration_since(self.at) < lasts
    }
}

impl Default for EngineCoverage {
    fn default() -> Self {
        EngineCoverage { cached: Mutex::default(), gate: Semaphore::new(AT_A_TIME) }
    }
}

impl EngineCoverage {
    /// A remark if the time range that `query` reads for its value at `end_ms` is longer than the engine's data.
    pub(crate) async fn remark(&self, query: &ScopedQuery, end_ms: i64, ask: Ask<'_>) -> Option<String> {
        let mut windows = windows(query.parsed().ok()?, end_ms);
        windows.truncate(MOST_SELECTORS);
        let begins = join_all(windows.iter().map(|window| self.begin_ms(window, ask))).await;
        remark(windows.iter().zip(begins).filter_map(|(window, begin_ms)| Some((window, begin_ms?))))
    }

    async fn begin_ms(&self, window: &Window, ask: Ask<'_>) -> Option<i64> {
        let length_ms = window.length_ms();
        let (least_ms, most_ms) = SHARED_MS;
        let around = window.end_ms().div_euclid((length_ms / SHARED_PART).clamp(least_ms, most_ms));
        let asked = Asked { selector: about(window, PLACE)?.text().to_owned(), length_ms, around };
        let cell = self.cell(asked, Instant::now());
        let find = async {
            let found = async {
                let _permit = self.gate.acquire().await.ok()?;
                find(window, ask).await
            };
            tokio::time::timeout(PATIENCE, found).await.ok().flatten()
        };
        *cell.get_or_init(|| find).await
    }

    fn cell(&self, asked: Asked, now: Instant) -> Arc<OnceCell<Option<i64>>> {
        let mut cached = self.cached.lock();
        if let Some(known) = cached.get(&asked).filter(|known| known.holds(now)) {
            return Arc::clone(&known.begin_ms);
        }
        if cached.len() >= MOST_CACHED {
            cached.retain(|_, known| known.holds(now));
            let oldest = cached.iter().min_by_key(|(_, known)| known.at).map(|(asked, _)| asked.clone());
            if let Some(oldest) = oldest.filter(|_| cached.len() >= MOST_CACHED) {
                cached.remove(&oldest);
            }
        }
        let begin_ms = Arc::<OnceCell<Option<i64>>>::default();
        cached.insert(asked, Cached { at: now, begin_ms: Arc::clone(&begin_ms) });
        begin_ms
    }
}

/// Finds since when there is data in a window: checks its start, then evaluates at a few times, then bisects. Each of
/// these queries reads a few minutes of samples; one query with many steps would take as long as many queries.
async fn find(window: &Window, ask: Ask<'_>) -> Option<i64> {
    let (start_ms, end_ms) = (window.start_ms(), window.end_ms());
    let at = |time_ms| Steps { start_ms: time_ms, end_ms: time_ms, step_ms: 0 };
    // A sample counts for the lookback delta of the engine.
    let first_ms = start_ms.saturating_add(promql::Options::default().look_back_ms).min(end_ms);
    if !ask(about(window, &format!("count({PLACE})"))?, at(first_ms)).await?.is_empty() {
        return Some(start_ms);
    }
    // A series that appeared late counts as covered since its target was, as for our own store.
    let (target, seconds) = (TARGET.join(", "), end_ms.div_euclid(1000));
    let watched = format!("count({PLACE}) or count(up and on ({target}) group by ({target}) ({PLACE} @ {seconds}))");
    let watched = about(window, &watched)?;
    let length_ms = end_ms.saturating_sub(first_ms);
    let step_ms = (length_ms / STEPS).max(LEAST_STEP_MS);
    let coarse = ask(watched.clone(), Steps { start_ms: first_ms, end_ms, step_ms }).await?;
    let mut until_ms = coarse.iter().filter_map(|series| series.timestamps.first().copied()).min()?;
    if until_ms <= first_ms {
        return Some(start_ms);
    }
    let mut since_ms = until_ms.saturating_sub(step_ms).max(first_ms);
    while until_ms.saturating_sub(since_ms) > (length_ms / PRECISION).max(LEAST_STEP_MS) {
        let middle_ms = since_ms.midpoint(until_ms);
        let is_empty = ask(watched.clone(), at(middle_ms)).await?.is_empty();
        if is_empty { since_ms = middle_ms } else { until_ms = middle_ms }
    }
    Some(since_ms.midpoint(until_ms))
}

/// A query about what the window's selector matches; `expr` has a placeholder for it. The selector already has the
/// matchers of the viewer's scope. Of the targets' `up` the query only reveals since when it exists, and only for
/// targets of the selected series.
fn about(window: &Window, expr: &str) -> Option<ScopedQuery> {
    let is_place = |matcher: &Matcher| {
        matcher.name == METRIC_NAME && matches!(&matcher.op, MatchOp::Equal(name) if &**name == PLACE)
    };
    let query: Query = promql::parse(expr).ok()?.with_selectors(|matchers| {
        if matchers.iter().any(is_place) {
            *matchers = window.matchers().to_vec();
        }
    });
    Scope::all().query(&query.to_string()).ok()
}
