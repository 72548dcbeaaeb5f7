//! Values over time: lines, filled areas and stacks, with grid and thresholds.
//!
//! A [`TimePlot`] holds what is drawn, in values and times. [`TimePlot::svg`] draws it with plotters into a box that the page stretches;
//! [`TimePlot::line_path`] and its neighbours write a series for a canvas of known size, which is the faster way to redraw.

mod layer;
mod path;
mod trail;

use model::{
    dashboard::{Color, Draw, Threshold, ThresholdStyle},
    unit::Roundness,
    zone::Zone,
};
use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::{Shift, cartesian::Cartesian2d, types::RangedCoordf64},
    drawing::DrawingArea,
    element::{PathElement, Polygon, Rectangle},
    style::Color as _,
};
use plotters_backend::DrawingBackend;

pub use self::{layer::Layer, path::Pixels, trail::Trail};
use self::{
    layer::{extent, lines, stack},
    path::beside,
};
use crate::{
    mark::{self, Fired, Mark},
    palette::Ink,
    scale::{TimeTick, ValueExtent, ValueScale, fraction, time_ticks},
    svg::{self, Paint},
};

/// Units of the SVG picture, which is stretched to its box.
const SIZE: (u32, u32) = (2_000, 600);
/// Opacity of the area above a threshold.
pub const BAND_FILL: f64 = 0.08;
/// Dashes of a fine drawing.
const DASHES: &str = "stroke-width=\"16\" stroke-linecap=\"butt\" stroke-dasharray=\"60 40\"";
/// A line goes on over a distance between points of so many steps.
const GAP_STEPS: f64 = 1.5;

/// One series to draw.
#[derive(Debug, Clone, Copy)]
pub struct PlotSeries<'a> {
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
    pub zone: Zone,
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

impl<'a> TimePlot<'a> {
    /// Makes a plot. `previous` is the y axis of the picture before, which stays if it still suits.
    #[must_use]
    pub fn new(traces: &[PlotSeries<'a>], options: &PlotOptions<'_>, previous: Option<ValueScale>) -> Self {
        let (stacked, lines_only): (Vec<&PlotSeries<'a>>, Vec<&PlotSeries<'a>>) = traces
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
            time_ticks: time_ticks(options.span.start_ms, options.span.end_ms, options.zone, options.time_ticks),
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

    fn chart<'b, DB: DrawingBackend>(
        &self,
        area: &'b DrawingArea<DB, Shift>,
    ) -> Option<ChartContext<'b, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>> {
        ChartBuilder::on(area).build_cartesian_2d(0.0..1.0, self.scale.low..self.scale.high).ok()
    }
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

#[cfg(test)]
mod tests;
