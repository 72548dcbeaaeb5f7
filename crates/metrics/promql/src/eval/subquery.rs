//! Subqueries: evaluate an instant expression at their own steps, which results in a range vector.

use timeseries::is_stale_marker;

use super::{Context, window::Frame};
use crate::{
    engine::EvalError,
    output,
    plan::Subquery,
    value::{Series, Steps, Track},
};

impl Context<'_> {
    pub(super) fn subquery(&self, subquery: &Subquery, steps: Steps) -> Result<(Vec<Track>, Frame), EvalError> {
        let (offset_ms, at) = self.resolve(&subquery.shift)?;
        let range_ms = self.range_milliseconds(&subquery.range)?;
        let frame = Frame { range_ms, offset_ms, at };
        let resolution = match &subquery.step {
            Some(step) => self.range_milliseconds(step)?,
            None => self.options.default_subquery_step_ms.max(1),
        };
        let (start, _) = frame.window(steps.start_ms);
        let (_, end) = frame.window(steps.end_ms());
        // The steps of a subquery are multiples of its resolution, independent of the query's steps.
        let first = start.div_euclid(resolution).saturating_add(1).saturating_mul(resolution);
        let inner_steps = Steps::range(first, end, resolution);
        self.charge(inner_steps.count)?;
        let series = self.vector(&subquery.inner, inner_steps)?;
        // Metric names are dropped at the end of the query, but series that are equal without them must be merged here.
        let series = output::merge(series.into_iter())?;
        Ok((series.into_iter().map(|series| track(series, inner_steps)).collect(), frame))
    }
}

fn track(series: Series, steps: Steps) -> Track {
    let Series { labels, drop_name, column } = series;
    let mut track = Track { labels, drop_name, ..Track::default() };
    for (step, (time, value)) in steps.times().zip(column.values()).enumerate() {
        if let Some(histogram) = column.histogram(step) {
            track.histograms.push((time, histogram.clone()));
        } else if !is_stale_marker(*value) {
            track.times.push(time);
            track.values.push(*value);
        }
    }
    track
}
