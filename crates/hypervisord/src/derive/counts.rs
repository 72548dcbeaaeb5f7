//! Counters of jobs by kind, and histograms of their durations.

use std::collections::{BTreeMap, BTreeSet};

use model::job::JobStatus;

use super::SeriesKey;
use crate::jobs::{Change, What};

/// Upper bounds of `hypersdk_job_duration_seconds`, without `+Inf`.
const DURATION_BOUNDS: [f64; 14] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0];
/// Counters of each provider besides the histogram: all start with the provider's first job.
const COUNTERS: [&str; 5] = [
    "hypersdk_jobs_completed_total",
    "hypersdk_jobs_failed_total",
    "hypersdk_jobs_cancelled_total",
    "hypersdk_provider_jobs_total",
    "hypersdk_provider_jobs_failed",
];
/// Maximum number of providers, and of combinations of provider, type and status, that have their own series: the
/// daemon chooses the values, and a faulty one may invent new values forever.
const MOST_PROVIDERS: usize = 100;
const MOST_KINDS: usize = 1000;
/// The label value of the remaining ones.
const REST: &str = "other";

/// One increase of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CountStep {
    pub(super) key: SeriesKey,
    pub(super) before: f64,
    pub(super) after: f64,
}

/// The counters since one start of a daemon's process.
#[derive(Debug, Default)]
pub(super) struct Counts {
    values: BTreeMap<SeriesKey, f64>,
    /// Series that increased, with their previous values.
    changed: BTreeMap<SeriesKey, f64>,
    providers: BTreeSet<String>,
    kinds: usize,
}

impl Counts {
    /// Counts a change of a job.
    pub(super) fn count(&mut self, change: &Change) {
        let provider = self.provider(&change.provider);
        match &change.what {
            What::Submitted => self.add("hypersdk_provider_jobs_total", &provider, 1.0),
            What::Moved { bytes } => {
                #[allow(clippy::cast_precision_loss, reason = "samples are floats")]
                self.add("hypersdk_export_bytes_total", &provider, *bytes as f64);
            }
            What::Ended { job_type, status, seconds } => {
                self.count_kind(&provider, job_type.as_deref().unwrap_or_default(), status.name());
                match status {
                    JobStatus::Completed => self.add("hypersdk_jobs_completed_total", &provider, 1.0),
                    JobStatus::Failed => {
                        self.add("hypersdk_jobs_failed_total", &provider, 1.0);
                        self.add("hypersdk_provider_jobs_failed", &provider, 1.0);
                    }
                    _ => self.add("hypersdk_jobs_cancelled_total", &provider, 1.0),
                }
                if let Some(seconds) = *seconds {
                    self.observe(&provider, seconds);
                }
            }
        }
    }

    /// Resets all counters to zero; the series stay.
    pub(super) fn reset(&mut self) {
        self.values.values_mut().for_each(|value| *value = 0.0);
        self.changed.clear();
    }

    /// All series with their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&SeriesKey, f64)> {
        self.values.iter().map(|(key, value)| (key, *value))
    }

    /// Increases since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<CountStep> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let steps = changed.map(|(key, before)| {
            let after = self.values.get(&key).copied().unwrap_or(before);
            CountStep { key, before, after }
        });
        steps.collect()
    }

    /// The provider under which a job is counted. The counters of a new one start at zero.
    pub(super) fn provider(&mut self, name: &str) -> String {
        if self.providers.contains(name) {
            return name.to_owned();
        }
        let name = if self.providers.len() >= MOST_PROVIDERS { REST } else { name };
        if self.providers.insert(name.to_owned()) {
            for counter in COUNTERS {
                self.values.insert(SeriesKey::of_provider(counter, name), 0.0);
            }
            for (key, _) in durations(name) {
                self.values.insert(key, 0.0);
            }
        }
        name.to_owned()
    }

    /// Providers of all jobs so far.
    pub(super) fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(String::as_str)
    }

    fn add(&mut self, name: &'static str, provider: &str, more: f64) {
        self.add_to(SeriesKey::of_provider(name, provider), more);
    }

    fn add_to(&mut self, key: SeriesKey, more: f64) {
        let value = self.values.entry(key.clone()).or_default();
        self.changed.entry(key).or_insert(*value);
        *value += more;
    }

    fn count_kind(&mut self, provider: &str, job_type: &str, status: &'static str) {
        let key = |provider: &str, job_type: &str| SeriesKey {
            name: "hypersdk_jobs_total",
            labels: vec![
                ("provider", provider.to_owned()),
                ("job_type", job_type.to_owned()),
                ("status", status.to_owned()),
            ],
        };
        let mut kind = key(provider, job_type);
        if !self.values.contains_key(&kind) {
            if self.kinds < MOST_KINDS {
                self.kinds += 1;
            } else {
                kind = key(REST, REST);
            }
        }
        self.add_to(kind, 1.0);
    }

    fn observe(&mut self, provider: &str, seconds: f64) {
        for (key, bound) in durations(provider) {
            match bound {
                Some(bound) if seconds > bound => {}
                _ if key.name.ends_with("_sum") => self.add_to(key, seconds),
                _ => self.add_to(key, 1.0),
            }
        }
    }
}

