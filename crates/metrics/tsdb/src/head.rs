//! The in-memory state: series, their index, and the set of chunk files.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use hashbrown::HashMap;
use labels::{Labels, Matcher};
use timeseries::histogram::Histogram;

use crate::{
    disk::{ChunkFile, FileNumber},
    ingest::Tally,
    metadata::Metadata,
    postings::{Postings, SeriesId},
    series::{Pushed, Run, Series},
};

/// A sample of a known series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) id: SeriesId,
    pub(crate) time: i64,
    pub(crate) value: f64,
}

/// A native histogram of a known series.
#[derive(Debug, Clone)]
pub(crate) struct HistogramEntry {
    pub(crate) id: SeriesId,
    pub(crate) time: i64,
    pub(crate) histogram: Arc<Histogram>,
}

/// Consecutive samples of one kind in a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    Floats(&'a [Entry]),
    Histograms(&'a [HistogramEntry]),
}

impl<'a> Part<'a> {
    /// Splits the part into pieces of at most `samples` samples.
    pub(crate) fn pieces(self, samples: usize) -> impl Iterator<Item = Part<'a>> {
        let (floats, histograms): (&[Entry], &[HistogramEntry]) = match self {
            Part::Floats(entries) => (entries, &[]),
            Part::Histograms(entries) => (&[], entries),
        };
        floats.chunks(samples).map(Part::Floats).chain(histograms.chunks(samples).map(Part::Histograms))
    }

    /// The part without its first `samples` samples.
    pub(crate) fn behind(self, samples: usize) -> Self {
        match self {
            Part::Floats(entries) => Part::Floats(entries.get(samples..).unwrap_or_default()),
            Part::Histograms(entries) => Part::Histograms(entries.get(samples..).unwrap_or_default()),
        }
    }

    /// The series and time of each sample.
    pub(crate) fn times(self) -> impl Iterator<Item = (SeriesId, i64)> + use<'a> {
        let (floats, histograms): (&[Entry], &[HistogramEntry]) = match self {
            Part::Floats(entries) => (entries, &[]),
            Part::Histograms(entries) => (&[], entries),
        };
        let floats = floats.iter().map(|entry| (entry.id, entry.time));
        floats.chain(histograms.iter().map(|entry| (entry.id, entry.time)))
    }

    /// The series of each sample.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SeriesId> {
        let (floats, histograms): (&[Entry], &[HistogramEntry]) = match self {
            Part::Floats(entries) => (entries, &[]),
            Part::Histograms(entries) => (&[], entries),
        };
        floats.iter().map(|entry| entry.id).chain(histograms.iter().map(|entry| entry.id))
    }
}

/// A sample that must be compared with chunks that are not in memory.
#[derive(Debug)]
pub(crate) struct NotInMemory {
    /// Index in the batch.
    pub(crate) position: usize,
    /// Its series.
    pub(crate) id: SeriesId,
    /// The chunks.
    pub(crate) runs: Vec<Run>,
}

/// The state that readers share and the only writer changes.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// By number; a removed series leaves a gap until the next start.
    series: Vec<Option<Box<Series>>>,
    by_labels: HashMap<Labels, SeriesId>,
    pub(crate) postings: Postings,
    texts: HashSet<Arc<str>>,
    pub(crate) metadata: BTreeMap<String, Metadata>,
    /// Time of the latest sample of all series.
    pub(crate) newest: Option<i64>,
    /// Number of samples rejected since the start because they were too late.
    pub(crate) too_old: u64,
    /// Number of samples rejected since the start because the series had another value at their time.
    pub(crate) duplicates: u64,
    /// Series with sealed chunks that are not on disk yet; a series may occur twice.
    pub(crate) unwritten: Vec<SeriesId>,
    /// Chunk files. Readers clone the whole map, so that a file removed meanwhile stays readable for them.
    pub(crate) files: Arc<BTreeMap<FileNumber, Arc<ChunkFile>>>,
}

impl Head {
    /// The number of a known series.
    pub(crate) fn id_of(&self, labels: &Labels) -> Option<SeriesId> {
        self.by_labels.get(labels).copied()
    }

