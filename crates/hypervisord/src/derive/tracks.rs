//! Writes the derived series: in order, never twice, and never decreasing within one run of the daemon's process.
//!
//! A change is written at its own time, or at the earliest time that the series still allows: the samples of a series
//! are in order, and stored samples do not change. The value before each step is written right before it, so that the
//! step counts in each window that contains it. Between steps the value is repeated, more often than the lookback delta
//! of the query engine.

use std::collections::{HashMap, HashSet};

use labels::{Labels, TargetLabels};
use timeseries::{Point, STALE_NAN};

use super::{SeriesKey, counts::CountStep};

/// Interval of repetitions when a counter is written in retrospect: a rate over the usual 5 min needs two samples.
const REPEAT_MS: i64 = 120_000;
/// Maximum time span of repetitions: 15 days, which are some 11,000 samples per series.
const REPEAT_SPAN_MS: i64 = 15 * 24 * 3_600_000;
/// A change up to this long after the last stored sample counts as included in it: a daemon reports some times in whole
/// seconds, and we know its clock only roughly.
const STORED_SLACK_MS: i64 = 2_000;

/// The last stored sample of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Labels of the series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The last value that is not a stale marker.
    pub value: f64,
}

/// The derived series of one daemon.
pub(super) struct Tracks {
    target: TargetLabels,
    by_key: HashMap<SeriesKey, Track>,
    /// The last stored samples of series that we have not written since our start.
    stored: HashMap<Labels, Stored>,
    /// Where counters start at zero; milliseconds since the Unix epoch.
    start_ms: Option<i64>,
}

/// One series.
struct Track {
    labels: Labels,
    /// Time of the last sample.
    last_ms: i64,
    /// Value of the last sample.
    last: f64,
    /// Added to the count: increases of this run that are stored but cannot be counted again.
    offset: f64,
    /// Set while the count is behind the samples stored for this run: the count so far.
    catching_up: Option<f64>,
    /// Index of the last sample in the batch, if it is a step in this batch.
    step: Option<usize>,
    /// Whether it has samples without a stale marker after them.
    is_open: bool,
}

impl Tracks {
    pub(super) fn new(target: TargetLabels) -> Self {
        Tracks { target, by_key: HashMap::new(), stored: HashMap::new(), start_ms: None }
    }

    /// Continues from the stored samples.
    pub(super) fn resume(&mut self, stored: Vec<Stored>) {
        self.stored = stored.into_iter().map(|stored| (stored.labels.clone(), stored)).collect();
    }

    /// Start time of the counters, once known.
    pub(super) fn start_ms(&self) -> Option<i64> {
        self.start_ms
    }

    /// Sets the start time of the counters.
    pub(super) fn set_start(&mut self, start_ms: i64) {
        self.start_ms = Some(start_ms);
    }

