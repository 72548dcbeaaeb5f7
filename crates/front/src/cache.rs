//! Results of range queries, kept by step: what is asked for again is put together of what is known, and only the rest is asked for.
//!
//! Times are milliseconds since the Unix epoch. A [`Piece`] holds the points of steps `start_ms..=end_ms`, all multiples of the
//! step. Kept are steps that are settled, in extents that do not touch each other; the least recently used query goes first.

mod piece;

use std::collections::HashMap;

pub use self::piece::Piece;

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

/// Steps from the first to the last, both included.
pub type Span = (i64, i64);

/// What is known of a range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lookup {
    /// Known parts, in order.
    pub known: Vec<Piece>,
    /// What is missing, in order.
    pub missing: Vec<Span>,
}

/// More holes than this in a range are asked for as one.
const MOST_HOLES: usize = 3;
/// What an entry costs besides its pieces, in bytes.
const ENTRY_BYTES: usize = 256;

/// Kept results, up to a number of bytes.
#[derive(Debug)]
pub struct Cache {
    limit_bytes: usize,
    /// An extent is believed for so long after its oldest part was got.
    max_age_ms: i64,
    bytes: usize,
    /// Rises with every use.
    clock: u64,
    entries: HashMap<Key, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    used: u64,
    bytes: usize,
    /// In order, with at least one step between two of them.
    extents: Vec<Extent>,
}

#[derive(Debug)]
struct Extent {
    piece: Piece,
    got_ms: i64,
}

impl Cache {
    /// An empty cache. A limit of 0 keeps nothing.
    #[must_use]
    pub fn new(limit_bytes: usize, max_age_ms: i64) -> Self {
        Cache { limit_bytes, max_age_ms, bytes: 0, clock: 0, entries: HashMap::new() }
    }

    /// Bytes that are kept, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is known of the steps `start_ms..=end_ms`, which are multiples of the key's step.
    pub fn look_up(&mut self, key: &Key, span: Span, now_ms: i64) -> Lookup {
        self.clock += 1;
        let nothing = Lookup { known: Vec::new(), missing: vec![span] };
        let Some(entry) = self.entries.get_mut(key) else { return nothing };
        entry.used = self.clock;
        let (mut known, mut missing, mut next) = (Vec::new(), Vec::new(), span.0);
        for extent in &entry.extents {
            let (start, end) = (extent.piece.start_ms.max(span.0), extent.piece.end_ms.min(span.1));
            if start > end || now_ms.saturating_sub(extent.got_ms) > self.max_age_ms {
                continue;
            }
            if next < start {
                missing.push((next, start - key.step_ms));
            }
            known.push(extent.piece.cut(start, end));
            next = end + key.step_ms;
        }
        if next <= span.1 {
            missing.push((next, span.1));
        }
        if missing.len() > MOST_HOLES {
            let (first, last) =
                (missing.first().map_or(span.0, |hole| hole.0), missing.last().map_or(span.1, |hole| hole.1));
            known.retain(|piece| piece.end_ms < first || piece.start_ms > last);
            missing = vec![(first, last)];
        }
        Lookup { known, missing }
    }

    /// Keeps of a piece what is settled: the steps up to `settled_ms`.
    pub fn keep(&mut self, key: &Key, piece: &Piece, settled_ms: i64, now_ms: i64) {
        let last = settled_ms.min(piece.end_ms).div_euclid(key.step_ms) * key.step_ms;
        if last < piece.start_ms || self.limit_bytes == 0 {
            return;
        }
        let mut joined = piece.cut(piece.start_ms, last);
        if joined.bytes() > self.limit_bytes / 4 {
            return;
        }
        let entry = self.entries.entry(key.clone()).or_default();
        let mut got_ms = now_ms;
        let mut apart = Vec::with_capacity(entry.extents.len() + 1);
        for extent in std::mem::take(&mut entry.extents) {
            let aged = now_ms.saturating_sub(extent.got_ms) > self.max_age_ms;
            let touches = extent.piece.start_ms <= joined.end_ms + key.step_ms
                && joined.start_ms <= extent.piece.end_ms + key.step_ms;
            if aged {
                continue;
            }
            if touches {
                got_ms = got_ms.min(extent.got_ms);
                joined = joined.laid_over(extent.piece);
            } else {
                apart.push(extent);
            }
        }
        apart.push(Extent { piece: joined, got_ms });
        apart.sort_by_key(|extent| extent.piece.start_ms);
        entry.extents = apart;
        self.clock += 1;
        entry.used = self.clock;
        self.bytes -= entry.bytes;
        let text = key.query.len() + key.scope.len() + key.engine.len();
        entry.bytes = entry.extents.iter().map(|extent| extent.piece.bytes()).sum::<usize>() + text + ENTRY_BYTES;
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

#[cfg(test)]
mod tests;