    /// The number of a series, which is added if it is new; `None` if there are already `limit`.
    pub(crate) fn add_series(&mut self, labels: &Labels, limit: usize) -> Option<SeriesId> {
        if let Some(id) = self.id_of(labels) {
            return Some(id);
        }
        if self.by_labels.len() >= limit {
            return None;
        }
        let id = SeriesId::try_from(self.series.len()).ok()?;
        let pairs: Vec<_> =
            labels.pairs().iter().map(|(name, value)| (self.shared(name), self.shared(value))).collect();
        let labels = Labels::new(pairs);
        self.postings.add(id, &labels);
        self.by_labels.insert(labels.clone(), id);
        self.series.push(Some(Box::new(Series::new(labels))));
        Some(id)
    }

    /// The interned copy of a text.
    fn shared(&mut self, text: &Arc<str>) -> Arc<str> {
        match self.texts.get(text) {
            Some(shared) => shared.clone(),
            None => {
                // Copies the text, because the caller's may be part of a larger allocation.
                let own: Arc<str> = Arc::from(&**text);
                self.texts.insert(own.clone());
                own
            }
        }
    }

    /// A series.
    pub(crate) fn series(&self, id: SeriesId) -> Option<&Series> {
        self.series.get(usize::try_from(id).ok()?)?.as_deref()
    }

    /// A series, mutable.
    pub(crate) fn series_mut(&mut self, id: SeriesId) -> Option<&mut Series> {
        self.series.get_mut(usize::try_from(id).ok()?)?.as_deref_mut()
    }

