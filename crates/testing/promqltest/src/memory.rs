//! Series in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use labels::{Labels, METRIC_NAME, Matcher};
use promql::Options;
use timeseries::{
    Sample, SeriesSamples, SeriesSource, SourceError,
    histogram::{CUSTOM, Histogram, ResetHint},
    is_stale_marker,
};

use crate::{Answer, Target, Times, series::Loaded};

/// Samples of each series by time.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<Labels, BTreeMap<i64, Sample>>);

impl Memory {
    /// Adds series. With custom buckets, each classic histogram is also added as a native one.
    pub(crate) fn add(&mut self, loaded: Vec<Loaded>, with_custom_buckets: bool) {
        if with_custom_buckets {
            self.add_converted(&loaded);
        }
        for Loaded { series, step_ms } in loaded {
            let samples = self.0.entry(series.labels).or_default();
            for (index, sample) in (0..).zip(series.samples) {
                if let Some(sample) = sample {
                    samples.insert(index * step_ms, sample);
                }
            }
        }
    }

    /// Each series with its samples by time.
    pub(crate) fn series(&self) -> impl Iterator<Item = (&Labels, &BTreeMap<i64, Sample>)> {
        self.0.iter()
    }

    fn add_converted(&mut self, loaded: &[Loaded]) {
        let mut found: BTreeMap<(Labels, i64), Classic> = BTreeMap::new();
        for Loaded { series, step_ms } in loaded {
            let name = series.labels.metric_name();
            for suffix in ["_bucket", "_sum", "_count"] {
                let Some(base) = name.strip_suffix(suffix) else { continue };
                let bound = series.labels.get("le").parse::<f64>();
                let labels = series.labels.with(METRIC_NAME, base).with("le", "");
                for (index, sample) in (0..).zip(&series.samples) {
                    let Some(Sample::Float(value)) = sample else { continue };
                    if is_stale_marker(*value) {
                        continue;
                    }
                    let classic = found.entry((labels.clone(), index * step_ms)).or_default();
                    match (suffix, &bound) {
                        ("_bucket", Ok(bound)) => {
                            classic.buckets.retain(|(known, _)| known != bound);
                            classic.buckets.push((*bound, *value));
                        }
                        ("_sum", _) => classic.sum = *value,
                        ("_count", _) => classic.count = Some(*value),
                        _ => {}
                    }
                }
            }
        }
        for ((labels, time), classic) in found {
            if !classic.buckets.is_empty() {
                let sample = Sample::Histogram(Arc::new(classic.convert()));
                self.0.entry(labels).or_default().entry(time).or_insert(sample);
            }
        }
    }
}

/// Sets for each counter histogram that follows another one whether there was a reset, as Prometheus' storage does.
fn note_resets(samples: &mut BTreeMap<i64, Sample>) {
    let mut before: Option<Arc<Histogram>> = None;
    for sample in samples.values_mut() {
        let Sample::Histogram(histogram) = sample else {
            before = None;
            continue;
        };
        if let Some(before) = &before
            && histogram.reset_hint == ResetHint::Unknown
            && before.reset_hint != ResetHint::Gauge
        {
            let hint = if histogram.detects_reset(before) { ResetHint::Reset } else { ResetHint::NotReset };
            *histogram = Arc::new(Histogram { reset_hint: hint, ..Histogram::clone(histogram) });
        }
        before = Some(Arc::clone(histogram));
    }
}

/// A classic histogram at one time.
#[derive(Debug, Default)]
struct Classic {
    buckets: Vec<(f64, f64)>,
    sum: f64,
    count: Option<f64>,
}

impl Classic {
    fn convert(mut self) -> Histogram {
        self.buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        let last = self.buckets.last().map_or(0.0, |(_, count)| *count);
        let total = self.count.unwrap_or(last);
        if self.buckets.last().is_none_or(|(bound, _)| bound.is_finite()) {
            self.buckets.push((f64::INFINITY, total));
        }
        let mut below = 0.0;
        let mut positive = Vec::new();
        for (index, (_, count)) in (0..).zip(&self.buckets) {
            if *count != below {
                positive.push((index, count - below));
            }
            below = *count;
        }
        let bounds = self.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite());
        Histogram {
            schema: CUSTOM,
            count: total,
            sum: self.sum,
            positive,
            custom_bounds: bounds.collect(),
            ..Histogram::default()
        }
    }
}

impl Target for Memory {
    fn clear(&mut self) -> Result<(), String> {
        self.0.clear();
        Ok(())
    }

    fn load(&mut self, loaded: Vec<Loaded>, with_custom_buckets: bool) -> Result<(), String> {
        self.add(loaded, with_custom_buckets);
        self.0.values_mut().for_each(note_resets);
        Ok(())
    }

    fn evaluate(&self, expression: &str, (start, end, step): Times) -> Result<Answer, String> {
        let query = promql::parse(expression).map_err(|error| error.to_string())?;
        let options = Options { experimental: true, max_points_per_series: 1_000_000, ..Options::default() };
        let outcome = if step == 0 {
            query.instant(self, start, &options)
        } else {
            query.range(self, start, end, step, &options)
        };
        outcome.map(Answer::from).map_err(|error| error.to_string())
    }

    fn has_histograms(&self) -> bool {
        self.0.values().any(|samples| samples.values().any(|sample| matches!(sample, Sample::Histogram(_))))
    }
}

impl SeriesSource for Memory {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let mut found = Vec::new();
        for (labels, samples) in &self.0 {
            if end_ms < start_ms || !matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name))) {
                continue;
            }
            let mut series = SeriesSamples { labels: labels.clone(), ..SeriesSamples::default() };
            for (time, sample) in samples.range(start_ms..=end_ms) {
                match sample {
                    Sample::Float(value) => {
                        series.timestamps.push(*time);
                        series.values.push(*value);
                    }
                    Sample::Histogram(histogram) => series.histograms.push((*time, Arc::clone(histogram))),
                }
            }
            if !(series.timestamps.is_empty() && series.histograms.is_empty()) {
                found.push(series);
            }
        }
        Ok(found)
    }
}