/// The series of a provider's duration histogram; buckets with their bounds.
fn durations(provider: &str) -> impl Iterator<Item = (SeriesKey, Option<f64>)> {
    let bucket = |le: String| SeriesKey {
        name: "hypersdk_job_duration_seconds_bucket",
        labels: vec![("provider", provider.to_owned()), ("le", le)],
    };
    let finite = DURATION_BOUNDS.into_iter().map(move |bound| (bucket(bound.to_string()), Some(bound)));
    let rest = [
        bucket("+Inf".to_owned()),
        SeriesKey::of_provider("hypersdk_job_duration_seconds_sum", provider),
        SeriesKey::of_provider("hypersdk_job_duration_seconds_count", provider),
    ];
    finite.chain(rest.map(|key| (key, None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(provider: &str, what: What) -> Change {
        Change { at_ms: 1, provider: provider.to_owned(), what }
    }

    fn value(counts: &Counts, name: &str, label: (&str, &str)) -> Option<f64> {
        let has = |key: &SeriesKey| key.labels.iter().any(|(name, value)| (*name, &**value) == label);
        counts.iter().find(|(key, _)| key.name == name && has(key)).map(|(_, value)| value)
    }

    #[test]
    fn a_job_counts_in_each_series_that_it_belongs_to() {
        let mut counts = Counts::default();
        counts.count(&change("aws", What::Submitted));
        let aws = ("provider", "aws");
        assert_eq!(value(&counts, "hypersdk_jobs_completed_total", aws), Some(0.0), "it begins with its provider");
        assert_eq!(value(&counts, "hypersdk_export_bytes_total", aws), None, "absent is not zero");
        let ended = What::Ended { job_type: None, status: JobStatus::Completed, seconds: Some(3.0) };
        counts.take_changed();
        counts.count(&change("aws", ended));
        assert_eq!(value(&counts, "hypersdk_jobs_total", ("status", "completed")), Some(1.0));
        for (le, expected) in [("2", 0.0), ("4", 1.0), ("+Inf", 1.0)] {
            assert_eq!(value(&counts, "hypersdk_job_duration_seconds_bucket", ("le", le)), Some(expected), "{le}");
        }
        assert_eq!(value(&counts, "hypersdk_job_duration_seconds_sum", aws), Some(3.0));
        let changed: Vec<_> = counts.take_changed().into_iter().map(|step| step.key.name).collect();
        assert!(changed.contains(&"hypersdk_jobs_completed_total"));
        assert!(!changed.contains(&"hypersdk_jobs_failed_total"), "{changed:?}");
    }

    #[test]
    fn a_daemon_that_invents_providers_does_not_make_series_for_ever() {
        let mut counts = Counts::default();
        for number in 0..5000 {
            let failed = What::Ended { job_type: None, status: JobStatus::Failed, seconds: None };
            counts.count(&change(&format!("provider-{number}"), failed));
        }
        let failed = counts.iter().filter(|(key, _)| key.name == "hypersdk_jobs_failed_total");
        assert_eq!(failed.count(), MOST_PROVIDERS + 1);
        assert_eq!(value(&counts, "hypersdk_jobs_failed_total", ("provider", REST)), Some(4900.0));
    }
}