    /// All series with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SeriesId, &Series)> {
        (0..).zip(&self.series).filter_map(|(id, series)| Some((id, series.as_deref()?)))
    }

    /// All series with their numbers, mutable.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (SeriesId, &mut Series)> {
        (0..).zip(&mut self.series).filter_map(|(id, series)| Some((id, series.as_deref_mut()?)))
    }

    /// Number of series.
    pub(crate) fn series_count(&self) -> usize {
        self.by_labels.len()
    }

    /// The series that match all matchers and have data in the range, sorted by number.
    pub(crate) fn matching(&self, matchers: &[Matcher], start: i64, end: i64) -> Vec<(SeriesId, &Series)> {
        let ids = self.postings.select(matchers, |id| self.series(id).map(|series| &series.labels));
        ids.into_iter()
            .filter_map(|id| Some((id, self.series(id)?)))
            .filter(|(_, series)| series.overlaps(start, end))
            .collect()
    }

    /// Appends samples and counts the results. Stops before a sample that must be compared with chunks that are not in
    /// memory, so that the caller can load them without the lock. `looked_up` says that this was done for the first
    /// sample.
    pub(crate) fn apply(
        &mut self,
        part: Part,
        out_of_order_ms: i64,
        tally: &mut Tally,
        looked_up: bool,
    ) -> Option<NotInMemory> {
        let mut may_go_on = looked_up;
        let mut late = |time| {
            let looked_up = std::mem::take(&mut may_go_on);
            move |newest: i64| !looked_up && time < newest && newest.saturating_sub(time) <= out_of_order_ms
        };
        match part {
            Part::Floats(entries) => {
                for (position, &Entry { id, time, value }) in entries.iter().enumerate() {
                    let push = |series: &mut Series| series.push(time, value, out_of_order_ms);
                    if let Some(missing) = self.apply_one(id, time, tally, late(time), push) {
                        return Some(NotInMemory { position, id, runs: missing });
                    }
                }
            }
            Part::Histograms(entries) => {
                for (position, HistogramEntry { id, time, histogram }) in entries.iter().enumerate() {
                    let push = |series: &mut Series| series.push_histogram(*time, histogram, out_of_order_ms);
                    if let Some(missing) = self.apply_one(*id, *time, tally, late(*time), push) {
                        return Some(NotInMemory { position, id: *id, runs: missing });
                    }
                }
            }
        }
        None
    }

    /// Appends one sample. If `compares`, given the series' latest time, says that the sample must be compared with
    /// stored ones, returns the chunks that must be loaded first.
    #[inline]
    fn apply_one(
        &mut self,
        id: SeriesId,
        time: i64,
        tally: &mut Tally,
        compares: impl FnOnce(i64) -> bool,
        push: impl FnOnce(&mut Series) -> Pushed,
    ) -> Option<Vec<Run>> {
        let Some(series) = self.series_mut(id) else {
            tally.skip();
            return None;
        };
        if series.newest_time().is_some_and(compares) {
            // Rare: a late sample of an idle series.
            let missing: Vec<Run> = series.needed_for(time).cloned().collect();
            if !missing.is_empty() {
                return Some(missing);
            }
        }
        let sealed_before = series.runs.len();
        let pushed = push(series);
        if series.runs.len() > sealed_before {
            self.unwritten.push(id);
        }
        match pushed {
            Pushed::Stored => self.newest = self.newest.max(Some(time)),
            Pushed::TooOld => self.too_old += 1,
            Pushed::Duplicate => self.duplicates += 1,
        }
        tally.note(pushed);
        None
    }

    /// Puts loaded chunks of a series into memory until they are next released. `false` if a compaction has moved one
    /// of them meanwhile: load again.
    pub(crate) fn give(&mut self, id: SeriesId, looked_up: Vec<Run>) -> bool {
        let Some(series) = self.series_mut(id) else { return true };
        let mut all_there = true;
        for Run { place, bytes, .. } in looked_up {
            match series.runs.iter_mut().find(|run| run.place == place) {
                Some(run) => run.bytes = run.bytes.take().or(bytes),
                None => all_there = false,
            }
        }
        all_there
    }

    /// Frees the memory of sealed chunks that are on disk and end before `cutoff`, for `count` series from number
    /// `start` on. Returns where to continue.
    pub(crate) fn release_before(&mut self, cutoff: i64, start: usize, count: usize) -> Option<usize> {
        let series = self.series.get_mut(start..)?;
        for series in series.iter_mut().take(count).flatten() {
            for run in series.runs.iter_mut().filter(|run| run.last < cutoff && run.place.is_some()) {
                run.bytes = None;
            }
        }
        (series.len() > count).then_some(start + count)
    }

    /// Seals the chunks of series without a sample since `cutoff`, for `count` series from number `start` on. Returns
    /// where to continue.
    pub(crate) fn seal_idle(&mut self, cutoff: i64, start: usize, count: usize) -> Option<usize> {
        let visited = self.series.get_mut(start..)?;
        for (id, series) in (start..).zip(visited.iter_mut()).take(count) {
            let Some(series) = series else { continue };
            if series.unsealed_samples() > 0 && series.newest_time().is_some_and(|newest| newest < cutoff) {
                series.lay_down();
                self.unwritten.extend(SeriesId::try_from(id));
            }
        }
        (visited.len() > count).then_some(start + count)
    }

    /// Removes chunks for which `gone` is true, then series without samples, then unused texts.
    pub(crate) fn remove_runs(&mut self, gone: impl Fn(&Run) -> bool) {
        let mut empty = Vec::new();
        for (id, series) in self.iter_mut() {
            series.runs.retain(|run| !gone(run));
            if series.runs.is_empty() && series.unsealed_samples() == 0 {
                empty.push(id);
            }
        }
        let mut removed = Vec::with_capacity(empty.len());
        for id in &empty {
            let Some(slot) = usize::try_from(*id).ok().and_then(|index| self.series.get_mut(index)) else { continue };
            if let Some(series) = slot.take() {
                self.by_labels.remove(&series.labels);
                removed.push((*id, series.labels));
            }
        }
        if !empty.is_empty() {
            self.postings.remove(&removed);
            drop(removed);
            self.texts.retain(|text| Arc::strong_count(text) > 1);
        }
    }

    /// Approximate heap size in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let series: usize =
            self.iter().map(|(_, series)| series.heap_bytes() + series.labels.pairs().len() * 32 + 16).sum();
        let texts: usize = self.texts.iter().map(|text| text.len() + 48).sum();
        let map = self.by_labels.capacity() * (size_of::<(Labels, SeriesId)>() + 1);
        series + texts + map + self.postings.heap_bytes() + self.series.capacity() * size_of::<usize>()
    }
}
