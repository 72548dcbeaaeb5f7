//! Values over time: lines, filled areas and stacks, with grid and thresholds.
//!
//! A [`TimePlot`] holds what is drawn, in values and times. [`TimePlot::svg`] draws it with plotters into a box that the page stretches;
//! [`TimePlot::line_path`] and its neighbours write a series for a canvas of known size, which is the faster way to redraw.

use std::{borrow::Cow, ops::Range};

use model::{
    dashboard::{Color, Draw, Threshold, ThresholdStyle},
    sort::sort_by,
    unit::Roundness,
};
use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::{Shift, cartesian::Cartesian2d, types::RangedCoordf64},
    drawing::DrawingArea,
    element::{PathElement, Polygon, Rectangle},
    style::Color as _,
};
use plotters_backend::DrawingBackend;

use crate::{
    mark::{self, Fired, Mark},
    palette::Ink,
    reduce,
    scale::{TimeTick, ValueExtent, ValueScale, fraction, time_ticks},
    svg::{self, Paint},
};

/// Length of the line that stands for one point between gaps, in pixels.
const LONE_POINT: f64 = 4.0;
/// Units of the SVG picture, which is stretched to its box.
const SIZE: (u32, u32) = (2_000, 600);
/// Opacity of the area under a single line.
const LINE_FILL: f64 = 0.10;
/// Opacity of a stacked area.
const STACK_FILL: f64 = 0.35;
/// Opacity of the area above a threshold.
pub const BAND_FILL: f64 = 0.08;
/// Dashes of a fine drawing.
const DASHES: &str = "stroke-width=\"16\" stroke-linecap=\"butt\" stroke-dasharray=\"60 40\"";
/// A line goes on over a distance between points of so many steps.
const GAP_STEPS: f64 = 1.5;

/// One series to draw.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    /// Its colour.
    pub ink: Ink,
    /// How it is drawn.
    pub draw: Draw,
    /// Milliseconds since the Unix epoch, rising.
    pub timestamps: &'a [i64],
    /// One a timestamp.
    pub values: &'a [f64],
}

/// The part of time that a plot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    /// Left edge, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Right edge.
    pub end_ms: i64,
    /// Distance between the points of a series without gaps.
    pub step_ms: i64,
}

impl TimeSpan {
    /// Where a time is: 0 at the left edge, 1 at the right one.
    #[must_use]
    pub fn position(&self, at_ms: i64) -> f64 {
        fraction(at_ms.saturating_sub(self.start_ms), self.end_ms - self.start_ms)
    }

    /// The time at a position; see [`TimeSpan::position`].
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // within the span by the clamp
    #[must_use]
    pub fn time_at(&self, position: f64) -> i64 {
        self.start_ms + (position.clamp(0.0, 1.0) * (self.end_ms - self.start_ms) as f64).round() as i64
    }

    fn gap(&self, width: f64) -> f64 {
        (fraction(self.step_ms, self.end_ms - self.start_ms) * width * GAP_STEPS).max(f64::MIN_POSITIVE)
    }
}

/// How a plot is made of its series.
#[derive(Debug, Clone, Copy)]
pub struct PlotOptions<'a> {
    /// What it shows of time.
    pub span: TimeSpan,
    /// Series on top of each other.
    pub stacked: bool,
    /// Bounds of the y axis fixed by the panel.
    pub fixed: (Option<f64>, Option<f64>),
    /// Where ticks of the y axis are round.
    pub roundness: Roundness,
    /// Values with a meaning.
    pub thresholds: &'a [Threshold],
    /// How they are drawn.
    pub threshold_style: ThresholdStyle,
    /// Distance of the viewer's clock from UTC.
    pub tz_offset_min: i32,
    /// Ticks of the y axis aimed at.
    pub value_ticks: usize,
    /// Ticks of the time axis at most.
    pub time_ticks: i64,
}

