//! The derived series as they are written: in order, never twice, never falling within one life of the daemon.
//!
//! What happened is written at the time when it happened, or as soon after it as the series allows: samples of a series do not go
//! back, and nothing written is changed. Before each step stands the value before it, so that the step counts in every window that
//! it lies in, and in between stand repetitions, closer than the engine looks back.

use std::collections::{HashMap, HashSet};

use labels::{Labels, TargetLabels};
use timeseries::{Point, STALE_NAN};

use super::{SeriesKey, counts::CountStep};

/// Time between two repetitions of a counter's value where it is written in retrospect: a rate over the usual 5 min needs two samples.
const REPEAT_MS: i64 = 120_000;
/// Repetitions go back this far at most: 15 days, which are some 11,000 for each series.
const REPEAT_SPAN_MS: i64 = 15 * 24 * 3_600_000;
/// What happened up to this long after the newest stored sample counts as being in it: a daemon tells some times in whole seconds, and
/// its clock is known only roughly.
const STORED_SLACK_MS: i64 = 2_000;

/// The newest stored sample of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The newest that is no marker of an end.
    pub value: f64,
}

/// All derived series of one daemon.
pub(super) struct Tracks {
    target: TargetLabels,
    by_key: HashMap<SeriesKey, Track>,
    /// What the store has of series that were not written since our start.
    stored: HashMap<Labels, Stored>,
    /// Where counters begin with zero; milliseconds since the Unix epoch.
    start_ms: Option<i64>,
}

/// One series.
struct Track {
    labels: Labels,
    /// Time of the newest sample.
    last_ms: i64,
    /// Its value.
    last: f64,
    /// What is added to what is counted: what was stored of this life and can no longer be counted.
    offset: f64,
    /// The store has samples of this life, and what is counted has not come up to them yet: the value that it has reached.
    catching_up: Option<f64>,
    /// Where the newest sample is in the batch, if it is a step in it.
    step: Option<usize>,
    /// It has samples, and was not marked as ended after them.
    is_open: bool,
}

impl Tracks {
    pub(super) fn new(target: TargetLabels) -> Self {
        Tracks { target, by_key: HashMap::new(), stored: HashMap::new(), start_ms: None }
    }

    /// Goes on from what is stored.
    pub(super) fn resume(&mut self, stored: Vec<Stored>) {
        self.stored = stored.into_iter().map(|stored| (stored.labels.clone(), stored)).collect();
    }

    /// Where counters begin, once that is known.
    pub(super) fn start_ms(&self) -> Option<i64> {
        self.start_ms
    }

    /// Counters begin here.
    pub(super) fn set_start(&mut self, start_ms: i64) {
        self.start_ms = Some(start_ms);
    }

    /// The daemon started again: every counter of jobs falls to zero.
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

    /// A counter stepped at `at_ms`; nothing may be written that is younger than `now_ms`.
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
            // Of the same time as the one before, or known only now.
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

    /// A counter has this value at `at_ms`, as it had since its last step. A new one had it from the start on.
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

    /// A counter of the daemon's own had this value at `at_ms`. Written if it is other than before, or `always`. It began with zero if
    /// it is known when that was.
    pub(super) fn total(&mut self, key: &SeriesKey, at_ms: i64, total: f64, always: bool, points: &mut Vec<Point>) {
        let track = self.counter(key, 0.0, points);
        if track.catching_up.take().is_some() {
            track.offset = (track.last - total).max(0.0);
        }
        let value = (total + track.offset).max(track.last);
        track.push_if_news(at_ms, value, always, points);
    }

    /// The daemon's own counters fell to zero.
    pub(super) fn restart_total(&mut self, key: &SeriesKey, points: &mut Vec<Point>) {
        let start_ms = self.start_ms.unwrap_or(i64::MIN);
        if let Some(track) = self.by_key.get_mut(key) {
            track.zero(start_ms, points);
        }
    }

    /// A gauge had this value at `at_ms`. Written if it is other than before, or `always`.
    pub(super) fn gauge(&mut self, key: &SeriesKey, at_ms: i64, value: f64, always: bool, points: &mut Vec<Point>) {
        let target = &self.target;
        let track =
            self.by_key.entry(key.clone()).or_insert_with(|| Track::new(key.labels(target), i64::MIN, f64::NAN));
        track.push_if_news(at_ms, value, always, points);
    }

    /// The points were handed over: none of them can be changed any more.
    pub(super) fn end_batch(&mut self) {
        self.by_key.values_mut().for_each(|track| track.step = None);
    }

    /// Marks the series as ended right after what is known of each, so that what happened since can be written at its own time.
    pub(super) fn end(&mut self, points: &mut Vec<Point>) {
        self.by_key.values_mut().for_each(|track| track.end(points));
    }

    /// Ends and forgets series of these names: others write them.
    pub(super) fn leave_out(&mut self, names: &HashSet<String>, points: &mut Vec<Point>) {
        for (_, mut track) in self.by_key.extract_if(|key, _| names.contains(key.name)) {
            track.end(points);
        }
    }

    /// The track of a counter. A new one begins at the start with `first`, where it does not go on from what is stored: with what was
    /// counted before the oldest time that is stored, or else with zero.
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

    /// Falls to zero at this time.
    fn zero(&mut self, at_ms: i64, points: &mut Vec<Point>) {
        (self.offset, self.catching_up, self.step) = (0.0, None, None);
        self.push(at_ms.max(self.last_ms.saturating_add(1)), 0.0, points);
    }

    /// What is counted has come up to what is stored: goes on from there without a step back.
    fn catch_up(&mut self, points: &mut Vec<Point>) {
        let Some(count) = self.catching_up.take() else { return };
        self.offset = (self.last - count).max(0.0);
        if count > self.last {
            // Happened before the newest sample, and is not in it.
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
