//! The layers of a plot, and their visible points.

use std::{borrow::Cow, ops::Range};

use model::{dashboard::Draw, sort::sort_by};

use super::{PlotSeries, TimePlot};
use crate::{palette::Ink, reduce};

/// Opacity of the area under a single line.
const LINE_FILL: f64 = 0.10;
/// Opacity of a stacked area.
const STACK_FILL: f64 = 0.35;

/// One series of a plot, prepared for drawing.
#[derive(Debug, Clone)]
pub struct Layer<'a> {
    /// Its colour.
    pub ink: Ink,
    /// Opacity of its area; 0 for a line only.
    pub fill: f64,
    /// Whether its line is dashed.
    pub dashed: bool,
    pub(super) timestamps: Cow<'a, [i64]>,
    pub(super) upper: Cow<'a, [f64]>,
    /// Lower edge of a stacked area; for others the area ends at zero.
    pub(super) lower: Option<Vec<f64>>,
}

impl Layer<'_> {
    /// Index of the last point before `at_ms`, so that a line starts at the edge.
    pub(super) fn first_shown(&self, at_ms: i64) -> usize {
        self.timestamps.partition_point(|timestamp| *timestamp < at_ms).saturating_sub(1)
    }
}

/// Each series as a line; a single one has an area too.
pub(super) fn lines<'a>(traces: &[&PlotSeries<'a>], alone: bool) -> Vec<Layer<'a>> {
    let fill = if alone { LINE_FILL } else { 0.0 };
    traces
        .iter()
        .map(|trace| Layer {
            ink: trace.ink,
            fill: if trace.draw == Draw::Panel { fill } else { 0.0 },
            dashed: trace.draw == Draw::Dashed,
            timestamps: Cow::Borrowed(trace.timestamps),
            upper: Cow::Borrowed(trace.values),
            lower: None,
        })
        .collect()
}

/// Stacks series, the first one at the bottom. A missing value counts as zero.
pub(super) fn stack<'a>(traces: &[&PlotSeries<'a>]) -> Vec<Layer<'a>> {
    let mut times: Vec<i64> = traces.iter().flat_map(|trace| trace.timestamps.iter().copied()).collect();
    sort_by(&mut times, Ord::cmp);
    times.dedup();
    let mut below = vec![0.0; times.len()];
    let mut layers = Vec::with_capacity(traces.len());
    for trace in traces {
        let mut points = trace.timestamps.iter().zip(trace.values).peekable();
        let mut upper = Vec::with_capacity(times.len());
        for (time, base) in times.iter().zip(&below) {
            let value = points.next_if(|(at_ms, _)| *at_ms == time).map_or(0.0, |(_, value)| *value);
            upper.push(base + if value.is_finite() { value } else { 0.0 });
        }
        layers.push(Layer {
            ink: trace.ink,
            fill: STACK_FILL,
            dashed: false,
            timestamps: Cow::Owned(times.clone()),
            lower: Some(below),
            upper: Cow::Owned(upper.clone()),
        });
        below = upper;
    }
    layers
}

/// Minimum and maximum within a time range.
pub(super) fn extent(layers: &[Layer<'_>], time: Range<i64>) -> Option<(f64, f64)> {
    let mut extent: Option<(f64, f64)> = None;
    for layer in layers {
        let from = layer.first_shown(time.start);
        let lower = layer.lower.as_deref().unwrap_or_default().iter().skip(from);
        for value in layer.upper.iter().skip(from).chain(lower).filter(|value| value.is_finite()) {
            extent = Some(extent.map_or((*value, *value), |(low, high)| (low.min(*value), high.max(*value))));
        }
    }
    extent
}

impl TimePlot<'_> {
    /// Time of a layer's last drawn point.
    #[must_use]
    pub fn newest_ms(&self, layer: &Layer<'_>) -> Option<i64> {
        layer.timestamps.get(self.end_shown(layer).checked_sub(1)?).copied()
    }

    /// Index after a layer's last drawn point.
    pub(super) fn end_shown(&self, layer: &Layer<'_>) -> usize {
        layer.timestamps.partition_point(|timestamp| *timestamp <= self.span.end_ms)
    }

    /// Emits the visible points of a layer for `width` columns.
    pub(super) fn emit(
        &self,
        layer: &Layer<'_>,
        width: f64,
        since_ms: Option<i64>,
        emit: impl FnMut(Option<reduce::Point>),
    ) {
        let from = layer.first_shown(since_ms.unwrap_or(self.span.start_ms));
        let points = layer.timestamps.iter().zip(layer.upper.iter()).skip(from);
        let points = points.take_while(|(at_ms, _)| **at_ms <= self.span.end_ms);
        let pixels = points.map(|(at_ms, value)| (self.span.position(*at_ms) * width, *value));
        reduce::columns(pixels, self.span.gap(width), emit);
    }

    /// A layer's lines between gaps.
    pub(super) fn runs(&self, layer: &Layer<'_>, width: f64, since_ms: Option<i64>) -> Vec<Vec<reduce::Point>> {
        let mut runs = vec![Vec::new()];
        self.emit(layer, width, since_ms, |point| match (point, runs.last_mut()) {
            (Some(point), Some(run)) => run.push(point),
            _ => runs.push(Vec::new()),
        });
        runs.retain(|run| !run.is_empty());
        runs
    }

    /// Outlines of a layer's areas: along the upper edge, and back along the lower one.
    pub(super) fn areas(&self, layer: &Layer<'_>, width: f64, since_ms: Option<i64>) -> Vec<Vec<reduce::Point>> {
        let mut runs = self.runs(layer, width, since_ms);
        match &layer.lower {
            Some(lower) => {
                // A stack has no gaps: see `stack`.
                let below = Layer {
                    ink: layer.ink,
                    fill: 0.0,
                    dashed: false,
                    timestamps: Cow::Borrowed(&layer.timestamps),
                    upper: Cow::Borrowed(lower),
                    lower: None,
                };
                for (upper, lower) in runs.iter_mut().zip(self.runs(&below, width, since_ms)) {
                    upper.extend(lower.into_iter().rev());
                }
            }
            None => {
                // Not `clamp`: its panic would bring the tables with which floats are written into the browser.
                let base = 0.0_f64.max(self.scale.low).min(self.scale.high);
                for run in &mut runs {
                    if let (Some((first, _)), Some((last, _))) = (run.first().copied(), run.last().copied()) {
                        run.extend([(last, base), (first, base)]);
                    }
                }
            }
        }
        runs
    }
}
