//! Derives the canonical series of a daemon whose own metrics are missing or incomplete, from the messages of its feed.
//!
//! Jobs are counted, not estimated. A counter starts at zero when the daemon's process started. It increases when a job
//! ended, at the job's own time, also for jobs that ended before we connected or while the connection was down. When
//! the process restarts, the counter resets to zero. Our own restart changes nothing: we count the daemon's list again,
//! and do not write what is already stored. Jobs that ended before the retention of the store are part of the counter's
//! first value.
//!
//! Gauges are written when they change. A value that the daemon does not report has no series; absent is never zero.
//! Nothing is written before the first complete list of jobs.

mod counts;
mod families;
mod tracks;

use std::collections::{HashSet, VecDeque};

use labels::{Labels, TargetLabels};
use timeseries::Point;

pub(crate) use self::families::metadata;
pub use self::tracks::Stored;
use self::{counts::Counts, tracks::Tracks};
use crate::{
    daemon::{News, Step},
    feed::Numbers,
    jobs::{Change, Levels},
};

/// Number of points after which a batch is returned, so that a long history needs little memory at a time.
const MOST_POINTS: usize = 50_000;

/// Identifies a derived series: its name, and its labels besides the target labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct SeriesKey {
    name: &'static str,
    labels: Vec<(&'static str, String)>,
}

impl SeriesKey {
    fn bare(name: &'static str) -> Self {
        SeriesKey { name, labels: Vec::new() }
    }

    fn of_provider(name: &'static str, provider: &str) -> Self {
        SeriesKey { name, labels: vec![("provider", provider.to_owned())] }
    }

    fn labels(&self, target: &TargetLabels) -> Labels {
        let pairs: Vec<(&str, &str)> = self.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        target.series(self.name, &pairs)
    }
}

/// Which series to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// All, because a scrape is due.
    All,
    /// Only those that changed.
    Changed,
}

/// Derives the series of one daemon, and tracks what is already written.
pub(crate) struct Deriver {
    counts: Counts,
    tracks: Tracks,
    /// Steps to count, in order.
    waiting: VecDeque<Step>,
    /// Retention of the store, in milliseconds.
    stored_ms: i64,
    /// The last request count that the daemon reported.
    requests: Option<f64>,
    /// Whether the daemon's own counters were reset since.
    has_restarted: bool,
}

impl Deriver {
    /// Creates one for a target whose samples are stored for `stored_ms` milliseconds.
    pub(crate) fn new(target: TargetLabels, stored_ms: i64) -> Self {
        Deriver {
            counts: Counts::default(),
            tracks: Tracks::new(target),
            waiting: VecDeque::new(),
            stored_ms,
            requests: None,
            has_restarted: false,
        }
    }

    /// Continues from the stored samples.
    pub(crate) fn resume(&mut self, stored: Vec<Stored>) {
        self.tracks.resume(stored);
    }

    /// Enqueues steps to count.
    pub(crate) fn take(&mut self, news: &mut News, now_ms: i64) {
        let mut steps = std::mem::take(&mut news.steps);
        // Ordered by time within each run of the process.
        for life in steps.split_mut(|step| matches!(step, Step::NewLife { .. })) {
            life.sort_by_key(|step| match step {
                Step::Change(change) => change.at_ms,
                Step::NewLife { start_ms } => *start_ms,
            });
        }
        if self.tracks.start_ms().is_none() {
            let first_ms = steps.iter().find_map(|step| match step {
                Step::Change(change) => Some(change.at_ms.saturating_sub(1)),
                Step::NewLife { .. } => None,
            });
            // If the daemon has jobs from an earlier run, its counters started then.
            let start_ms = news.start_ms.into_iter().chain(first_ms).min();
            let oldest_ms = now_ms.saturating_sub(self.stored_ms);
            self.tracks.set_start(start_ms.unwrap_or(now_ms).clamp(oldest_ms, now_ms));
        }
        self.waiting.extend(steps);
    }

    /// Counts the enqueued steps up to `now_ms`. True if there are more: write the points first, then call again.
    pub(crate) fn count(&mut self, now_ms: i64, present: &HashSet<String>, points: &mut Vec<Point>) -> bool {
        let oldest_ms = now_ms.saturating_sub(self.stored_ms);
        while let Some(step) = self.waiting.pop_front() {
            match step {
                Step::NewLife { start_ms } => {
                    self.counts.reset();
                    self.has_restarted = true;
                    self.tracks.restart(start_ms.min(now_ms), self.counts.iter().map(|(key, _)| key), points);
                }
                Step::Change(change) => {
                    let at_ms = change.at_ms;
                    self.counts.count(&change);
                    while let Some(next) = self.next_at(at_ms) {
                        self.counts.count(&next);
                    }
                    let changed = self.counts.take_changed();
                    if at_ms >= oldest_ms {
                        for step in changed.iter().filter(|step| !present.contains(step.key.name)) {
                            self.tracks.step(step, at_ms, now_ms, points);
                        }
                    }
                }
            }
            if points.len() >= MOST_POINTS && !self.waiting.is_empty() {
                self.tracks.end_batch();
                return true;
            }
        }
        false
    }