    /// The daemon restarted: each job counter resets to zero.
    pub(super) fn restart<'a>(
        &mut self,
        start_ms: i64,
        counters: impl Iterator<Item = &'a SeriesKey>,
        points: &mut Vec<Point>,
    ) {
        self.start_ms = Some(start_ms);
        for key in counters {
            if let Some(track) = self.by_key.get_mut(key) {
                track.zero(start_ms, points);
            }
        }
    }

    /// A counter increased at `at_ms`. No sample may be later than `now_ms`.
    pub(super) fn step(&mut self, step: &CountStep, at_ms: i64, now_ms: i64, points: &mut Vec<Point>) {
        let count = step.after;
        let track = self.counter(&step.key, step.before, points);
        if track.catching_up.is_some() {
            if at_ms <= track.last_ms.saturating_add(STORED_SLACK_MS) {
                track.catching_up = Some(count);
                return;
            }
            track.catch_up(points);
        }
        let value = count + track.offset;
        let at_ms = at_ms.min(now_ms);
        if at_ms <= track.last_ms
            && let Some(step) = track.step.and_then(|step| points.get_mut(step))
        {
            // At the time of the previous step, or reported too late.
            (step.value, track.last) = (value, value);
            return;
        }
        let at_ms = at_ms.max(track.last_ms.saturating_add(1));
        track.repeat(at_ms, now_ms, points);
        if at_ms - 1 > track.last_ms {
            track.push(at_ms - 1, track.last, points);
        }
        track.step = Some(points.len());
        track.push(at_ms, value, points);
    }

    /// Writes a counter's unchanged value up to `at_ms`. A new series had this value from the start.
    pub(super) fn hold(&mut self, key: &SeriesKey, at_ms: i64, count: f64, points: &mut Vec<Point>) {
        let track = self.counter(key, count, points);
        if track.catching_up.is_some() {
            track.catching_up = Some(count);
            track.catch_up(points);
        }
        if at_ms > track.last_ms {
            track.repeat(at_ms, at_ms, points);
            track.push(at_ms, count + track.offset, points);
        }
    }

    /// Writes the value of one of the daemon's own counters at `at_ms`, if it changed or with `always`. If the start is
    /// known, it starts at zero there.
    pub(super) fn total(&mut self, key: &SeriesKey, at_ms: i64, total: f64, always: bool, points: &mut Vec<Point>) {
        let track = self.counter(key, 0.0, points);
        if track.catching_up.take().is_some() {
            track.offset = (track.last - total).max(0.0);
        }
        let value = (total + track.offset).max(track.last);
        track.push_if_news(at_ms, value, always, points);
    }

    /// The daemon's own counters were reset to zero.
    pub(super) fn restart_total(&mut self, key: &SeriesKey, points: &mut Vec<Point>) {
        let start_ms = self.start_ms.unwrap_or(i64::MIN);
        if let Some(track) = self.by_key.get_mut(key) {
            track.zero(start_ms, points);
        }
    }

    /// Writes a gauge's value at `at_ms`, if it changed or with `always`.
    pub(super) fn gauge(&mut self, key: &SeriesKey, at_ms: i64, value: f64, always: bool, points: &mut Vec<Point>) {
        let target = &self.target;
        let track =
            self.by_key.entry(key.clone()).or_insert_with(|| Track::new(key.labels(target), i64::MIN, f64::NAN));
        track.push_if_news(at_ms, value, always, points);
    }

    /// The points were returned, so none of them can be changed any more.
    pub(super) fn end_batch(&mut self) {
        self.by_key.values_mut().for_each(|track| track.step = None);
    }

    /// Writes stale markers right after the last known values, so that later changes can be written at their own time.
    pub(super) fn end(&mut self, points: &mut Vec<Point>) {
        self.by_key.values_mut().for_each(|track| track.end(points));
    }

    /// Ends and removes series with these names, because the daemon exposes them itself.
    pub(super) fn leave_out(&mut self, names: &HashSet<String>, points: &mut Vec<Point>) {
        for (_, mut track) in self.by_key.extract_if(|key, _| names.contains(key.name)) {
            track.end(points);
        }
    }

    /// The track of a counter. A new one that has no stored samples starts with `first` at the start time: what was
    /// counted before the retention, or zero.
    fn counter(&mut self, key: &SeriesKey, first: f64, points: &mut Vec<Point>) -> &mut Track {
        let (target, start_ms, stored) = (&self.target, self.start_ms, &mut self.stored);
        self.by_key.entry(key.clone()).or_insert_with(|| {
            let labels = key.labels(target);
            let stored = stored.remove(&labels);
            let mut track = Track::new(labels, i64::MIN, 0.0);
            let is_of_this_life = |stored: &Stored| {
                start_ms.is_none_or(|start_ms| stored.at_ms >= start_ms.saturating_sub(STORED_SLACK_MS))
            };
            if let Some(stored) = stored {
                (track.last_ms, track.last) = (stored.at_ms, stored.value);
                if is_of_this_life(&stored) {
                    track.catching_up = Some(first);
                    return track;
                }
            }
            if let Some(start_ms) = start_ms {
                track.zero(start_ms, points);
                if let Some(zero) = points.last_mut().filter(|_| first > 0.0) {
                    (zero.value, track.last) = (first, first);
                }
            }
            track
        })
    }
}

impl Track {
    fn new(labels: Labels, last_ms: i64, last: f64) -> Self {
        Track { labels, last_ms, last, offset: 0.0, catching_up: None, step: None, is_open: false }
    }

    fn push(&mut self, at_ms: i64, value: f64, points: &mut Vec<Point>) {
        points.push(Point { labels: self.labels.clone(), timestamp_ms: at_ms, value });
        (self.last_ms, self.last, self.is_open) = (at_ms, value, true);
    }

    fn end(&mut self, points: &mut Vec<Point>) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        (self.last_ms, self.step) = (self.last_ms.saturating_add(1), None);
        points.push(Point { labels: self.labels.clone(), timestamp_ms: self.last_ms, value: STALE_NAN });
    }

    fn push_if_news(&mut self, at_ms: i64, value: f64, always: bool, points: &mut Vec<Point>) {
        let is_news = always || value.to_bits() != self.last.to_bits();
        if is_news && at_ms > self.last_ms {
            self.push(at_ms, value, points);
        }
    }

    /// Resets to zero at this time.
    fn zero(&mut self, at_ms: i64, points: &mut Vec<Point>) {
        (self.offset, self.catching_up, self.step) = (0.0, None, None);
        self.push(at_ms.max(self.last_ms.saturating_add(1)), 0.0, points);
    }

    /// The count has reached the stored value: continues from there without a decrease.
    fn catch_up(&mut self, points: &mut Vec<Point>) {
        let Some(count) = self.catching_up.take() else { return };
        self.offset = (self.last - count).max(0.0);
        if count > self.last {
            // These increases are not in the last stored sample although they happened before it.
            self.push(self.last_ms.saturating_add(1), count, points);
        }
    }

    /// Repeats the last value up to `until_ms`.
    fn repeat(&mut self, until_ms: i64, now_ms: i64, points: &mut Vec<Point>) {
        let oldest_ms = now_ms.saturating_sub(REPEAT_SPAN_MS);
        let mut at_ms = self.last_ms.saturating_add(REPEAT_MS).max(oldest_ms);
        while at_ms < until_ms.saturating_sub(1) {
            self.push(at_ms, self.last, points);
            at_ms = at_ms.saturating_add(REPEAT_MS);
        }
    }
}
