//! The canonical series of a daemon that has no metrics of its own, or not all: counted from what its feed tells.
//!
//! Counters rise by the transitions that are seen and go on over restarts of the daemon. Jobs that are there at first sight are
//! where they start, not something that happened: nothing is written before the first whole list. What the daemon does not tell
//! has no series; absent is never zero.

use std::collections::{BTreeMap, HashSet};

use exposition::page::Kind;
use model::job::JobStatus;

use super::{
    feed::Numbers,
    jobs::{Book, Change},
    sample::Metadata,
};

/// Upper bounds of `hypersdk_job_duration_seconds`, without the infinite one.
const DURATION_BOUNDS: [f64; 14] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0];

/// Most providers, and most combinations of provider, type and status, that get series of their own: the words are the daemon's,
/// and a broken one may invent new ones for ever.
const MOST_PROVIDERS: usize = 100;
const MOST_KINDS: usize = 1000;
/// What stands for the rest.
const REST: &str = "other";

/// One derived number: name, labels besides those of the target, value.
pub(super) type Derived = (&'static str, Vec<(&'static str, String)>, f64);

/// What has been counted for one daemon.
#[derive(Debug, Default)]
pub(super) struct Tally {
    providers: BTreeMap<String, ProviderTally>,
    /// Jobs that ended, by provider, type and status.
    ended: BTreeMap<(String, String, &'static str), f64>,
    http_requests: Cumulative,
    http_errors: Cumulative,
    response_seconds: Cumulative,
    numbers: Option<Numbers>,
}

#[derive(Debug, Default)]
struct ProviderTally {
    submitted: f64,
    completed: f64,
    failed: f64,
    cancelled: f64,
    /// `None` until the daemon has told any.
    bytes: Option<f64>,
    durations: Histogram,
}

#[derive(Debug, Default)]
struct Histogram {
    /// Not cumulative; the last is for what is above all bounds.
    counts: [f64; DURATION_BOUNDS.len() + 1],
    sum: f64,
}

/// A number of the daemon that falls to zero when it restarts, as one that does not.
#[derive(Debug, Default)]
struct Cumulative {
    before: f64,
    last: Option<f64>,
}

impl Cumulative {
    fn observe(&mut self, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        if let Some(last) = self.last.filter(|last| value < *last) {
            self.before += last;
        }
        self.last = Some(value);
    }

