//! Selectors: reads samples from the source, and aligns them to the steps.

use std::sync::Arc;

use super::{
    Context,
    edges::{Ends, smoothed_column},
    window::Frame,
};
use crate::{
    engine::EvalError,
    functions::Inputs,
    plan::{Edges, Node, Selector},
    syntax::length::{Length, to_seconds},
    value::{Column, Series, Steps, Track},
};
use labels::{Labels, Matcher};
use timeseries::{
    STALE_NAN, Sample, SeriesSamples,
    histogram::{Histogram, ResetHint},
    is_stale_marker,
};

impl Context<'_> {
    /// Series with their samples after `start_ms`, up to and including `end_ms`.
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, EvalError> {
        let found = self.source.select(matchers, start_ms.saturating_add(1), end_ms)?;
        if found.len() > self.options.max_series {
            let (count, most) = (found.len(), self.options.max_series);
            return Err(EvalError::Limit(format!(
                "the selector matches {count} series, more than the limit of {most}"
            )));
        }
        self.charge(found.iter().map(|series| series.timestamps.len() + series.histograms.len()).sum())?;
        Ok(found)
    }

    /// An instant vector selector: at each step the latest sample, unless it is too old or the series ended.
    pub(super) fn instant(&self, selector: &Selector, steps: Steps) -> Result<Vec<Series>, EvalError> {
        let look_back = self.options.look_back_ms;
        match selector.edges {
            Edges::Plain => self.pick(selector, steps, |_, samples, times| latest(&samples, times, look_back)),
            Edges::Smoothed => self.pick(selector, steps, |labels, samples, times| {
                let mut notes = self.notes.borrow_mut();
                let mut inputs = Inputs {
                    scalars: [0.0; 2],
                    metric: labels.metric_name(),
                    position: selector.position,
                    scalar_position: selector.position,
                    notes: &mut notes,
                    error: None,
                };
                smoothed_column(&track(samples), times, look_back, &mut inputs)
            }),
            Edges::Anchored => {
                Err(EvalError::Query("anchored modifier can only be used with range selectors".to_owned()))
            }
        }
    }

    /// For each step the time, in seconds, of the sample that a selector finds.
    pub(super) fn sample_times(&self, selector: &Selector, steps: Steps) -> Result<Vec<Series>, EvalError> {
        let look_back = self.options.look_back_ms;
        self.pick(selector, steps, |_, samples, times| latest_times(&samples, times, look_back))
    }

    /// Series with the times, in milliseconds, of the floats that are current at each step, of those in the window
    /// (start exclusive).
    ///
    /// # Errors
    ///
    /// A histogram would be current.
    pub(super) fn info_times(
        &self,
        matchers: &[Matcher],
        window: (i64, i64),
        steps: Steps,
    ) -> Result<Vec<Series>, EvalError> {
        let found = self.select(matchers, window.0, window.1)?;
        self.afford(found.len().saturating_mul(steps.count))?;
        let mut picked = Vec::with_capacity(found.len());
        for samples in found {
            self.check()?;
            let mut column = Column::absent(steps.count);
            let mut has_histograms = false;
            each_latest(&samples, steps, self.options.look_back_ms, |step, time, sample| match sample {
                Sample::Float(_) => column.set(step, Some(Sample::Float(whole(time)))),
                Sample::Histogram(_) => has_histograms = true,
            });
            if has_histograms {
                let text = format!("this should be an info metric, with float samples: {}", samples.labels);
                return Err(EvalError::Query(text));
            }
            if !column.is_absent() {
                picked.push(Series { labels: samples.labels, drop_name: false, column });
            }
        }
        Ok(picked)
    }

    fn ends(&self, selector: &Selector) -> Ends {
        Ends { edges: selector.edges, look_back_ms: self.options.look_back_ms }
    }

    fn pick(
        &self,
        selector: &Selector,
        steps: Steps,
        column: impl Fn(&Labels, SeriesSamples, Steps) -> Column,
    ) -> Result<Vec<Series>, EvalError> {
        let (offset, at) = self.resolve(&selector.shift)?;
        let times = match at {
            Some(time) => Steps::instant(time.saturating_sub(offset)),
            None => Steps { start_ms: steps.start_ms.saturating_sub(offset), ..steps },
        };
        let needed = (times.start_ms.saturating_sub(self.options.look_back_ms), times.end_ms());
        let ahead = self.ends(selector).widened(needed).1;
        let found = self.select(&selector.matchers, needed.0, ahead)?;
        self.afford(found.len().saturating_mul(steps.count))?;
        let mut picked = Vec::with_capacity(found.len());
        for mut samples in found {
            self.check()?;
            if selector.counts_only {
                drop_buckets(&mut samples.histograms, selector.edges == Edges::Smoothed);
            }
            let labels = std::mem::take(&mut samples.labels);
            let mut column = column(&labels, samples, times);
            if column.is_absent() {
                continue;
            }
            if at.is_some()
                && let Some(sample) = column.get(0)
            {
                column = Column::constant(sample, steps.count);
            }
            picked.push(Series { labels, drop_name: false, column });
        }
        Ok(picked)
    }

    /// A range vector: series with all samples that any step's window may contain.
    pub(crate) fn tracks(&self, node: &Node, steps: Steps) -> Result<(Vec<Track>, Frame), EvalError> {
        match node {
            Node::Range(selector, range) => self.range(selector, range, steps),
            Node::Subquery(subquery) => self.subquery(subquery, steps),
            _ => Err(EvalError::Query("expected type range vector".to_owned())),
        }
    }

    fn range(&self, selector: &Selector, range: &Length, steps: Steps) -> Result<(Vec<Track>, Frame), EvalError> {
        let (offset_ms, at) = self.resolve(&selector.shift)?;
        let frame = Frame { range_ms: self.range_milliseconds(range)?, offset_ms, at };
        let (start, _) = frame.window(steps.start_ms);
        let (_, end) = frame.window(steps.end_ms());
        let (start, end) = self.ends(selector).widened((start, end));
        let mut found = self.select(&selector.matchers, start, end)?;
        if selector.counts_only {
            found.iter_mut().for_each(|samples| drop_buckets(&mut samples.histograms, true));
        }
        Ok((found.into_iter().map(track).collect(), frame))
    }
}

