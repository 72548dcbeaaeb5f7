//! Time series plots: lines, filled areas and stacks, with grid and thresholds.
//!
//! A [`TimePlot`] holds the content in values and times. [`TimePlot::svg`] draws it with plotters into a box that the
//! page stretches; [`TimePlot::line_path`] and related methods write a series for a canvas of known size, which redraws
//! faster.

mod layer;
mod path;
mod trail;

use model::{
    dashboard::{Color, Draw, Threshold, ThresholdStyle},
    unit::Roundness,
    zone::Zone,
};
use plotters::{
    coord::{Shift, cartesian::Cartesian2d, types::RangedCoordf64},
    drawing::DrawingArea,
    element::{Drawable, PathElement, PointCollection, Polygon, Rectangle},
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

/// Units of the SVG, which is stretched to its box.
const SIZE: (u32, u32) = (2_000, 600);
/// Opacity of the area above a threshold.
pub const BAND_FILL: f64 = 0.08;
/// Dashes of a fine drawing.
const DASHES: &str = "stroke-width=\"16\" stroke-linecap=\"butt\" stroke-dasharray=\"60 40\"";
/// Points at most this many steps apart are connected by a line.
const GAP_STEPS: f64 = 1.5;

/// One series to draw.
#[derive(Debug, Clone, Copy)]
pub struct PlotSeries<'a> {
    /// Its colour.
    pub ink: Ink,
    /// How to draw it.
    pub draw: Draw,
    /// Milliseconds since the Unix epoch, ascending.
    pub timestamps: &'a [i64],
    /// One per timestamp.
    pub values: &'a [f64],
}

/// The displayed time span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    /// Left edge, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Right edge.
    pub end_ms: i64,
    /// Distance between neighbouring points without a gap.
    pub step_ms: i64,
}

impl TimeSpan {
    /// Position of a time: 0 at the left edge, 1 at the right edge.
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

/// Options of a plot.
#[derive(Debug, Clone, Copy)]
pub struct PlotOptions<'a> {
    /// The displayed time span.
    pub span: TimeSpan,
    /// Whether to stack the series.
    pub stacked: bool,
    /// Bounds of the y axis fixed by the panel.
    pub fixed: (Option<f64>, Option<f64>),
    /// Which numbers are round on the y axis.
    pub roundness: Roundness,
    /// Thresholds.
    pub thresholds: &'a [Threshold],
    /// How to draw thresholds.
    pub threshold_style: ThresholdStyle,
    /// Time zone of the viewer.
    pub zone: Zone,
    /// Intended number of ticks on the y axis.
    pub value_ticks: usize,
    /// Maximum number of ticks on the time axis.
    pub time_ticks: i64,
}

/// A plot to draw.
#[derive(Debug, Clone)]
pub struct TimePlot<'a> {
    /// The displayed time span.
    pub span: TimeSpan,
    /// The y axis.
    pub scale: ValueScale,
    /// Ticks of the time axis.
    pub time_ticks: Vec<TimeTick>,
    /// From back to front.
    pub layers: Vec<Layer<'a>>,
    /// The series of a stack end at different times, so that its newest part is not final.
    pub ragged: bool,
    /// Tinted time ranges, behind everything else.
    pub marks: Vec<Mark>,
    /// Thresholds to draw, ascending.
    pub limits: Vec<Limit>,
    /// How to draw them.
    pub limit_style: ThresholdStyle,
}

/// A threshold on a plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Lower end.
    pub value: f64,
    /// Lower end of the next one.
    pub end: f64,
    /// Colour.
    pub color: Color,
}

impl<'a> TimePlot<'a> {
    /// Creates a plot. `previous` is the last y axis, which is reused if it still fits.
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

    /// Adds a time range in which an alert fired.
    pub fn mark_fired(&mut self, fired: Fired) {
        self.marks.extend(fired.mark(&self.span));
    }

    /// SVG for a page, stretched to its box.
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

    /// SVG of `width` times `height` units at the origin, with lines as wide as on a page.
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

