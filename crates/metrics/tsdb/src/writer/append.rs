//! Appends a batch of samples: finds or creates their series, writes to the log's queue, then to memory. Does no disk
//! I/O, except to compare late samples with chunks that are not in memory.

use std::sync::Arc;

use hashbrown::HashMap;
use labels::{Labels, METRIC_NAME};
use parking_lot::RwLock;
use timeseries::{Point, Sample};
use web_time::Instant;

use super::Writer;
use crate::{
    disk::Journal,
    head::{Entry, Head, HistogramEntry, NotInMemory, Part},
    histograms::{MAX_BUCKETS, bucket_count},
    ingest::{Incoming, Ingested, Refusal, Refused, Tally},
    late::TimeBounds,
    options::millis,
    postings::SeriesId,
    read::load,
};

/// Number of samples to append before the lock is released for readers.
const APPLY_SAMPLES: usize = 16_384;
/// Maximum size of the buffer that is reserved for an append, in bytes.
const MAX_USUAL_BYTES: usize = 256 * 1_024;

impl Writer {
    /// Appends points: to the log's queue, then to memory.
    pub(crate) fn append(&mut self, head: &RwLock<Head>, points: &[Point]) -> Ingested {
        let refused = self.resolve(head, points, |point| &point.labels);
        if !refused.is_empty() {
            return without(points, &refused, |rest| self.append(head, rest));
        }
        let mut entries = std::mem::take(&mut self.entries);
        entries.clear();
        let with_ids = points.iter().zip(&self.ids);
        entries.extend(with_ids.map(|(point, id)| Entry { id: *id, time: point.timestamp_ms, value: point.value }));
        let result = self.store(head, &[Part::Floats(&entries)]);
        entries.shrink_to(APPLY_SAMPLES);
        self.entries = entries;
        result
    }

    /// Appends samples of either kind: to the log's queue, then to memory.
    pub(crate) fn ingest(&mut self, head: &RwLock<Head>, batch: &[Incoming]) -> Ingested {
        let is_oversized = |sample: &Incoming| match &sample.value {
            Sample::Float(_) => false,
            Sample::Histogram(histogram) => bucket_count(histogram) > MAX_BUCKETS,
        };
        let oversized = batch.iter().enumerate().filter(|(_, sample)| is_oversized(sample));
        let mut refused: Vec<Refused> =
            oversized.map(|(position, _)| Refused { position, reason: Refusal::TooManyBuckets }).collect();
        if refused.is_empty() {
            refused = self.resolve(head, batch, |sample| &sample.labels);
        }
        if !refused.is_empty() {
            return without(batch, &refused, |rest| self.ingest(head, rest));
        }
        let (mut floats, mut histograms) = (Vec::new(), Vec::new());
        // Lengths of alternating runs of floats and histograms; the first one, of floats, may be empty.
        let mut lengths: Vec<usize> = vec![0];
        for (sample, id) in batch.iter().zip(&self.ids) {
            let (id, time) = (*id, sample.timestamp_ms);
            let is_float = match &sample.value {
                Sample::Float(value) => {
                    floats.push(Entry { id, time, value: *value });
                    true
                }
                Sample::Histogram(histogram) => {
                    histograms.push(HistogramEntry { id, time, histogram: Arc::clone(histogram) });
                    false
                }
            };
            if (lengths.len() % 2 == 1) != is_float {
                lengths.push(0);
            }
            lengths.last_mut().into_iter().for_each(|length| *length += 1);
        }
        let (mut floats, mut histograms) = (floats.as_slice(), histograms.as_slice());
        let mut parts = Vec::with_capacity(lengths.len());
        for (position, length) in lengths.into_iter().enumerate() {
            parts.push(if position % 2 == 0 {
                Part::Floats(floats.split_off(..length).unwrap_or_default())
            } else {
                Part::Histograms(histograms.split_off(..length).unwrap_or_default())
            });
        }
        self.store(head, &parts)
    }

    /// Appends a batch of known series: to the log, then to memory.
    fn store(&mut self, head: &RwLock<Head>, parts: &[Part]) -> Ingested {
        let out_of_order = millis(self.options.out_of_order);
        let mut tally = Tally::new(out_of_order);
        if parts.iter().all(|part| part.ids().next().is_none()) {
            return tally.result;
        }
        let mut frames = Vec::new();
        if let Some(journal) = &mut self.journal {
            frames.reserve(self.usual_bytes);
            let head = head.read();
            journal.frames.put_series(&mut frames, parts, |id| head.series(id));
        }
        for part in parts.iter().flat_map(|part| part.pieces(APPLY_SAMPLES)) {
            apply(head, part, out_of_order, &mut tally);
        }
        self.note_late(head, parts, &tally.result.refused);
        if let Some(journal) = &mut self.journal {
            put_stored(&mut frames, parts, &tally.result.refused);
            self.usual_bytes = frames.len().min(MAX_USUAL_BYTES);
            journal.log.queue(frames);
        }
        tally.result
    }

