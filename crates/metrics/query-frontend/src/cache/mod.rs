//! The range query cache: results by step. A repeated query is assembled from cached steps, and only missing steps are
//! queried.
//!
//! Times are milliseconds since the Unix epoch. An [`Extent`] holds the points of the steps `start_ms..=end_ms`, all
//! multiples of the step. The cache stores settled steps in extents that do not overlap; the least recently used query
//! is evicted first. Steps that are likely to change, because they are recent or a series is missing, are only cached
//! briefly.

mod extent;

use std::collections::HashMap;

use model::frame::StepRange;

pub use self::extent::Extent;

/// Cache key. The query contains the matchers of the token; the scope is included anyway, so that isolation does not
/// depend on that alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Name of the engine.
    pub engine: String,
    /// Matchers of the scope; empty for all.
    pub scope: String,
    /// The query as sent to the engine.
    pub query: String,
    /// Distance between steps; more than 0.
    pub step_ms: i64,
}

/// Cached and missing parts of a range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lookup {
    /// Cached parts, in order.
    pub known: Vec<Extent>,
    /// Missing parts, in order.
    pub missing: Vec<StepRange>,
}

/// If a range has more gaps than this, they are queried as one.
const MOST_HOLES: usize = 3;
/// Memory of an entry besides its extents, in bytes.
const ENTRY_BYTES: usize = 256;

/// Lifetimes of cached results, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// Of settled steps without a missing series.
    pub firm_ms: i64,
    /// Of other steps, which a late sample may change.
    pub brief_ms: i64,
}

/// Until when the steps of a result are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Later steps are not cached.
    pub until_ms: i64,
    /// Later steps are cached briefly.
    pub firm_until_ms: i64,
}

/// Cached results, limited in bytes.
#[derive(Debug)]
pub struct Cache {
    limit_bytes: usize,
    ages: Ages,
    bytes: usize,
    /// Increases with each use.
    clock: u64,
    entries: HashMap<Key, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    used: u64,
    bytes: usize,
    /// In order, without overlap; adjacent ones of the same kind are joined.
    extents: Vec<CachedExtent>,
}

#[derive(Debug)]
struct CachedExtent {
    extent: Extent,
    /// When its oldest part was received.
    got_ms: i64,
    is_firm: bool,
}

impl CachedExtent {
    fn is_believed(&self, ages: Ages, now_ms: i64) -> bool {
        let age_ms = if self.is_firm { ages.firm_ms } else { ages.brief_ms };
        now_ms.saturating_sub(self.got_ms) <= age_ms
    }

    /// The parts before and after a range of steps.
    fn without(self, (start_ms, end_ms): StepRange, step_ms: i64) -> impl Iterator<Item = CachedExtent> {
        let CachedExtent { extent, got_ms, is_firm } = self;
        let overlaps = extent.start_ms <= end_ms && start_ms <= extent.end_ms;
        let before = (overlaps && extent.start_ms < start_ms).then(|| extent.cut(extent.start_ms, start_ms - step_ms));
        let after = (overlaps && extent.end_ms > end_ms).then(|| extent.cut(end_ms + step_ms, extent.end_ms));
        let whole = (!overlaps).then_some(extent);
        [before, whole, after].into_iter().flatten().map(move |extent| CachedExtent { extent, got_ms, is_firm })
    }
}

impl Cache {
    /// An empty cache. A limit of 0 disables it.
    #[must_use]
    pub fn new(limit_bytes: usize, ages: Ages) -> Self {
        Cache { limit_bytes, ages, bytes: 0, clock: 0, entries: HashMap::new() }
    }

    /// Approximate size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Looks up the steps `start_ms..=end_ms`, which are multiples of the key's step.
    pub fn look_up(&mut self, key: &Key, span: StepRange, now_ms: i64) -> Lookup {
        self.clock += 1;
        let nothing = Lookup { known: Vec::new(), missing: vec![span] };
        let Some(entry) = self.entries.get_mut(key) else { return nothing };
        entry.used = self.clock;
        let (mut known, mut missing, mut next) = (Vec::new(), Vec::new(), span.0);
        for cached in &entry.extents {
            let (start, end) = (cached.extent.start_ms.max(span.0), cached.extent.end_ms.min(span.1));
            if start > end || !cached.is_believed(self.ages, now_ms) {
                continue;
            }
            if next < start {
                missing.push((next, start - key.step_ms));
            }
            known.push(cached.extent.cut(start, end));
            next = end + key.step_ms;
        }
        if next <= span.1 {
            missing.push((next, span.1));
        }
        if missing.len() > MOST_HOLES {
            let (first, last) =
                (missing.first().map_or(span.0, |hole| hole.0), missing.last().map_or(span.1, |hole| hole.1));
            known.retain(|extent| extent.end_ms < first || extent.start_ms > last);
            missing = vec![(first, last)];
        }
        Lookup { known, missing }
    }

    /// Stores the settled steps of an extent, replacing what was cached of these steps.
    pub fn keep(&mut self, key: &Key, extent: &Extent, settled: Settled, now_ms: i64) {
        let step_ms = key.step_ms;
        let last = settled.until_ms.min(extent.end_ms).div_euclid(step_ms) * step_ms;
        if last < extent.start_ms || self.limit_bytes == 0 {
            return;
        }
        let kept = extent.cut(extent.start_ms, last);
        if kept.bytes() > self.limit_bytes / 4 {
            return;
        }
        let span = (kept.start_ms, kept.end_ms);
        let parts = kept.parts(settled.firm_until_ms, step_ms).into_iter();
        let parts = parts.map(|(extent, is_firm)| CachedExtent { extent, got_ms: now_ms, is_firm });
        let entry = self.entries.entry(key.clone()).or_default();
        let known = std::mem::take(&mut entry.extents).into_iter();
        let known = known.filter(|cached| cached.is_believed(self.ages, now_ms));
        let mut extents: Vec<CachedExtent> =
            known.flat_map(|cached| cached.without(span, step_ms)).chain(parts).collect();
        extents.sort_by_key(|cached| cached.extent.start_ms);
        entry.extents = joined(extents, step_ms);
        self.clock += 1;
        entry.used = self.clock;
        self.bytes -= entry.bytes;
        let text = key.query.len() + key.scope.len() + key.engine.len();
        entry.bytes = entry.extents.iter().map(|cached| cached.extent.bytes()).sum::<usize>() + text + ENTRY_BYTES;
        self.bytes += entry.bytes;
        self.make_room();
    }

    /// Evicts the least recently used entries until the rest fits.
    fn make_room(&mut self) {
        while self.bytes > self.limit_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| self.entries.remove(&key)) else { return };
            self.bytes -= entry.bytes;
        }
    }
}

/// Joins adjacent extents of the same kind; the result has the age of the oldest one.
fn joined(extents: Vec<CachedExtent>, step_ms: i64) -> Vec<CachedExtent> {
    let mut all: Vec<CachedExtent> = Vec::with_capacity(extents.len());
    for cached in extents {
        match all.last_mut() {
            Some(last) if last.is_firm == cached.is_firm && last.extent.end_ms + step_ms >= cached.extent.start_ms => {
                last.got_ms = last.got_ms.min(cached.got_ms);
                let (start_ms, end_ms) = (last.extent.start_ms, cached.extent.end_ms);
                last.extent = Extent::join(start_ms, end_ms, [std::mem::take(&mut last.extent), cached.extent]);
            }
            _ => all.push(cached),
        }
    }
    all
}

#[cfg(test)]
mod tests;