/// A plot ready to be drawn.
#[derive(Debug, Clone)]
pub struct TimePlot<'a> {
    /// What it shows of time.
    pub span: TimeSpan,
    /// The y axis.
    pub scale: ValueScale,
    /// Ticks of the time axis.
    pub time_ticks: Vec<TimeTick>,
    /// From back to front.
    pub layers: Vec<Layer<'a>>,
    /// The series of a stack do not end together: the youngest part of it is not final.
    pub ragged: bool,
    /// Times that are tinted, behind all.
    pub marks: Vec<Mark>,
    /// Thresholds to draw, rising.
    pub limits: Vec<Limit>,
    /// How they are drawn.
    pub limit_style: ThresholdStyle,
}

/// One series of a plot, as it is drawn.
#[derive(Debug, Clone)]
pub struct Layer<'a> {
    /// Its colour.
    pub ink: Ink,
    /// Opacity of its area, 0 for a bare line.
    pub fill: f64,
    /// Its line is broken into dashes.
    pub dashed: bool,
    timestamps: Cow<'a, [i64]>,
    upper: Cow<'a, [f64]>,
    /// Lower edge of a stacked area; otherwise the area ends at zero.
    lower: Option<Vec<f64>>,
}

/// A threshold on a plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Where it begins.
    pub value: f64,
    /// Where the next one begins.
    pub end: f64,
    /// What it means.
    pub color: Color,
}

/// Size of a canvas' plot area in device pixels and the time at its left edge, which a shifted canvas keeps apart from the span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pixels {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Added to every x.
    pub offset: f64,
}