/// Reduces each histogram to its count and sum. If requested, first detects resets that only show in the buckets.
fn drop_buckets(histograms: &mut [(i64, Arc<Histogram>)], detects_resets: bool) {
    let mut before: Option<Arc<Histogram>> = None;
    for (_, histogram) in histograms.iter_mut().filter(|(_, histogram)| !histogram.is_stale_marker()) {
        let reset_hint = match (histogram.reset_hint, &before) {
            (ResetHint::Unknown, Some(before)) if histogram.detects_reset(before) => ResetHint::Reset,
            (ResetHint::Unknown, Some(_)) => ResetHint::NotReset,
            (hint, _) => hint,
        };
        let counts = Histogram { count: histogram.count, sum: histogram.sum, reset_hint, ..Histogram::default() };
        let whole = std::mem::replace(histogram, Arc::new(counts));
        before = detects_resets.then_some(whole);
    }
}

/// A time as a float, which represents it exactly.
#[allow(clippy::cast_precision_loss, reason = "times are far below 2^53 ms")]
fn whole(milliseconds: i64) -> f64 {
    milliseconds as f64
}

/// Samples as a series of a range vector, without stale markers.
fn track(samples: SeriesSamples) -> Track {
    let SeriesSamples { labels, mut timestamps, mut values, mut histograms } = samples;
    if values.iter().any(|value| is_stale_marker(*value)) {
        (timestamps, values) = timestamps.into_iter().zip(values).filter(|(_, value)| !is_stale_marker(*value)).unzip();
    }
    histograms.retain(|(_, histogram)| !histogram.is_stale_marker());
    Track { labels, drop_name: false, times: timestamps, values, histograms }
}