    /// Draws the tinted time ranges on any backend.
    pub fn draw_marks<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Option<()> {
        let chart = self.chart(area);
        let tinted = self.marks.iter().map(|mark| {
            let style = mark.ink.packed().mix(mark.fill).filled();
            Rectangle::new([(mark.from, self.scale.low), (mark.to, self.scale.high)], style)
        });
        draw_all(&chart, tinted)?;
        let upright = self.marks.iter().flat_map(|mark| {
            let lines = mark.lines.into_iter().flatten();
            lines.map(|at| PathElement::new([(at, self.scale.low), (at, self.scale.high)], mark.ink.packed()))
        });
        draw_all(&chart, upright)?;
        Some(())
    }

    /// Draws the grid on any backend.
    pub fn draw_grid<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Option<()> {
        let chart = self.chart(area);
        let style = Ink::Grid.packed();
        let across = self.scale.ticks().into_iter().map(|value| [(0.0, value), (1.0, value)]);
        let (low, high) = (self.scale.low, self.scale.high);
        let upright = self.time_ticks.iter().map(|tick| [(tick.position, low), (tick.position, high)]);
        draw_all(&chart, across.chain(upright).map(|line| PathElement::new(line, style)))?;
        Some(())
    }

    /// Draws the thresholds on any backend.
    pub fn draw_limits<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Option<()> {
        let chart = self.chart(area);
        let (low, high) = (self.scale.low, self.scale.high);
        let limits = self.limits.iter().copied();
        match self.limit_style {
            ThresholdStyle::None => {}
            ThresholdStyle::Line => {
                let lines = limits.map(|limit| {
                    PathElement::new([(0.0, limit.value), (1.0, limit.value)], Ink::Meaning(limit.color).packed())
                });
                draw_all(&chart, lines)?;
            }
            ThresholdStyle::Band => {
                let bands = limits.map(|limit| {
                    let style = Ink::Meaning(limit.color).packed().mix(BAND_FILL).filled();
                    Rectangle::new([(0.0, limit.value.max(low)), (1.0, limit.end.min(high))], style)
                });
                draw_all(&chart, bands)?;
            }
        }
        Some(())
    }

    /// Draws the series on any backend, except dashed lines.
    pub fn draw_series<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Option<()> {
        let chart = self.chart(area);
        let (columns, _) = area.dim_in_pixel();
        let columns = f64::from(columns);
        for layer in self.layers.iter().filter(|layer| layer.fill > 0.0) {
            let style = layer.ink.packed().mix(layer.fill);
            let polygons = self
                .areas(layer, columns, None)
                .into_iter()
                .map(|run| Polygon::new(run.into_iter().map(|(x, y)| (x / columns, y)).collect::<Vec<_>>(), style));
            draw_all(&chart, polygons)?;
        }
        self.draw_lines(area, false)
    }

    /// Draws either the dashed or the other lines of the series. Backends have no dashes, so the caller must style
    /// them.
    pub fn draw_lines<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, dashed: bool) -> Option<()> {
        let chart = self.chart(area);
        let columns = f64::from(area.dim_in_pixel().0);
        for layer in self.layers.iter().filter(|layer| layer.dashed == dashed) {
            let style = layer.ink.packed();
            let paths = self.runs(layer, columns, None).into_iter().map(|mut run| {
                // A single point between gaps is drawn as a short line.
                if let [(x, y)] = run[..] {
                    run.push((beside(x), y));
                }
                PathElement::new(run.into_iter().map(|(x, y)| (x / columns, y)).collect::<Vec<_>>(), style)
            });
            draw_all(&chart, paths)?;
        }
        Some(())
    }

    /// An area in the plot's own coordinates. Without `ChartBuilder`, which would bring titles and fonts into the browser.
    fn chart<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Chart<DB> {
        let (across, down) = area.get_pixel_range();
        let pixels = (across.start..across.end - 1, down.end - 1..down.start);
        area.apply_coord_spec(Cartesian2d::new(0.0..1.0, self.scale.low..self.scale.high, pixels))
    }
}

type Chart<DB> = DrawingArea<DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws the elements of a series.
fn draw_all<DB, E>(chart: &Chart<DB>, elements: impl IntoIterator<Item = E>) -> Option<()>
where
    DB: DrawingBackend,
    E: Drawable<DB>,
    for<'a> &'a E: PointCollection<'a, (f64, f64)>,
{
    elements.into_iter().try_for_each(|element| chart.draw(&element).ok())
}

/// Extends the range to thresholds that values approach, so that the distance is visible; distant ones would flatten
/// the line.
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