    fn total(&self) -> Option<f64> {
        self.last.map(|last| self.before + last)
    }
}

impl Tally {
    /// Counts what happened to jobs.
    pub(super) fn count(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Submitted { provider } => self.provider(provider).submitted += 1.0,
                Change::Moved { provider, bytes } => {
                    #[allow(clippy::cast_precision_loss, reason = "samples are floats")]
                    let bytes = *bytes as f64;
                    *self.provider(provider).bytes.get_or_insert(0.0) += bytes;
                }
                Change::Ended { provider, job_type, status, seconds } => {
                    let mut key = (provider.clone(), job_type.clone().unwrap_or_default(), status.name());
                    if self.ended.len() >= MOST_KINDS && !self.ended.contains_key(&key) {
                        key = (REST.to_owned(), REST.to_owned(), status.name());
                    }
                    *self.ended.entry(key).or_default() += 1.0;
                    let tally = self.provider(provider);
                    match status {
                        JobStatus::Completed => tally.completed += 1.0,
                        JobStatus::Failed => tally.failed += 1.0,
                        _ => tally.cancelled += 1.0,
                    }
                    if let Some(seconds) = seconds.filter(|_| status.is_final()) {
                        tally.durations.observe(seconds);
                    }
                }
            }
        }
    }

    /// Takes over the numbers of a feed.
    pub(super) fn observe(&mut self, numbers: &Numbers) {
        self.http_requests.observe(numbers.http_requests);
        self.http_errors.observe(numbers.http_errors);
        let seconds = numbers.mean_response_seconds.zip(numbers.http_requests).map(|(mean, requests)| mean * requests);
        self.response_seconds.observe(seconds);
        self.numbers = Some(*numbers);
    }

    fn provider(&mut self, provider: &str) -> &mut ProviderTally {
        let is_too_many = self.providers.len() >= MOST_PROVIDERS && !self.providers.contains_key(provider);
        self.providers.entry(if is_too_many { REST } else { provider }.to_owned()).or_default()
    }

    /// All series now, but those of the names in `present`, which the daemon shows itself.
    pub(super) fn series(&self, book: &Book, present: &HashSet<String>) -> Vec<Derived> {
        let mut series = Vec::new();
        self.push_jobs(book, &mut series);
        self.push_process(&mut series);
        series.retain(|(name, ..)| !present.contains(*name));
        series
    }

    fn push_jobs(&self, book: &Book, series: &mut Vec<Derived>) {
        if !book.is_filled() {
            return;
        }
        let levels = book.levels();
        for (provider, tally) in &self.providers {
            let with = |name, value| (name, vec![("provider", provider.clone())], value);
            let level = levels.get(provider).copied().unwrap_or_default();
            let pending = f64::from(level.pending);
            series.extend([
                with("hypersdk_jobs_active", f64::from(level.active)),
                with("hypersdk_jobs_pending", pending),
                with("hypersdk_queue_length", pending),
                with("hypersdk_jobs_completed_total", tally.completed),
                with("hypersdk_jobs_failed_total", tally.failed),
                with("hypersdk_jobs_cancelled_total", tally.cancelled),
                with("hypersdk_provider_jobs_total", tally.submitted),
                with("hypersdk_provider_jobs_failed", tally.failed),
            ]);
            series.extend(tally.bytes.map(|bytes| with("hypersdk_export_bytes_total", bytes)));
            tally.durations.push(provider, series);
        }
        for ((provider, job_type, status), count) in &self.ended {
            let labels =
                vec![("provider", provider.clone()), ("job_type", job_type.clone()), ("status", (*status).to_owned())];
            series.push(("hypersdk_jobs_total", labels, *count));
        }
    }

    fn push_process(&self, series: &mut Vec<Derived>) {
        let bare = |name, value: Option<f64>| value.map(|value| (name, Vec::new(), value));
        series.extend(bare("hypersdk_http_requests_total", self.http_requests.total()));
        series.extend(bare("hypersdk_http_errors_total", self.http_errors.total()));
        if let (Some(seconds), Some(requests)) = (self.response_seconds.total(), self.http_requests.total()) {
            series.extend(bare("hypersdk_http_response_time_seconds_sum", Some(seconds)));
            series.extend(bare("hypersdk_http_response_time_seconds_count", Some(requests)));
        }
        let Some(system) = self.numbers.map(|numbers| numbers.system) else { return };
        // The daemon's figure is the heap in use, and all it tells of its memory.
        series.extend(bare("hypersdk_memory_bytes", system.memory_bytes));
        let heap = |bytes| ("hypersdk_memory_bytes", vec![("type", "heap".to_owned())], bytes);
        series.extend(system.memory_bytes.map(heap));
        series.extend(bare("hypersdk_cpu_usage", system.cpu_percent));
        series.extend(bare("hypersdk_goroutines", system.goroutines));
        series.extend(bare("hypersdk_websocket_clients", system.websocket_clients));
        series.extend(bare("hypersdk_websocket_connections", system.websocket_clients));
        let websockets = |count| ("hypersdk_connections", vec![("kind", "websocket".to_owned())], count);
        series.extend(system.websocket_clients.map(websockets));
    }
}

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        let index = DURATION_BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(DURATION_BOUNDS.len());
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1.0;
        }
        self.sum += seconds;
    }

    fn push(&self, provider: &str, series: &mut Vec<Derived>) {
        let mut cumulative = 0.0;
        let bounds = DURATION_BOUNDS.iter().map(|bound| format!("{bound}")).chain(["+Inf".to_owned()]);
        for (count, bound) in self.counts.iter().zip(bounds) {
            cumulative += count;
            let labels = vec![("provider", provider.to_owned()), ("le", bound)];
            series.push(("hypersdk_job_duration_seconds_bucket", labels, cumulative));
        }
        let labels = || vec![("provider", provider.to_owned())];
        series.push(("hypersdk_job_duration_seconds_sum", labels(), self.sum));
        series.push(("hypersdk_job_duration_seconds_count", labels(), cumulative));
    }
}