impl<'a> TimePlot<'a> {
    /// Makes a plot. `previous` is the y axis of the picture before, which stays if it still suits.
    #[must_use]
    pub fn new(traces: &[Trace<'a>], options: &PlotOptions<'_>, previous: Option<ValueScale>) -> Self {
        let (stacked, lines_only): (Vec<&Trace<'a>>, Vec<&Trace<'a>>) = traces
            .iter()
            .filter(|trace| trace.draw != Draw::Mark)
            .partition(|trace| options.stacked && trace.draw == Draw::Panel);
        let ragged = stacked
            .windows(2)
            .any(|pair| matches!(pair, [one, other] if one.timestamps.last() != other.timestamps.last()));
        let mut layers = stack(&stacked);
        layers.extend(lines(&lines_only, traces.len() == 1));
        let marked = traces.iter().filter(|trace| trace.draw == Draw::Mark);
        let values = extent(&layers, options.span.start_ms..options.span.end_ms);
        let values = with_near_thresholds(values, options);
        let extent =
            ValueExtent { values, fixed: options.fixed, roundness: options.roundness, ticks: options.value_ticks };
        let scale = previous.map_or_else(|| ValueScale::fit(&extent), |previous| previous.follow(&extent));
        let ends = options.thresholds.iter().skip(1).map(|next| next.value).chain([f64::INFINITY]);
        let limits = options.thresholds.iter().zip(ends);
        TimePlot {
            span: options.span,
            scale,
            time_ticks: time_ticks(
                options.span.start_ms,
                options.span.end_ms,
                options.tz_offset_min,
                options.time_ticks,
            ),
            layers,
            ragged,
            marks: marked.flat_map(|trace| mark::of_values(trace, &options.span)).collect(),
            limits: limits
                .map(|(threshold, end)| Limit { value: threshold.value, end, color: threshold.color })
                .filter(|limit| limit.value < scale.high && limit.end > scale.low)
                .collect(),
            limit_style: options.threshold_style,
        }
    }

    /// Marks a time in which an alert fired.
    pub fn mark_fired(&mut self, fired: Fired) {
        self.marks.extend(fired.mark(&self.span));
    }

    /// The picture for a page, stretched to its box.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::document("plot", SIZE, false, |out| {
            svg::group(out, "plot-marks", SIZE, |area| self.draw_marks(area));
            svg::group(out, "plot-grid", SIZE, |area| self.draw_grid(area));
            svg::group(out, "plot-limits", SIZE, |area| self.draw_limits(area));
            svg::group(out, "plot-series", SIZE, |area| self.draw_series(area));
            svg::group(out, "plot-series plot-dashed", SIZE, |area| self.draw_lines(area, true));
        })
    }

    /// The picture by itself, at the origin, `width` times `height` units large, with lines as wide as on a page.
    #[must_use]
    pub fn drawing(&self, (width, height): (f32, f32), paint: Paint<'_>) -> String {
        let size = (svg::fine(width), svg::fine(height));
        svg::finely(|out| {
            svg::painted(out, "stroke=\"none\"", size, paint, |area| self.draw_marks(area));
            svg::painted(out, "stroke-linecap=\"butt\"", size, paint, |area| self.draw_grid(area));
            svg::painted(out, DASHES, size, paint, |area| self.draw_limits(area));
            svg::painted(out, "stroke-width=\"16\"", size, paint, |area| self.draw_series(area));
            svg::painted(out, DASHES, size, paint, |area| self.draw_lines(area, true));
        })
    }

    /// Draws the tinted times on any backend.
    pub fn draw_marks<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Option<()> {
        let mut chart = self.chart(area)?;
        let tinted = self.marks.iter().map(|mark| {
            let style = mark.ink.packed().mix(mark.fill).filled();
            Rectangle::new([(mark.from, self.scale.low), (mark.to, self.scale.high)], style)
        });
        chart.draw_series(tinted).ok()?;
        let upright = self.marks.iter().flat_map(|mark| {
            let lines = mark.lines.into_iter().flatten();
            lines.map(|at| PathElement::new([(at, self.scale.low), (at, self.scale.high)], mark.ink.packed()))
        });
        chart.draw_series(upright).ok()?;
        Some(())
    }

    /// Draws the grid on any backend.
    pub fn draw_grid<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Option<()> {
        let mut chart = self.chart(area)?;
        let style = Ink::Grid.packed();
        let across = self.scale.ticks().into_iter().map(|value| [(0.0, value), (1.0, value)]);
        let (low, high) = (self.scale.low, self.scale.high);
        let upright = self.time_ticks.iter().map(|tick| [(tick.position, low), (tick.position, high)]);
        chart.draw_series(across.chain(upright).map(|line| PathElement::new(line, style))).ok()?;
        Some(())
    }

    /// Draws the thresholds on any backend.
    pub fn draw_limits<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Option<()> {
        let mut chart = self.chart(area)?;
        let (low, high) = (self.scale.low, self.scale.high);
        let limits = self.limits.iter().copied();
        match self.limit_style {
            ThresholdStyle::None => {}
            ThresholdStyle::Line => {
                let lines = limits.map(|limit| {
                    PathElement::new([(0.0, limit.value), (1.0, limit.value)], Ink::Meaning(limit.color).packed())
                });
                chart.draw_series(lines).ok()?;
            }
            ThresholdStyle::Band => {
                let bands = limits.map(|limit| {
                    let style = Ink::Meaning(limit.color).packed().mix(BAND_FILL).filled();
                    Rectangle::new([(0.0, limit.value.max(low)), (1.0, limit.end.min(high))], style)
                });
                chart.draw_series(bands).ok()?;
            }
        }
        Some(())
    }

    /// Draws the series on any backend, but for dashed lines.
    pub fn draw_series<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Option<()> {
        let mut chart = self.chart(area)?;
        let (columns, _) = area.dim_in_pixel();
        let columns = f64::from(columns);
        for layer in self.layers.iter().filter(|layer| layer.fill > 0.0) {
            let style = layer.ink.packed().mix(layer.fill);
            let polygons = self
                .areas(layer, columns, None)
                .into_iter()
                .map(|run| Polygon::new(run.into_iter().map(|(x, y)| (x / columns, y)).collect::<Vec<_>>(), style));
            chart.draw_series(polygons).ok()?;
        }
        self.draw_lines(area, false)
    }

    /// Draws the lines of the series, those that are dashed or those that are not. A backend has no dashes: its caller makes them.
    pub fn draw_lines<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, dashed: bool) -> Option<()> {
        let mut chart = self.chart(area)?;
        let columns = f64::from(area.dim_in_pixel().0);
        for layer in self.layers.iter().filter(|layer| layer.dashed == dashed) {
            let style = layer.ink.packed();
            let paths = self.runs(layer, columns, None).into_iter().map(|mut run| {
                // A point between gaps is a line as well, as short as a line is wide.
                if let [(x, y)] = run[..] {
                    run.push((beside(x), y));
                }
                PathElement::new(run.into_iter().map(|(x, y)| (x / columns, y)).collect::<Vec<_>>(), style)
            });
            chart.draw_series(paths).ok()?;
        }
        Some(())
    }

    /// Appends a layer's line to an SVG path, in device pixels. `None` for `since_ms` draws it whole; otherwise only from the last
    /// point before that time on, to go on with a line that is on the canvas already.
    pub fn line_path(&self, layer: &Layer<'_>, pixels: Pixels, since_ms: Option<i64>, out: &mut String) {
        let mut pen_up = true;
        let mut lone = None;
        let close = |lone: &mut Option<reduce::Point>, out: &mut String| {
            if let Some((x, y)) = lone.take() {
                out.push('L');
                push_point(out, beside(x), y);
            }
        };
        self.emit(layer, pixels.width, since_ms, |point| match point {
            Some((x, value)) => {
                out.push(if pen_up { 'M' } else { 'L' });
                let (x, y) = (x + pixels.offset, self.pixel_y(value, pixels.height));
                lone = pen_up.then_some((x, y));
                pen_up = false;
                push_point(out, x, y);
            }
            None => {
                close(&mut lone, out);
                pen_up = true;
            }
        });
        close(&mut lone, out);
    }

    /// Appends a layer's area to an SVG path, in device pixels; see [`TimePlot::line_path`].
    pub fn area_path(&self, layer: &Layer<'_>, pixels: Pixels, since_ms: Option<i64>, out: &mut String) {
        for run in self.areas(layer, pixels.width, since_ms) {
            for (index, (x, value)) in run.into_iter().enumerate() {
                out.push(if index == 0 { 'M' } else { 'L' });
                push_point(out, x + pixels.offset, self.pixel_y(value, pixels.height));
            }
            out.push('Z');
        }
    }

    /// Height of a value on a canvas, from its top.
    #[must_use]
    pub fn pixel_y(&self, value: f64, height: f64) -> f64 {
        (1.0 - self.scale.position(value)) * height
    }

    /// Time of the youngest point of a layer that is drawn.
    #[must_use]
    pub fn newest_ms(&self, layer: &Layer<'_>) -> Option<i64> {
        let shown = layer.timestamps.partition_point(|timestamp| *timestamp <= self.span.end_ms);
        layer.timestamps.get(shown.checked_sub(1)?).copied()
    }

    fn chart<'b, DB: DrawingBackend>(
        &self,
        area: &'b DrawingArea<DB, Shift>,
    ) -> Option<ChartContext<'b, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>> {
        ChartBuilder::on(area).build_cartesian_2d(0.0..1.0, self.scale.low..self.scale.high).ok()
    }

    /// Hands on the points of a layer that show on `width` columns.
    fn emit(&self, layer: &Layer<'_>, width: f64, since_ms: Option<i64>, emit: impl FnMut(Option<reduce::Point>)) {
        let from = layer.first_shown(since_ms.unwrap_or(self.span.start_ms));
        let points = layer.timestamps.iter().zip(layer.upper.iter()).skip(from);
        let points = points.take_while(|(at_ms, _)| **at_ms <= self.span.end_ms);
        let pixels = points.map(|(at_ms, value)| (self.span.position(*at_ms) * width, *value));
        reduce::columns(pixels, self.span.gap(width), emit);
    }

    fn runs(&self, layer: &Layer<'_>, width: f64, since_ms: Option<i64>) -> Vec<Vec<reduce::Point>> {
        let mut runs = vec![Vec::new()];
        self.emit(layer, width, since_ms, |point| match (point, runs.last_mut()) {
            (Some(point), Some(run)) => run.push(point),
            _ => runs.push(Vec::new()),
        });
        runs.retain(|run| !run.is_empty());
        runs
    }

    /// Outlines of a layer's area: along the upper edge, and back along the lower one.
    fn areas(&self, layer: &Layer<'_>, width: f64, since_ms: Option<i64>) -> Vec<Vec<reduce::Point>> {
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
                let base = 0.0_f64.clamp(self.scale.low, self.scale.high);
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

impl Layer<'_> {
    /// Index of the last point before `at_ms`, so that a line reaches the edge it comes from.
    fn first_shown(&self, at_ms: i64) -> usize {
        self.timestamps.partition_point(|timestamp| *timestamp < at_ms).saturating_sub(1)
    }
}