    /// The next change, if it has the same time.
    fn next_at(&mut self, at_ms: i64) -> Option<Change> {
        match self.waiting.pop_front() {
            Some(Step::Change(next)) if next.at_ms == at_ms => Some(next),
            Some(other) => {
                self.waiting.push_front(other);
                None
            }
            None => None,
        }
    }

    /// Writes the values at `at_ms`, except series with names in `present`, which the daemon exposes itself. Ends the
    /// batch.
    pub(crate) fn measure(
        &mut self,
        news: &News,
        at_ms: i64,
        due: Due,
        present: &HashSet<String>,
        points: &mut Vec<Point>,
    ) {
        self.tracks.leave_out(present, points);
        for provider in news.levels.keys() {
            self.counts.provider(provider);
        }
        let is_absent = |key: &SeriesKey| !present.contains(key.name);
        if due == Due::All {
            for (key, count) in self.counts.iter().filter(|(key, _)| is_absent(key)) {
                self.tracks.hold(key, at_ms, count, points);
            }
        }
        let always = due == Due::All;
        for provider in self.counts.providers() {
            let Levels { active, pending } = news.levels.get(provider).copied().unwrap_or_default();
            for (name, level) in [
                ("hypersdk_jobs_active", active),
                ("hypersdk_jobs_pending", pending),
                ("hypersdk_queue_length", pending),
            ] {
                let key = SeriesKey::of_provider(name, provider);
                if is_absent(&key) {
                    self.tracks.gauge(&key, at_ms, f64::from(level), always, points);
                }
            }
        }
        if let Some(numbers) = &news.numbers {
            self.measure_totals(numbers, at_ms, always, present, points);
            for (key, value) in gauges(numbers).into_iter().filter(|(key, _)| is_absent(key)) {
                self.tracks.gauge(&key, at_ms, value, always, points);
            }
        }
        self.tracks.end_batch();
    }

    fn measure_totals(
        &mut self,
        numbers: &Numbers,
        at_ms: i64,
        always: bool,
        present: &HashSet<String>,
        points: &mut Vec<Point>,
    ) {
        let requests = numbers.http_requests.filter(|requests| requests.is_finite());
        let has_fallen = self.requests.zip(requests).is_some_and(|(before, now)| now < before);
        let has_restarted = std::mem::take(&mut self.has_restarted) || has_fallen;
        self.requests = requests.or(self.requests);
        let seconds = numbers.mean_response_seconds.zip(requests).map(|(mean, requests)| mean * requests);
        for (name, total) in [
            ("hypersdk_http_requests_total", requests),
            ("hypersdk_http_errors_total", numbers.http_errors),
            ("hypersdk_http_response_time_seconds_sum", seconds),
            ("hypersdk_http_response_time_seconds_count", seconds.and(requests)),
        ] {
            let key = SeriesKey::bare(name);
            let Some(total) = total.filter(|total| total.is_finite() && !present.contains(name)) else { continue };
            if has_restarted {
                self.tracks.restart_total(&key, points);
            }
            self.tracks.total(&key, at_ms, total, always, points);
        }
    }

    /// The daemon does not answer: writes stale markers right after the last known value of each series.
    pub(crate) fn end(&mut self, points: &mut Vec<Point>) {
        self.tracks.end(points);
    }
}

/// Gauges of the daemon's process.
fn gauges(numbers: &Numbers) -> Vec<(SeriesKey, f64)> {
    let system = numbers.system;
    let labelled = |name, label, value: &str| SeriesKey { name, labels: vec![(label, value.to_owned())] };
    let values = [
        // The daemon only reports its heap in use, so this is its memory as well.
        (SeriesKey::bare("hypersdk_memory_bytes"), system.memory_bytes),
        (labelled("hypersdk_memory_bytes", "type", "heap"), system.memory_bytes),
        (SeriesKey::bare("hypersdk_cpu_usage"), system.cpu_percent),
        (SeriesKey::bare("hypersdk_goroutines"), system.goroutines),
        (SeriesKey::bare("hypersdk_websocket_clients"), system.websocket_clients),
        (SeriesKey::bare("hypersdk_websocket_connections"), system.websocket_clients),
        (labelled("hypersdk_connections", "kind", "websocket"), system.websocket_clients),
    ];
    values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

#[cfg(test)]
mod tests;