/// Type and meaning of each derived family.
pub(super) fn metadata() -> Vec<Metadata> {
    [
        ("hypersdk_jobs_active", Kind::Gauge, "Jobs that run."),
        ("hypersdk_jobs_pending", Kind::Gauge, "Jobs that wait to start."),
        ("hypersdk_queue_length", Kind::Gauge, "Jobs that wait to start."),
        ("hypersdk_jobs_total", Kind::Counter, "Jobs that ended, by how."),
        ("hypersdk_jobs_completed_total", Kind::Counter, "Jobs that ended well."),
        ("hypersdk_jobs_failed_total", Kind::Counter, "Jobs that failed."),
        ("hypersdk_jobs_cancelled_total", Kind::Counter, "Jobs that were cancelled."),
        ("hypersdk_job_duration_seconds", Kind::Histogram, "Time from the start to the end of a job."),
        ("hypersdk_provider_jobs_total", Kind::Counter, "Jobs that were submitted."),
        ("hypersdk_provider_jobs_failed", Kind::Counter, "Jobs that failed."),
        ("hypersdk_export_bytes_total", Kind::Counter, "Bytes moved by jobs."),
        ("hypersdk_http_requests_total", Kind::Counter, "HTTP requests to the daemon."),
        ("hypersdk_http_errors_total", Kind::Counter, "HTTP requests that the daemon answered with an error."),
        ("hypersdk_http_response_time_seconds", Kind::Histogram, "Time that the daemon took to answer."),
        ("hypersdk_memory_bytes", Kind::Gauge, "Memory in use by the daemon."),
        ("hypersdk_cpu_usage", Kind::Gauge, "Processor use of the daemon in percent."),
        ("hypersdk_goroutines", Kind::Gauge, "Goroutines of the daemon."),
        ("hypersdk_websocket_clients", Kind::Gauge, "Open WebSocket connections of the daemon."),
        ("hypersdk_websocket_connections", Kind::Gauge, "Open WebSocket connections of the daemon."),
        ("hypersdk_connections", Kind::Gauge, "Open connections of the daemon, by kind."),
    ]
    .into_iter()
    .map(|(name, kind, help)| Metadata { name: name.to_owned(), kind, help: help.to_owned(), unit: String::new() })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{
        feed::SystemReading,
        jobs::{JobUpdate, Moment, Rules},
    };

    fn value(series: &[Derived], name: &str, label: (&str, &str)) -> Option<f64> {
        let has = |labels: &[(&'static str, String)]| labels.iter().any(|(name, value)| (*name, &**value) == label);
        series
            .iter()
            .find(|(known, labels, _)| *known == name && (label.0.is_empty() || has(labels)))
            .map(|found| found.2)
    }

    #[test]
    fn counters_start_at_what_is_there_and_rise_by_what_happens() {
        let mut book = Book::new("d", Rules { cancelled_is_final: true, most_ended: 100 });
        let mut tally = Tally::default();
        assert!(tally.series(&book, &HashSet::new()).is_empty(), "nothing is known yet");
        let job = |id: &str, status| JobUpdate {
            id: id.to_owned(),
            status: Some(status),
            provider: Some("aws".to_owned()),
            job_type: Some("export".to_owned()),
            started_at: Some(1_000),
            completed_at: Some(4_000),
            ..JobUpdate::default()
        };
        let moment = |now_ms| Moment { now_ms, daemon_ms: now_ms };
        let list = vec![job("a", JobStatus::Completed), job("b", JobStatus::Running), job("c", JobStatus::Pending)];
        tally.count(&book.replace(list, &[], moment(5_000), false).changes);
        let series = tally.series(&book, &HashSet::new());
        let aws = ("provider", "aws");
        assert_eq!(value(&series, "hypersdk_jobs_completed_total", aws), Some(1.0));
        assert_eq!(value(&series, "hypersdk_provider_jobs_total", aws), Some(3.0));
        assert_eq!(value(&series, "hypersdk_jobs_active", aws), Some(1.0));
        assert_eq!(value(&series, "hypersdk_queue_length", aws), Some(1.0));
        assert_eq!(value(&series, "hypersdk_export_bytes_total", aws), None, "absent is not zero");
        assert_eq!(value(&series, "hypersdk_job_duration_seconds_bucket", ("le", "2")), Some(0.0));
        assert_eq!(value(&series, "hypersdk_job_duration_seconds_bucket", ("le", "4")), Some(1.0));
        assert_eq!(value(&series, "hypersdk_job_duration_seconds_bucket", ("le", "+Inf")), Some(1.0));

        tally.count(&book.update(vec![job("b", JobStatus::Failed)], moment(6_000)).changes);
        tally.count(&book.update(vec![job("b", JobStatus::Failed)], moment(7_000)).changes);
        tally.count(&book.replace(Vec::new(), &[], moment(9_000), true).changes);
        let series = tally.series(&book, &HashSet::new());
        assert_eq!(value(&series, "hypersdk_jobs_failed_total", aws), Some(1.0));
        assert_eq!(value(&series, "hypersdk_jobs_total", ("status", "failed")), Some(1.0));
        assert_eq!(value(&series, "hypersdk_jobs_completed_total", aws), Some(1.0), "a restart takes nothing away");
        assert_eq!(value(&series, "hypersdk_jobs_active", aws), Some(0.0));

        let present = HashSet::from(["hypersdk_jobs_failed_total".to_owned()]);
        assert_eq!(value(&tally.series(&book, &present), "hypersdk_jobs_failed_total", aws), None);
    }

    #[test]
    fn a_daemon_that_invents_providers_does_not_make_series_for_ever() {
        let mut book = Book::new("d", Rules { cancelled_is_final: true, most_ended: 10_000 });
        let mut tally = Tally::default();
        let job = |number: usize| JobUpdate {
            id: number.to_string(),
            status: Some(JobStatus::Failed),
            provider: Some(format!("provider-{number}")),
            ..JobUpdate::default()
        };
        let moment = Moment { now_ms: 1, daemon_ms: 1 };
        tally.count(&book.replace((0..5000).map(job).collect(), &[], moment, false).changes);
        let series = tally.series(&book, &HashSet::new());
        let failed = series.iter().filter(|(name, ..)| *name == "hypersdk_jobs_failed_total");
        assert_eq!(failed.clone().count(), MOST_PROVIDERS + 1);
        assert_eq!(failed.map(|(.., value)| value).sum::<f64>(), 5000.0);
        assert_eq!(series.iter().filter(|(name, ..)| *name == "hypersdk_jobs_total").count(), MOST_KINDS + 1);
    }

    #[test]
    fn numbers_of_the_process_go_on_over_a_restart() {
        let book = Book::new("d", Rules { cancelled_is_final: true, most_ended: 100 });
        let mut tally = Tally::default();
        for requests in [10.0, 30.0, 5.0] {
            tally.observe(&Numbers {
                http_requests: Some(requests),
                mean_response_seconds: Some(0.5),
                system: SystemReading { memory_bytes: Some(7.0), ..SystemReading::default() },
                ..Numbers::default()
            });
        }
        let series = tally.series(&book, &HashSet::new());
        let none = ("", "");
        assert_eq!(value(&series, "hypersdk_http_requests_total", none), Some(35.0));
        assert_eq!(value(&series, "hypersdk_http_response_time_seconds_sum", none), Some(17.5));
        assert_eq!(value(&series, "hypersdk_memory_bytes", ("type", "heap")), Some(7.0));
        assert_eq!(value(&series, "hypersdk_http_errors_total", none), None);
        assert_eq!(value(&series, "hypersdk_cpu_usage", none), None);
    }
}