/// At each time the latest sample that is at most `look_back` old.
fn latest(samples: &SeriesSamples, times: Steps, look_back: i64) -> Column {
    if samples.histograms.is_empty() {
        let mut next = 0;
        let values = times.times().map(|time| match latest_before(&samples.timestamps, &mut next, time, look_back) {
            // A stale marker also means no value in a column.
            Some(index) => samples.values.get(index).copied().unwrap_or(STALE_NAN),
            None => STALE_NAN,
        });
        return Column::from_values(values.collect());
    }
    let mut column = Column::absent(times.count);
    each_latest(samples, times, look_back, |step, _, sample| column.set(step, Some(sample)));
    column
}

/// The time in seconds of the latest sample that is at most `look_back` old, at each time.
fn latest_times(samples: &SeriesSamples, times: Steps, look_back: i64) -> Column {
    let mut column = Column::absent(times.count);
    each_latest(samples, times, look_back, |step, time, _| column.set(step, Some(Sample::Float(to_seconds(time)))));
    column
}

/// Index of the last of the ascending `timestamps` that is at or before `time` and less than `look_back` before it.
/// `next` advances from call to call.
#[inline]
fn latest_before(timestamps: &[i64], next: &mut usize, time: i64, look_back: i64) -> Option<usize> {
    while timestamps.get(*next).is_some_and(|timestamp| *timestamp <= time) {
        *next += 1;
    }
    let index = next.checked_sub(1)?;
    let timestamp = timestamps.get(index)?;
    (*timestamp > time.saturating_sub(look_back)).then_some(index)
}

/// Calls `take` with the latest sample of either kind at each time, its step and its own time.
fn each_latest(samples: &SeriesSamples, times: Steps, look_back: i64, mut take: impl FnMut(usize, i64, Sample)) {
    let histogram_times: Vec<i64> = samples.histograms.iter().map(|(time, _)| *time).collect();
    let (mut next, mut next_histogram) = (0, 0);
    for (step, time) in times.times().enumerate() {
        let float = latest_before(&samples.timestamps, &mut next, time, look_back)
            .and_then(|index| Some((*samples.timestamps.get(index)?, *samples.values.get(index)?)));
        let histogram = latest_before(&histogram_times, &mut next_histogram, time, look_back)
            .and_then(|index| samples.histograms.get(index));
        let newer = histogram.filter(|(timestamp, _)| float.is_none_or(|(other, _)| other < *timestamp));
        match (newer, float) {
            (Some((_, histogram)), _) if histogram.is_stale_marker() => {}
            (Some((timestamp, histogram)), _) => take(step, *timestamp, Sample::Histogram(histogram.clone())),
            (None, Some((timestamp, value))) if !is_stale_marker(value) => {
                take(step, timestamp, Sample::Float(value));
            }
            (None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(samples: &[(i64, f64)], time: i64) -> Option<f64> {
        let (timestamps, values) = samples.iter().copied().unzip();
        let samples = SeriesSamples { timestamps, values, ..SeriesSamples::default() };
        latest(&samples, Steps::instant(time), 300).float(0)
    }

    #[test]
    fn a_sample_counts_until_it_is_as_old_as_the_look_back() {
        assert_eq!(at(&[(0, 1.0)], 299), Some(1.0));
        assert_eq!(at(&[(0, 1.0)], 300), None);
        assert_eq!(at(&[(0, 1.0)], -1), None);
    }

    #[test]
    fn a_staleness_marker_ends_the_series_at_once() {
        assert_eq!(at(&[(0, 1.0), (10, STALE_NAN)], 9), Some(1.0));
        assert_eq!(at(&[(0, 1.0), (10, STALE_NAN)], 10), None);
        assert_eq!(at(&[(0, 1.0), (10, STALE_NAN), (20, 2.0)], 20), Some(2.0));
    }
}