    /// Records the stored samples of a batch at times that had already been read. Call it once readers see the batch,
    /// so that a reader that came earlier is informed.
    fn note_late(&self, head: &RwLock<Head>, parts: &[Part], refused: &[Refused]) {
        let until = self.late.read_until();
        let samples = parts.iter().flat_map(|part| part.times());
        let is_stored = |position: usize| refused.binary_search_by_key(&position, |refused| refused.position).is_err();
        let late = samples.enumerate().filter(|(position, (_, time))| *time <= until && is_stored(*position));
        let mut late = late.map(|(_, sample)| sample).peekable();
        if late.peek().is_none() {
            return;
        }
        let mut by_name: HashMap<Option<Arc<str>>, TimeBounds> = HashMap::new();
        // In a backlog, samples of the same series are consecutive.
        let mut of_one: Option<(SeriesId, TimeBounds)> = None;
        let head = head.read();
        let mut add = |(id, span): (SeriesId, TimeBounds)| {
            let name = head.series(id).and_then(|series| {
                let pair = series.labels.pairs().iter().find(|(name, _)| **name == *METRIC_NAME);
                pair.map(|(_, value)| Arc::clone(value))
            });
            let known = by_name.entry(name).or_insert(span);
            *known = (known.0.min(span.0), known.1.max(span.1));
        };
        for (id, time) in late {
            match &mut of_one {
                Some((same, span)) if *same == id => *span = (span.0.min(time), span.1.max(time)),
                _ => of_one.replace((id, (time, time))).into_iter().for_each(&mut add),
            }
        }
        of_one.into_iter().for_each(&mut add);
        drop(head);
        self.late.note(Instant::now(), by_name);
    }

    /// Fills `ids` with the numbers of the samples' series, which are created if necessary; returns the samples of new
    /// series beyond the limit.
    fn resolve<T>(&mut self, head: &RwLock<Head>, samples: &[T], labels_of: impl Fn(&T) -> &Labels) -> Vec<Refused> {
        self.ids.clear();
        self.ids.shrink_to(APPLY_SAMPLES);
        self.ids.reserve(samples.len());
        let mut unknown = Vec::new();
        {
            let head = head.read();
            let mut last: Option<(&Labels, Option<SeriesId>)> = None;
            for (position, sample) in samples.iter().enumerate() {
                let labels = labels_of(sample);
                let id = match last {
                    // Batches sorted by series share the labels, so that we need not hash them again.
                    Some((before, id)) if std::ptr::eq(before.pairs(), labels.pairs()) => id,
                    _ => head.id_of(labels),
                };
                last = Some((labels, id));
                if id.is_none() {
                    unknown.push(position);
                }
                self.ids.push(id.unwrap_or_default());
            }
        }
        let mut refused = Vec::new();
        if unknown.is_empty() {
            return refused;
        }
        let limit = self.options.max_series;
        let mut head = head.write();
        let mut last: Option<(&Labels, Option<SeriesId>)> = None;
        for position in unknown {
            let (Some(sample), Some(id)) = (samples.get(position), self.ids.get_mut(position)) else { continue };
            let labels = labels_of(sample);
            let added = match last {
                Some((before, id)) if std::ptr::eq(before.pairs(), labels.pairs()) => id,
                _ => head.add_series(labels, limit),
            };
            match added {
                Some(added) => *id = added,
                None => refused.push(Refused { position, reason: Refusal::TooManySeries }),
            }
            last = Some((labels, added));
        }
        refused
    }
}

/// Adds frames for samples that were not rejected. A replay could not reject the others again, because the samples they
/// were compared with may not be in the log any more.
fn put_stored(frames: &mut Vec<u8>, parts: &[Part], refused: &[Refused]) {
    if refused.is_empty() {
        return Journal::put_samples(frames, parts);
    }
    let mut position = 0;
    let mut is_stored = || {
        position += 1;
        refused.binary_search_by_key(&(position - 1), |refused| refused.position).is_err()
    };
    for part in parts {
        match part {
            Part::Floats(entries) => {
                let stored: Vec<Entry> = entries.iter().copied().filter(|_| is_stored()).collect();
                Journal::put_samples(frames, &[Part::Floats(&stored)]);
            }
            Part::Histograms(entries) => {
                let stored: Vec<HistogramEntry> = entries.iter().filter(|_| is_stored()).cloned().collect();
                Journal::put_samples(frames, &[Part::Histograms(&stored)]);
            }
        }
    }
}

/// Appends samples to memory. Chunks to compare them with are loaded without the lock.
fn apply(head: &RwLock<Head>, mut part: Part, out_of_order_ms: i64, tally: &mut Tally) {
    let mut found = None;
    loop {
        let stopped = {
            let mut head = head.write();
            // Under the same lock, so that nobody releases them before they are used.
            let looked_up = found.take().is_some_and(|(id, runs)| head.give(id, runs));
            head.apply(part, out_of_order_ms, tally, looked_up)
        };
        let Some(NotInMemory { position, id, mut runs }) = stopped else { return };
        let files = head.read().files.clone();
        for run in &mut runs {
            // If it is unreadable, a later read reports it.
            run.bytes = load(run, &files).ok();
        }
        part = part.behind(position);
        found = Some((id, runs));
    }
}

/// Appends those samples of a batch that are not rejected already, and returns the result for all.
fn without<T: Clone>(batch: &[T], refused: &[Refused], append: impl FnOnce(&[T]) -> Ingested) -> Ingested {
    let is_refused = |position: usize| refused.binary_search_by_key(&position, |refused| refused.position).is_ok();
    let rest = batch.iter().enumerate().filter(|(position, _)| !is_refused(*position));
    let (positions, rest): (Vec<usize>, Vec<T>) = rest.map(|(position, sample)| (position, sample.clone())).unzip();
    let mut ingested = append(&rest);
    for later in &mut ingested.refused {
        later.position = positions.get(later.position).copied().unwrap_or_default();
    }
    let of_new_series = refused.iter().filter(|refused| refused.reason == Refusal::TooManySeries);
    ingested.outcome.over_limit += of_new_series.count();
    ingested.refused.extend(refused);
    ingested.refused.sort_by_key(|refused| refused.position);
    ingested.outcome.first_rejected = ingested.refused.first().map(|refused| refused.position);
    ingested
}