fn lines<'a>(traces: &[&Trace<'a>], alone: bool) -> Vec<Layer<'a>> {
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

/// Puts series on top of each other, the first at the bottom. A series without a value at a time adds nothing there.
fn stack<'a>(traces: &[&Trace<'a>]) -> Vec<Layer<'a>> {
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

/// Least and greatest value within a time.
fn extent(layers: &[Layer<'_>], time: Range<i64>) -> Option<(f64, f64)> {
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

/// Makes room for the thresholds that values are coming near to, so that one sees how far it is; far ones would flatten the line.
fn with_near_thresholds(values: Option<(f64, f64)>, options: &PlotOptions<'_>) -> Option<(f64, f64)> {
    const NEAR: f64 = 1.8;
    if options.threshold_style == ThresholdStyle::None {
        return values;
    }
    values.map(|(low, high)| {
        let near = options.thresholds.iter().map(|threshold| threshold.value).filter(|value| *value <= high * NEAR);
        (low, near.fold(high, f64::max))
    })
}

fn push_point(out: &mut String, x: f64, y: f64) {
    push_tenths(out, x);
    out.push(' ');
    push_tenths(out, y);
}

/// Appends a number with one decimal, several times faster than the formatting machinery does.
fn push_tenths(out: &mut String, value: f64) {
    #[allow(clippy::cast_possible_truncation)] // clamped to far beyond any screen
    let tenths = (value.clamp(-1e7, 1e7) * 10.0).round() as i64;
    if tenths < 0 {
        out.push('-');
    }
    let size = tenths.unsigned_abs();
    let mut digits = [b'0'; 20];
    let mut rest = size / 10;
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(digits.len() - length).map(|digit| char::from(*digit)));
    if !size.is_multiple_of(10) {
        out.push('.');
        out.push(char::from(b'0' + u8::try_from(size % 10).unwrap_or(0)));
    }
}

/// A small area without axes, stretched to its box: the recent course of one number.
#[must_use]
pub fn sparkline(trace: Trace<'_>, span: TimeSpan) -> String {
    const SPARK: (u32, u32) = (600, 100);
    let plot = spark(trace, span);
    svg::document("spark", SPARK, false, |out| {
        svg::group(out, "plot-series", SPARK, |area| plot.draw_series(area));
    })
}

/// A sparkline by itself, at the origin, `width` times `height` units large.
#[must_use]
pub fn spark_drawing(trace: Trace<'_>, span: TimeSpan, (width, height): (f32, f32), paint: Paint<'_>) -> String {
    let (size, plot) = ((svg::fine(width), svg::fine(height)), spark(trace, span));
    svg::finely(|out| svg::painted(out, "stroke-width=\"16\"", size, paint, |area| plot.draw_series(area)))
}

fn spark(trace: Trace<'_>, span: TimeSpan) -> TimePlot<'_> {
    let options = PlotOptions {
        span,
        stacked: false,
        fixed: (None, None),
        roundness: Roundness::Decimal,
        thresholds: &[],
        threshold_style: ThresholdStyle::None,
        tz_offset_min: 0,
        value_ticks: 20,
        time_ticks: 0,
    };
    TimePlot::new(&[trace], &options, None)
}

/// The other end of the line that stands for one point at `x`: to the left, where it does not leave the picture.
fn beside(x: f64) -> f64 {
    if x >= LONE_POINT { x - LONE_POINT } else { x + LONE_POINT }
}

#[cfg(test)]
mod tests;
