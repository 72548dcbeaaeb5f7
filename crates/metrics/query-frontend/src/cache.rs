//! Results of range queries, kept by step: what is asked for again is put together of what is known, and only the rest is asked for.
//!
//! Times are milliseconds since the Unix epoch. An [`Extent`] holds the points of steps `start_ms..=end_ms`, all multiples of the
//! step. Kept are steps that are settled, in extents that do not overlap; the least recently used query goes first. What may well change,
//! because it is young or a series is missing in it, is kept for a short time only.

mod extent;

use std::collections::HashMap;

use model::frame::StepRange;

pub use self::extent::Extent;

/// What a result is kept by. The text has the matchers of whoever asked in it; the scope is there so that nothing hangs on that alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Name of the engine.
    pub engine: String,
    /// Matchers of those who may see the result; empty for all.
    pub scope: String,
    /// The query as sent.
    pub query: String,
    /// Distance of the steps; more than 0.
    pub step_ms: i64,
}

/// What is known of a range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lookup {
    /// Known parts, in order.
    pub known: Vec<Extent>,
    /// What is missing, in order.
    pub missing: Vec<StepRange>,
}

/// More holes than this in a range are asked for as one.
const MOST_HOLES: usize = 3;
/// What an entry costs besides its extents, in bytes.
const ENTRY_BYTES: usize = 256;

/// For how long results are believed, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// Steps that are settled, at which no series is missing.
    pub firm_ms: i64,
    /// Others: a sample that came late may change them.
    pub brief_ms: i64,
}

/// Up to when the steps of a result are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// What is later is not kept.
    pub until_ms: i64,
    /// What is later is kept for a short time.
    pub firm_until_ms: i64,
}

/// Kept results, up to a number of bytes.
#[derive(Debug)]
pub struct Cache {
    limit_bytes: usize,
    ages: Ages,
    bytes: usize,
    /// Rises with every use.
    clock: u64,
    entries: HashMap<Key, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    used: u64,
    bytes: usize,
    /// In order, none overlapping another; those of one kind that touch are joined.
    extents: Vec<CachedExtent>,
}

#[derive(Debug)]
struct CachedExtent {
    extent: Extent,
    /// When its oldest part was got.
    got_ms: i64,
    is_firm: bool,
}

impl CachedExtent {
    fn is_believed(&self, ages: Ages, now_ms: i64) -> bool {
        let age_ms = if self.is_firm { ages.firm_ms } else { ages.brief_ms };
        now_ms.saturating_sub(self.got_ms) <= age_ms
    }

    /// What is left of it before and after some steps.
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
    /// An empty cache. A limit of 0 keeps nothing.
    #[must_use]
    pub fn new(limit_bytes: usize, ages: Ages) -> Self {
        Cache { limit_bytes, ages, bytes: 0, clock: 0, entries: HashMap::new() }
    }

    /// Bytes that are kept, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is known of the steps `start_ms..=end_ms`, which are multiples of the key's step.
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

    /// Keeps of an extent what is settled, in place of what was known of these steps.
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

    /// Drops what was not used for longest until the rest fits.
    fn make_room(&mut self) {
        while self.bytes > self.limit_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| self.entries.remove(&key)) else { return };
            self.bytes -= entry.bytes;
        }
    }
}

/// Joins extents of one kind that touch; they are as old as the oldest of them.
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
